"""Checkpoints: one holder at a time, the state to the bit, and never that of another run."""

import copy
import hashlib
import json
import shutil
import subprocess
import sys

import pytest
import torch
from conftest import ROOT, make
from safetensors import safe_open
from safetensors.torch import save_file

from pipeline.data import loading
from pipeline.stage import StageError
from pipeline.training import checkpoint
from pipeline.training.checkpoint import Progress, Scratch

FACTS = {
    "params": {"lr": 0.1}, "precision": "bf16", "hardware": "Some CPU", "capability": "AVX512", "torch": "2.11.0",
    "code": {"train.py": "0", "fit.py": "1"},
}  # fmt: skip


def other(**changes: object) -> dict:
    """FACTS with changes; without any, of another learning rate."""
    return copy.deepcopy(FACTS) | (changes or {"params": {"lr": 0.2}})


@pytest.fixture(autouse=True)
def _in_a_folder_of_its_own(tmp_path, monkeypatch):
    monkeypatch.setenv("DVC_ROOT", str(tmp_path))
    monkeypatch.chdir(tmp_path)


@pytest.mark.parametrize("momentum", [0.9, 0.0])
def test_network_momentum_and_history_come_back_to_the_bit(settings, generated, momentum):
    trainer = make(settings(momentum=momentum), generated)
    trainer.epoch(loading.draw(0, 0, 200, 4, True), 0.1)
    progress = Progress([{"epoch": 1, "train_loss": 1 / 3}], [{"epochs": 1}])
    with Scratch("resnet8-0", FACTS) as scratch:
        scratch.save(trainer.state(), progress)
        other = make(settings(momentum=momentum), generated, seed=1)
        assert scratch.load(other.state()) == progress
    for one in (trainer, other):
        one.epoch(loading.draw(0, 1, 200, 4, True), 0.1)
    for name, tensor in trainer.network.state_dict().items():
        assert torch.equal(tensor, other.network.state_dict()[name]), name


def test_without_a_checkpoint_nothing_has_been_done(settings, generated):
    trainer = make(settings(), generated)
    with Scratch("resnet8-0", FACTS) as scratch:
        assert scratch.load(trainer.state()) == Progress()


def test_a_scratch_has_one_holder():
    with Scratch("resnet8-0", FACTS):
        with pytest.raises(StageError, match="another process is training resnet8-0 already"):
            Scratch("resnet8-0", FACTS).__enter__()
        with Scratch("resnet8-1", FACTS):
            pass
    with Scratch("resnet8-0", FACTS):
        pass


def test_nobody_else_writes_the_outputs_of_a_run_with_other_parameters():
    with Scratch("resnet8-0", FACTS), pytest.raises(StageError, match="another process is training resnet8-0 already"):
        Scratch("resnet8-0", other()).__enter__()


def test_the_checkpoint_is_held_from_other_folders_too(tmp_path, monkeypatch):
    with Scratch("resnet8-0", FACTS):
        (tmp_path / "experiment").mkdir()
        monkeypatch.chdir(tmp_path / "experiment")
        with pytest.raises(StageError, match="another process"):
            Scratch("resnet8-0", FACTS).__enter__()
        with Scratch("resnet8-0", other()):  # of other parameters, which write into the other folder
            pass


def test_a_damaged_checkpoint_is_named(settings, generated):
    trainer = make(settings(), generated)
    with Scratch("resnet8-0", FACTS) as scratch:
        scratch.save(trainer.state(), Progress())
        scratch.file.write_bytes(scratch.file.read_bytes()[:1000])
        with pytest.raises(StageError, match=r"checkpoint.safetensors is damaged .* remove it"):
            scratch.load(trainer.state())


def test_when_it_cannot_be_written_the_old_one_stays(settings, generated, monkeypatch):
    trainer = make(settings(), generated)
    with Scratch("resnet8-0", FACTS) as scratch:
        scratch.save(trainer.state(), Progress([{"epoch": 1}]))

        def full(handle):
            raise OSError(28, "No space left on device")

        monkeypatch.setattr("os.fsync", full)
        with pytest.raises(OSError, match="No space left"):
            scratch.save(trainer.state(), Progress([{"epoch": 1}, {"epoch": 2}]))
        assert len(scratch.load(trainer.state()).history) == 1
        assert [path.name for path in scratch.folder.iterdir()] == ["checkpoint.safetensors"]


def test_what_an_epoch_keeps_stays_when_the_run_is_done(settings, generated):
    trainer = make(settings(), generated)
    with Scratch("resnet8-0", FACTS) as scratch:
        scratch.save(trainer.state(), Progress([{"epoch": 1}]), keep=True)
        kept = scratch.folder / "epoch-001.safetensors"
        assert kept.read_bytes() == scratch.file.read_bytes()
        scratch.save(trainer.state(), Progress([{"epoch": 1}, {"epoch": 2}]))
        scratch.remove()
        assert [path.name for path in scratch.folder.iterdir()] == [kept.name]
        kept.unlink()
        scratch.remove()
        assert not scratch.folder.exists()


