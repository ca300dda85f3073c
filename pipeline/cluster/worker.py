"""What happens on a node: a stage runs in a folder of its own, and its checkpoints are sent on as they come.

This module travels to the nodes, which have the requirements but not the repository. So it imports nothing of ours.
"""

import csv
import ctypes
import fcntl
import io
import json
import os
import shlex
import shutil
import signal
import subprocess
import sys
import tempfile
import time
import zipfile
from collections.abc import Iterable, Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Any, NamedTuple

CHECKPOINT = "checkpoint.safetensors"
PATIENCE = 0.5  # seconds between looks at a run's folder
TAIL = 20_000  # characters of its output
PREFIX = f"grid-{os.getuid()}-"  # of the folders on a node
SHORT = 25  # characters that the path of the folder for temporary files may have: Ray's sockets have at most 107
KIND = """
import json
import pipeline.train
from pipeline.compute import device
from pipeline.settings import params
settings = params.load()
print(json.dumps(device.deciding(device.prepare(settings, settings.precision), settings.processes)))
"""


class Task(NamedTuple):
    """A stage to run: its run's name, its command, the folder for that, and what it writes, from the top."""

    name: str
    command: str
    folder: str
    outputs: tuple[str, ...]


class Outcome(NamedTuple):
    """How a stage ended: exit code, the end of what it said, its outputs as a zip archive, and finished checkpoints."""

    code: int
    said: str
    files: bytes
    finished: tuple[str, ...]


class News(NamedTuple):
    """How far a run has come: epochs, the test error after them in percent, seconds an epoch if known, and the node."""

    epoch: int
    test_error: float
    seconds: float | None
    node: str


def run(task: Task, code: bytes, data: bytes, keeper: Any) -> Outcome:
    """Run the stage from its newest checkpoint to its end; `keeper` is an actor of Keeper."""
    import ray

    with workplace() as top:
        for content in (code, data):
            unpack(content, top)
        sent = {}
        for path, content in ray.get(keeper.checkpoints.remote(task.name)).items():
            (top / path).parent.mkdir(parents=True, exist_ok=True)
            (top / path).write_bytes(content)
            sent[path] = (top / path).stat().st_mtime_ns
        with (top / "output").open("w+b") as output:
            process = start([*words(task)], top / task.folder, environment(task, top), output)
            try:
                watch(process, task, top, keeper, sent)
            finally:
                end(process)
            output.seek(0)
            said = output.read().decode(errors="replace")[-TAIL:]
        if process.returncode:
            return Outcome(process.returncode, said, b"", ())
        results = [top / path for path in task.outputs if (top / path).exists()]
        logged = [path for path in top.glob(f".scratch/{task.name}-*/*") if path.suffix != ".safetensors"]
        finished = tuple(path for path in sent if not (top / path).exists())
        return Outcome(0, said, pack(top, results + logged), finished)


def kind(code: bytes) -> str:
    """What of this node decides the bits of a result, as JSON; what its Python says if it cannot train."""
    with workplace() as top:
        unpack(code, top)
        done = subprocess.run([sys.executable, "-c", KIND], cwd=top, capture_output=True, text=True)
        if done.returncode == 0:
            return done.stdout.splitlines()[-1]
        said = done.stderr.strip() or f"its Python ended with exit code {done.returncode}"
        return json.dumps({"error": said.splitlines()[-1]})


def words(task: Task) -> list[str]:
    """The command of a stage, for this Python, without the variables before it."""
    command = [word for word in shlex.split(task.command) if not is_variable(word)]
    return [sys.executable, *command[1:]]


def environment(task: Task, top: Path) -> dict[str, str]:
    """The environment of a stage: this one, the variables before its command, and not the threads that Ray sets."""
    variables = dict(word.split("=", 1) for word in shlex.split(task.command) if is_variable(word))
    kept = {key: value for key, value in os.environ.items() if key != "OMP_NUM_THREADS"}
    return kept | variables | {"DVC_ROOT": os.path.relpath(top, top / task.folder)}  # messages name it


def is_variable(word: str) -> bool:
    """Whether a word of a command is PYTHONPATH=../.. or the like."""
    name, equals, _ = word.partition("=")
    return bool(equals) and name.isidentifier()


def start(command: list[str], folder: Path, environment: dict[str, str], output: Any) -> subprocess.Popen[bytes]:
    """A process that dies with this one, however that may end."""
    prctl = getattr(ctypes.CDLL(None), "prctl", None)  # Linux has it

    def die_with_parent() -> None:
        if prctl:
            prctl(1, signal.SIGKILL)  # PR_SET_PDEATHSIG

    return subprocess.Popen(
        command, cwd=folder, env=environment, stdin=subprocess.DEVNULL, stdout=output, stderr=subprocess.STDOUT,
        start_new_session=True, preexec_fn=die_with_parent,
    )  # fmt: skip


