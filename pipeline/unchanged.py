"""Does an edit change what training gives? Train with the code of another commit and with this, and compare the bits.

    python -m pipeline.unchanged main

Every variant of params.yaml is trained for two short epochs, an incomplete batch in each, on the same generated data.
Equal weights and histories are the ground on which `dvc commit -f train` may record the results that there are for the
edited code. What acts only on other data, other parameters or a later epoch is not seen: that is the author's to judge.
Two minutes for 20 and 56 layers on two cores.
"""

import argparse
import os
import subprocess
import sys
import tarfile
import tempfile
from io import BytesIO
from pathlib import Path

import numpy as np
from ruamel.yaml import YAML
from safetensors import safe_open

from pipeline import stage, synthetic
from pipeline.stage import StageError

ROOT = Path(__file__).resolve().parent.parent
SHORT = {"dataset": "synthetic", "train_size": 1100, "epochs": 2, "seeds": [0]}


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("base", help="a commit, branch or tag to compare the working tree with")
    base = parser.parse_args().base
    with tempfile.TemporaryDirectory() as temporary:
        before, data = Path(temporary) / "code", Path(temporary) / "data"
        unpack(base, before)
        synthetic.write_set(data)
        here, there = variants(ROOT), variants(before)
        for variant in (variant for variant in here if variant not in there):
            print(f"{variant} is new: {base} has no variant of that name")
        changed = []
        for variant in (variant for variant in here if variant in there):
            ours, theirs = (
                train(code, data, Path(temporary) / f"{variant}-{i}", variant) for i, code in enumerate((ROOT, before))
            )
            reason = difference(ours, theirs)
            print(f"{variant}: {reason or 'the same bits'}", flush=True)
            changed += [variant] * bool(reason)
    if changed:
        raise StageError(f"the working tree trains {', '.join(changed)} to other results than {base}: train anew")
    print(f"The working tree trains to the same bits as {base}: `dvc commit -f train` may record it.")


def unpack(base: str, folder: Path) -> None:
    """The files of commit `base`, in `folder`. Raises StageError if git does not know it."""
    done = subprocess.run(["git", "archive", base], cwd=ROOT, capture_output=True)
    if done.returncode:
        raise StageError(f"BASE is {base}, and git says: {done.stderr.decode().strip()}")
    with tarfile.open(fileobj=BytesIO(done.stdout)) as archive:
        archive.extractall(folder, filter="data")


def variants(code: Path) -> list[str]:
    """The variants that the params.yaml of `code` trains."""
    return YAML(typ="safe", pure=True).load(code / "params.yaml")["variants"]


def train(code: Path, data: Path, folder: Path, variant: str) -> Path:
    """Train `variant` with the code and parameters in `code`, shortened; the folder with weights and history.

    Raises StageError with what training said if it fails.
    """
    content = YAML(typ="safe", pure=True).load(code / "params.yaml")
    (folder / "data").mkdir(parents=True)
    (folder / "data/cifar10").symlink_to(data)
    fitted = {"val_size": min(content["val_size"], 100), "warmup_epochs": min(content["warmup_epochs"], 1)}
    YAML().dump(content | SHORT | fitted, folder / "params.yaml")
    command = [sys.executable, "-m", "pipeline.train", variant, "0"]
    environment = os.environ | {"PYTHONPATH": str(code), "DVC_ROOT": str(folder)}
    done = subprocess.run(command, cwd=folder, env=environment, capture_output=True, text=True)
    if done.returncode:
        raise StageError(f"training {variant} with the code in {code} failed: {done.stderr.strip()[-500:]}")
    return folder / "data/models" / f"{variant}-0"


def difference(ours: Path, theirs: Path) -> str:
    """What differs between two trained models, in words; empty if nothing does."""
    one, other = (tensors(model / "weights.safetensors") for model in (ours, theirs))
    if {name: array.shape for name, array in one.items()} != {name: array.shape for name, array in other.items()}:
        return "weights of other names or shapes"
    unequal = [name for name, array in one.items() if array.tobytes() != other[name].tobytes()]
    if unequal:
        gap = max(np.abs(one[name] - other[name]).max() for name in unequal)
        return f"{len(unequal)} of {len(one)} weight tensors differ, by {gap:.3g} at most; the first is {unequal[0]}"
    same = (ours / "history.csv").read_bytes() == (theirs / "history.csv").read_bytes()
    return "" if same else "the same weights, but another history.csv"


def tensors(path: Path) -> dict[str, np.ndarray]:
    with safe_open(path, "np") as file:
        return {name: file.get_tensor(name) for name in file.keys()}  # noqa: SIM118 (not a mapping)


if __name__ == "__main__":
    stage.run(main)
