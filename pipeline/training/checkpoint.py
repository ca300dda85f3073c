"""Where an interrupted training run goes on from.

A checkpoint is one safetensors file in a scratch folder, `$DVC_ROOT/.scratch/<variant>-<seed>-<fingerprint>/`: DVC
sets DVC_ROOT to the repository's top in repro, exp run and exp run --temp. The fingerprint covers all that
decides the result's bits (`facts`, in train.py), so that a checkpoint can never be taken up by a run with other
parameters, code or data, or on hardware of another kind. The checkpoint is removed when the run has written its
results. Those of some epochs stay beside it, to look into a network as it learns, until they are removed by hand.
"""

import hashlib
import json
import os
import sys
from collections.abc import Iterator, Mapping
from contextlib import ExitStack, contextmanager, suppress
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from filelock import FileLock, Timeout
from safetensors import SafetensorError, safe_open
from safetensors.torch import save
from torch import Tensor

from pipeline.stage import PACKAGE, StageError, write


@dataclass
class Progress:
    """What is known after some epochs: a row of history.csv each, and a record of every session that trained them."""

    history: list[dict[str, float]] = field(default_factory=list)
    sessions: list[dict[str, Any]] = field(default_factory=list)


CHECKPOINT = "checkpoint.safetensors"
MACHINE = ("precision", "hardware", "capability")  # facts that nobody chose


def code() -> dict[str, str]:
    """The sha256 of the source of every module of this package that is loaded, by its path in the package."""
    loaded = [getattr(module, "__file__", None) for module in list(sys.modules.values())]
    paths = {Path(file).resolve() for file in loaded if file}
    return {
        str(path.relative_to(PACKAGE)): hashlib.sha256(path.read_bytes()).hexdigest()
        for path in sorted(paths)
        if path.is_relative_to(PACKAGE)
    }


def fingerprint(facts: Mapping[str, Any]) -> str:
    """12 hex digits over `facts`, which JSON can hold."""
    return hashlib.sha256(json.dumps(facts, sort_keys=True).encode()).hexdigest()[:12]


def differing(facts: Mapping[str, Any], others: Mapping[str, Any], prefix: str = "") -> dict[str, str]:
    """What differs between two nested mappings: by dotted key "a now, b then"."""
    found = {}
    for key in sorted({*facts, *others}):
        one, other = facts.get(key), others.get(key)
        if isinstance(one, dict) and isinstance(other, dict):
            found |= differing(one, other, f"{prefix}{key}.")
        elif one != other:
            found[f"{prefix}{key}"] = f"{one} now, {other} then"
    return found


class Scratch:
    """The scratch of run `name`, whose bits `facts` decide, held by one process at a time.

    Two locks, since a killed dvc can leave its training process behind: nobody else may use the checkpoint, from any
    folder, nor write this folder's outputs of the run, with any parameters. Entering raises StageError if one is held.
    """

    def __init__(self, name: str, facts: Mapping[str, Any]) -> None:
        self.name, self.facts = name, facts
        self.folder = Path(os.environ.get("DVC_ROOT", ".")) / ".scratch" / f"{name}-{fingerprint(facts)}"
        self.file = self.folder / CHECKPOINT
        self._held = ExitStack()

    def __enter__(self) -> "Scratch":
        outputs = Path(".scratch") / f"{self.name}.lock"
        for folder in (self.folder, outputs.parent):
            folder.mkdir(parents=True, exist_ok=True)
        try:
            for path in (outputs, self.folder.with_suffix(".lock")):
                self._held.enter_context(FileLock(path, timeout=0))
        except Timeout:
            self._held.close()
            sentence = f"another process is training {self.name} already: wait for it, or stop it first"
            raise StageError(sentence) from None
        return self

    def __exit__(self, *_: object) -> None:
        self._held.close()

    def compare(self) -> None:
        """Say of the newest checkpoint of this run that does not fit what differs; it is kept. Nothing if one fits.

        Raises StageError if one is of the same parameters on a machine of another kind, or in another precision: that a
        long run begins again, to other bits, is for the user to decide.
        """
        if self.file.exists():
            return
        said = ""
        for path in sorted(self.folder.parent.glob(f"{self.name}-*/{CHECKPOINT}"), key=modified):
            with suppress(FileNotFoundError), opened(path, self.name) as file:  # its run may just have ended
                metadata = file.metadata()
                place = f"{path}, after epoch {len(json.loads(metadata['history']))},"
                if "facts" not in metadata:
                    said = f"{place} is of an earlier version of the code"
                    continue
                differs = differing(self.facts, json.loads(metadata["facts"]))
                edited = ", ".join(key.removeprefix("code.") for key in differs if key.startswith("code."))
                words = [f"{key}: {how}" for key, how in differs.items() if not key.startswith("code.")]
                said = f"{place} does not fit: " + "; ".join(words + [f"edited code: {edited}"] * bool(edited))
                chosen = any(key.startswith(("params.", "arch.")) for key in differs)
                if not chosen and any(key in differs for key in MACHINE):
                    raise StageError(
                        f"{self.name} was started on another kind of machine and would end with other bits here, so "
                        f"it does not go on by itself ({said}): move that file away to train from epoch 1"
                    )
        if said:
            print(f"{self.name} starts from epoch 1. The checkpoint {said}. It is kept.", flush=True)

    def save(self, state: Mapping[str, Tensor], progress: Progress, keep: bool = False) -> None:
        """Replace the checkpoint by one of `state`, and if `keep` write a copy named by its epoch that stays.

        Raises OSError, and keeps the old one, if it cannot.
        """
        metadata = {"history": json.dumps(progress.history), "sessions": json.dumps(progress.sessions)}
        metadata["facts"] = json.dumps(self.facts)
        content = save({name: tensor.cpu().contiguous() for name, tensor in state.items()}, metadata)
        if keep:
            write(self.folder / f"epoch-{len(progress.history):03}.safetensors", content)
        write(self.file, content)

    def load(self, state: Mapping[str, Tensor]) -> Progress:
        """Fill the tensors of `state` from the checkpoint, if there is one, and say how far it had come.

        Raises StageError if the file is damaged.
        """
        if not self.file.exists():
            return Progress()
        with opened(self.file, self.name) as file:
            for name, tensor in state.items():
                tensor.copy_(file.get_tensor(name))
            metadata = file.metadata()
        return Progress(json.loads(metadata["history"]), json.loads(metadata["sessions"]))

    def remove(self) -> None:
        """Drop the checkpoint, and the folder if no other is in it: the run is done."""
        self.file.unlink(missing_ok=True)
        with suppress(OSError):
            self.folder.rmdir()


def modified(path: Path) -> float:
    """When `path` was last written; 0 if it is not there any more."""
    try:
        return path.stat().st_mtime
    except FileNotFoundError:
        return 0.0


@contextmanager
def opened(path: Path, name: str) -> Iterator[Any]:
    """The checkpoint at `path` of run `name`. Raises StageError if it is damaged."""
    try:
        with safe_open(path, "pt") as file:
            yield file
    except SafetensorError as error:
        raise StageError(f"{path} is damaged ({error}): remove it to train {name} from the start") from None