def test_files_of_one_name_in_two_rooms_count_apart():
    found = checkpoint.code()
    assert {"__init__.py", "training/__init__.py", "settings/__init__.py", "training/checkpoint.py"} <= set(found)
    assert found["training/__init__.py"] != found["settings/__init__.py"]


def begun(settings, generated, facts: dict) -> Scratch:
    """A scratch with a checkpoint of one epoch, made with `facts`."""
    with Scratch("resnet8-0", facts) as scratch:
        scratch.save(make(settings(), generated).state(), Progress([{"epoch": 1}]))
    return scratch


@pytest.mark.parametrize(
    ("changes", "words"),
    [
        ({"params": {"lr": 0.2}}, "does not fit: params.lr: 0.1 now, 0.2 then"),
        ({"torch": "2.10.0"}, "does not fit: torch: 2.11.0 now, 2.10.0 then"),
        ({"code": {"train.py": "0", "fit.py": "2"}}, "does not fit: edited code: fit.py"),
        ({"params": {"lr": 0.2}, "precision": "fp32"}, "params.lr: 0.1 now, 0.2 then; precision: bf16 now, fp32 then"),
    ],
)
def test_one_line_says_why_a_checkpoint_does_not_fit_and_it_is_kept(settings, generated, capsys, changes, words):
    earlier = begun(settings, generated, other(**changes))
    with Scratch("resnet8-0", FACTS) as scratch:
        scratch.compare()
        assert scratch.load(make(settings(), generated).state()) == Progress()
    said = capsys.readouterr().out
    assert said.startswith(f"resnet8-0 starts from epoch 1. The checkpoint {earlier.file}, after epoch 1, ")
    assert said.endswith(f"{words}. It is kept.\n")
    assert said.count("\n") == 1
    assert earlier.file.exists()


def test_a_checkpoint_of_an_earlier_version_is_told_as_such(settings, generated, capsys):
    earlier = begun(settings, generated, other())
    with safe_open(earlier.file, "pt") as file:
        tensors = {name: file.get_tensor(name) for name in file.keys()}  # noqa: SIM118 (not a mapping)
        save_file(tensors, earlier.file, {key: value for key, value in file.metadata().items() if key != "facts"})
    with Scratch("resnet8-0", FACTS) as scratch:
        scratch.compare()
    assert "after epoch 1, is of an earlier version of the code. It is kept." in capsys.readouterr().out


@pytest.mark.parametrize("changes", [{"precision": "fp32"}, {"capability": "AVX2"}, {"hardware": "M", "torch": "3"}])
def test_on_a_machine_of_another_kind_a_begun_run_does_not_start_by_itself(settings, generated, changes):
    """Nor if a variation of it was begun later."""
    earlier = begun(settings, generated, other(**changes))
    begun(settings, generated, other(params={"epochs": 1}))
    key = next(iter(changes))
    with Scratch("resnet8-0", FACTS) as scratch:
        with pytest.raises(
            StageError, match=rf"another kind of machine .* does not go on by itself .*{key}: .* move that file away"
        ):
            scratch.compare()
        earlier.file.unlink()
        scratch.compare()


def test_a_checkpoint_that_fits_and_those_of_other_runs_are_no_matter(settings, generated, capsys):
    begun(settings, generated, other(precision="fp32"))
    begun(settings, generated, FACTS)
    for name in ("resnet8-0", "resnet8-1"):
        with Scratch(name, FACTS) as scratch:
            scratch.compare()
    assert capsys.readouterr().out == ""


def test_a_fingerprint_is_of_content_not_of_order():
    assert checkpoint.fingerprint({"a": 1, "b": 2}) == checkpoint.fingerprint({"b": 2, "a": 1})
    assert checkpoint.fingerprint({"a": 1}) != checkpoint.fingerprint({"a": 2})


def test_code_is_told_by_its_path_in_the_package_not_by_its_name(tmp_path):
    """Two files of one name, and a folder without an __init__.py, in three processes of their own."""
    package = tmp_path / "pipeline"
    for name in ("one/__init__.py", "two/__init__.py", "open/part.py"):
        (package / name).parent.mkdir(parents=True)
        (package / name).write_text(f"# {name}")
    (package / "training").mkdir()
    for name in ("__init__.py", "training/checkpoint.py", "stage.py"):
        shutil.copy(ROOT / "pipeline" / name, package / name)
    program = "import json, pipeline.one, pipeline.two, pipeline.open.part, pipeline.training.checkpoint as c; "
    program += "print(json.dumps(c.code()))"
    said = {subprocess.check_output([sys.executable, "-c", program], cwd=tmp_path) for _ in range(3)}
    assert len(said) == 1
    hashes = json.loads(said.pop())
    assert list(hashes) == [
        "__init__.py",
        "one/__init__.py",
        "open/part.py",
        "stage.py",
        "training/checkpoint.py",
        "two/__init__.py",
    ]
    assert hashes["one/__init__.py"] == hashlib.sha256(b"# one/__init__.py").hexdigest()
