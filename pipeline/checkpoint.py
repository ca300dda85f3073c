"""Where an interrupted training run goes on from.

A checkpoint is one safetensors file in a scratch folder, `$DVC_ROOT/.scratch/<variant>-<seed>-<fingerprint>/`: DVC
sets DVC_ROOT to the repository's top in repro, exp run and exp run --temp alike. The fingerprint covers all that the
result depends on, so a checkpoint can never be taken up by a run with other parameters, code or data. The folder goes
when the run has written its results.
"""

import hashlib
import json
import os
import shutil
import sys
from collections.abc import Mapping
from contextlib import ExitStack
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from filelock import FileLock, Timeout
from safetensors import SafetensorError, safe_open
from safetensors.torch import save
from torch import Tensor

from pipeline.stage import StageError, write


@dataclass
class Progress:
    """What is known after some epochs: a row of history.csv each, and a record of every session that trained them."""

    history: list[dict[str, float]] = field(default_factory=list)
    sessions: list[dict[str, Any]] = field(default_factory=list)


def fingerprint(facts: Mapping[str, Any]) -> str:
    """12 hex digits over `facts` and the source of every module of this package that is loaded."""
    digest = hashlib.sha256(json.dumps(facts, sort_keys=True).encode())
    loaded = {module.__file__ for name, module in sys.modules.items() if name.startswith("pipeline.")}
    main = getattr(sys.modules["__main__"], "__file__", None)
    for file in sorted(loaded | {main} - {None}, key=lambda path: Path(path).name):
        digest.update(Path(file).read_bytes())
    return digest.hexdigest()[:12]


class Scratch:
    """The scratch of run `name`, held by one process at a time.

    Two locks, since a killed dvc can leave its training process behind: nobody else may use the checkpoint, from any
    folder, nor write this folder's outputs of the run, with any parameters. Entering raises StageError if one is held.
    """

    def __init__(self, name: str, mark: str) -> None:
        self.name = name
        self.folder = Path(os.environ.get("DVC_ROOT", ".")) / ".scratch" / f"{name}-{mark}"
        self.file = self.folder / "checkpoint.safetensors"
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

    def save(self, state: Mapping[str, Tensor], progress: Progress) -> None:
        """Replace the checkpoint by one of `state`; raises OSError, and keeps the old one, if it cannot."""
        metadata = {"history": json.dumps(progress.history), "sessions": json.dumps(progress.sessions)}
        write(self.file, save({name: tensor.cpu().contiguous() for name, tensor in state.items()}, metadata))

    def load(self, state: Mapping[str, Tensor]) -> Progress:
        """Fill the tensors of `state` from the checkpoint, if there is one, and say how far it had come.

        Raises StageError if the file is damaged.
        """
        if not self.file.exists():
            return Progress()
        try:
            with safe_open(self.file, "pt") as file:
                for name, tensor in state.items():
                    tensor.copy_(file.get_tensor(name))
                metadata = file.metadata()
        except SafetensorError as error:
            raise StageError(
                f"{self.file} is damaged ({error}): remove it to train {self.name} from the start"
            ) from None
        return Progress(json.loads(metadata["history"]), json.loads(metadata["sessions"]))

    def remove(self) -> None:
        """Drop the checkpoint: the run is done."""
        shutil.rmtree(self.folder)
