"""What a node does with a run, without Ray: its folder, its process, what is sent and what comes back."""

import io
import os
import subprocess
import sys
import tempfile
import time
import zipfile
from pathlib import Path

import pytest

from pipeline.cluster import worker
from pipeline.cluster.worker import Keeper, Task

TASK = Task("resnet8-0", "PYTHONPATH=../.. python -m pipeline.train resnet8 0", "studies/x", ("data/models/resnet8-0",))


@pytest.fixture
def node(tmp_path, monkeypatch):
    """A folder of its own for what workers put into the folder for temporary files."""
    monkeypatch.setattr(tempfile, "tempdir", str(tmp_path))
    return tmp_path


def test_the_command_of_a_stage_becomes_that_of_this_python_and_its_variables(monkeypatch):
    monkeypatch.setenv("OMP_NUM_THREADS", "7")
    assert worker.words(TASK) == [sys.executable, "-m", "pipeline.train", "resnet8", "0"]
    environment = worker.environment(TASK, Path("/top"))
    assert (environment["PYTHONPATH"], environment["DVC_ROOT"]) == ("../..", "../..")
    assert "OMP_NUM_THREADS" not in environment
    assert worker.words(TASK._replace(command="python -m x a=b"))[1:] == ["-m", "x"]


def test_a_workplace_is_removed_in_the_end_and_so_is_one_that_a_kill_has_left(node):
    code = f"""
import os, sys, tempfile
tempfile.tempdir = {str(node)!r}
from pipeline.cluster import worker
with worker.workplace() as folder:
    (folder / "big").touch()
    print(folder, flush=True)
    os.kill(os.getpid(), 9)
"""
    left = Path(subprocess.run([sys.executable, "-c", code], capture_output=True, text=True).stdout.strip())
    assert (left / "big").exists()
    with worker.workplace() as one:
        assert not left.exists()
        with worker.workplace() as other:
            assert one.exists() and one != other
    assert not list(node.iterdir())


def test_a_process_dies_with_the_one_that_started_it_and_takes_its_children_along(tmp_path):
    code = """
import os, subprocess, sys
from pathlib import Path
from pipeline.cluster import worker
process = worker.start(["sleep", "60"], Path(), dict(os.environ), None)
print(process.pid, flush=True)
os.kill(os.getpid(), 9)
"""
    done = subprocess.run([sys.executable, "-c", code], stdout=subprocess.PIPE, text=True, timeout=60)
    deadline = time.monotonic() + 10
    while Path(f"/proc/{done.stdout.strip()}/stat").exists():
        if Path(f"/proc/{done.stdout.strip()}/stat").read_text().split()[2] == "Z":
            break
        assert time.monotonic() < deadline
        time.sleep(0.05)
    process = worker.start(["sh", "-c", "sleep 60 & sleep 60"], tmp_path, dict(os.environ), None)
    worker.end(process)
    assert process.returncode == -9
    with pytest.raises(ProcessLookupError):
        while True:  # until the orphan is reaped, too
            os.killpg(process.pid, 0)
            assert time.monotonic() < deadline + 10
            time.sleep(0.05)


def test_changes_are_what_was_not_sent_yet_of_this_run(tmp_path):
    for path in ("resnet8-0-abc/checkpoint", "resnet8-0-abc/epoch-020", "resnet8-01-abc/checkpoint"):
        (tmp_path / ".scratch" / path).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / ".scratch" / f"{path}.safetensors").write_bytes(path.encode())
    found = {path: changed for path, changed, _ in worker.changes(tmp_path, "resnet8-0", {})}
    assert found.keys() == {f".scratch/resnet8-0-abc/{name}.safetensors" for name in ("checkpoint", "epoch-020")}
    assert list(worker.changes(tmp_path, "resnet8-0", found)) == []
    os.utime(tmp_path / ".scratch/resnet8-0-abc/checkpoint.safetensors", ns=(1, 1))
    path, _, content = next(worker.changes(tmp_path, "resnet8-0", found))
    assert (path, content) == (".scratch/resnet8-0-abc/checkpoint.safetensors", b"resnet8-0-abc/checkpoint")


def test_the_keeper_gives_back_the_newest_checkpoints_of_a_run_and_what_was_told_of_it(tmp_path):
    keeper = Keeper(str(tmp_path))
    for content in (b"old", b"new"):
        keeper.keep(".scratch/resnet8-0-abc/checkpoint.safetensors", content)
    keeper.keep(".scratch/resnet8-0-abc/epoch-020.safetensors", b"stays")
    keeper.keep(".scratch/plain8-0-abc/checkpoint.safetensors", b"another")
    assert keeper.checkpoints("resnet8-0") == {".scratch/resnet8-0-abc/checkpoint.safetensors": b"new"}
    assert not list(tmp_path.rglob("*.tmp"))
    keeper.tell("resnet8-0", worker.News(3, 12.5, None, "here"))
    assert keeper.progress() == {"resnet8-0": (3, 12.5, None, "here")}


def test_what_is_packed_comes_out_below_the_folder_it_is_unpacked_in(tmp_path):
    one, other = tmp_path / "one", tmp_path / "other"
    (one / "a/b").mkdir(parents=True)
    (one / "a/b/c").write_text("c")
    (one / "a/link").symlink_to(one / "a/b/c")  # as DVC may have linked to its cache
    worker.unpack(worker.pack(one, [one / "a"]), other)
    assert (other / "a/b/c").read_text() == (other / "a/link").read_text() == "c"
    assert not (other / "a/link").is_symlink()


def test_nothing_is_unpacked_outside_of_the_folder(tmp_path):
    content = io.BytesIO()
    with zipfile.ZipFile(content, "w") as archive:
        archive.writestr("../outside", "")
        archive.writestr("/outside", "")
    worker.unpack(content.getvalue(), tmp_path / "inside")
    assert [path.relative_to(tmp_path) for path in tmp_path.rglob("*") if path.is_file()] == [Path("inside/outside")]


def test_a_python_that_cannot_train_says_why(node):
    assert worker.kind(worker.pack(Path(), [])) == '{"error": "ModuleNotFoundError: No module named \'pipeline\'"}'