def end(process: subprocess.Popen[bytes]) -> None:
    """End what is left of a process and its children."""
    with suppress(ProcessLookupError):
        os.killpg(process.pid, signal.SIGKILL)
    process.wait()


def watch(process: subprocess.Popen[bytes], task: Task, top: Path, keeper: Any, sent: dict[str, int]) -> None:
    """Send each new checkpoint of the stage, and how far it has come, until it ends; `sent` says when each was made."""
    import ray

    node = f"{os.uname().nodename} ({ray.get_runtime_context().get_node_id()[:4]})"
    clock, epoch = 0.0, 0
    ended = False
    while not ended:
        time.sleep(PATIENCE)
        ended = process.poll() is not None  # what it has written just before is looked at, too
        for path, changed, content in changes(top, task.name, sent):
            ray.get(keeper.keep.remote(path, content))
            sent[path] = changed
        for path in top.glob(f".scratch/{task.name}-*/history.csv"):
            rows = list(csv.DictReader(path.read_text().splitlines()))
            if rows and int(rows[-1]["epoch"]) > epoch:
                before, clock, earlier = clock, time.monotonic(), epoch
                epoch = int(rows[-1]["epoch"])
                seconds = (clock - before) / (epoch - earlier) if earlier else None
                keeper.tell.remote(task.name, News(epoch, float(rows[-1]["test_error"]), seconds, node))


def changes(top: Path, name: str, sent: dict[str, int]) -> Iterator[tuple[str, int, bytes]]:
    """The checkpoints of run `name` that are not the `sent` ones: path from the top, time of change, content."""
    for path in top.glob(f".scratch/{name}-*/*.safetensors"):
        with suppress(FileNotFoundError):  # the run has just ended
            changed, key = path.stat().st_mtime_ns, str(path.relative_to(top))
            if sent.get(key) != changed:
                yield key, changed, path.read_bytes()


class Keeper:
    """An actor beside the driver, in whose scratch all checkpoints lie: no death of a node or driver loses one."""

    def __init__(self, top: str) -> None:
        self.top, self.news = Path(top), {}

    def checkpoints(self, name: str) -> dict[str, bytes]:
        """The newest checkpoints of run `name`, by path from the top; the run takes up the one that fits."""
        paths = self.top.glob(f".scratch/{name}-*/{CHECKPOINT}")
        return {str(path.relative_to(self.top)): path.read_bytes() for path in paths}

    def keep(self, path: str, content: bytes) -> None:
        """Put a checkpoint in place of an older one, whole. Raises OSError if it cannot."""
        target = self.top / path
        target.parent.mkdir(parents=True, exist_ok=True)
        temporary = target.with_name(f".{target.name}.tmp")
        try:
            with temporary.open("wb") as file:
                file.write(content)
                file.flush()
                os.fsync(file.fileno())
            temporary.replace(target)
        finally:
            temporary.unlink(missing_ok=True)

    def tell(self, name: str, news: News) -> None:
        """How far run `name` has come."""
        self.news[name] = tuple(news)

    def progress(self) -> dict[str, tuple[Any, ...]]:
        """The last News of each run, as tuples."""
        return self.news


@contextmanager
def workplace() -> Iterator[Path]:
    """A new folder, removed in the end, as are those that killed processes left: each is locked while it is used."""
    top = tempfile.gettempdir()
    top = top if len(top) < SHORT else "/tmp"
    for folder in Path(top).glob(f"{PREFIX}*/"):
        with suppress(OSError), locked(folder.with_suffix(".lock")):
            shutil.rmtree(folder)
    handle, name = tempfile.mkstemp(".lock", PREFIX, top)
    os.close(handle)
    lock = Path(name)
    with locked(lock):
        folder = lock.with_suffix("")
        folder.mkdir(mode=0o700)
        try:
            yield folder
        finally:
            shutil.rmtree(folder, ignore_errors=True)


@contextmanager
def locked(path: Path) -> Iterator[None]:
    """Hold a lock file, removed in the end. Raises OSError if another process has it."""
    with path.open("w") as file:
        fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
        try:
            yield
        finally:
            path.unlink(missing_ok=True)


def pack(top: Path, paths: Iterable[Path]) -> bytes:
    """Files, and those of folders, below `top` as a zip archive."""
    content = io.BytesIO()
    with zipfile.ZipFile(content, "w", strict_timestamps=False) as archive:  # what DVC linked to its cache is followed
        for path in paths:
            for file in sorted(path.rglob("*")) if path.is_dir() else [path]:
                archive.write(file, file.relative_to(top))
    return content.getvalue()


def unpack(content: bytes, folder: Path) -> None:
    """Put what `pack` packed below `folder`; nothing can get outside of it."""
    with zipfile.ZipFile(io.BytesIO(content)) as archive:
        archive.extractall(folder)
