"""Does an edit change what training gives? Train with the code of another commit and with this, and compare the bits.

    python -m pipeline.tools.same_bits main

Every variant of params.yaml, and of those under studies/, is trained for two short epochs, an incomplete batch in each,
on the same generated data, and from the same random weights where it starts from any. Equal weights and histories are
the ground on which `dvc commit -f` may record the results that there are for the edited code. What acts only on other
data, other parameters or a later epoch is not seen: that is the author's to judge. 26 minutes in
fp32 on two AMD EPYC cores, with other training beside.
"""

import argparse
import os
import subprocess
import sys
import tarfile
import tempfile
from io import BytesIO
from pathlib import Path
from typing import Any

import numpy as np
from ruamel.yaml import YAML
from safetensors import safe_open

from pipeline import stage
from pipeline.acquire import synthetic
from pipeline.networks.network import build
from pipeline.networks.weights import save_weights, without_classifier
from pipeline.settings import params
from pipeline.settings.architecture import Arch
from pipeline.settings.datasets import DATASETS
from pipeline.stage import StageError

SHORT = {"epochs": 2, "seeds": [0]}
SIZES = {"synthetic": 1100, "synthetic_cifar100": 1100, "synthetic_flowers17": 1000}  # images to train on


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("base", help="a commit, branch or tag to compare the working tree with")
    base = parser.parse_args().base
    with tempfile.TemporaryDirectory() as temporary:
        before = Path(temporary) / "code"
        unpack(base, before)
        changed = []
        for path in grids(stage.TOP):
            changed += compare(path, before, Path(temporary) / path.parent, base)
    if changed:
        raise StageError(f"the working tree trains {', '.join(changed)} to other results than {base}: train anew")
    print(f"The working tree trains to the same bits as {base}: `dvc commit -f train` may record it.")


def grids(code: Path) -> list[Path]:
    """The params.yaml of the main study and of the others, in `code`."""
    return [Path("params.yaml"), *(path.relative_to(code) for path in sorted(code.glob("studies/*/params.yaml")))]


def compare(path: Path, before: Path, folder: Path, base: str) -> list[str]:
    """Train the variants of the params.yaml at `path` with the code of both; those that come out otherwise."""
    here, there = read(stage.TOP / path), read(before / path)
    data, generated = folder / "generated", stand_in(here["dataset"])
    if DATASETS[generated].split_by_seed:
        synthetic.write_flowers(data, here["image_size"])
    else:
        synthetic.write_set(data, DATASETS[generated])
    changed = []
    for variant in here["variants"]:
        name = variant if path.parent == Path() else f"{path.parent.name}/{variant}"
        if variant not in there.get("variants", ()):
            print(f"{name} is new: {base} has no variant of that name")
            continue
        start = folder / "starts" / variant
        write_start(params.parse(here).network(variant), start)
        ours, theirs = (
            train(code, content, variant, data, start, folder / f"{variant}-{i}")
            for i, (code, content) in enumerate(((stage.TOP, here), (before, there)))
        )
        reason = difference(ours, theirs)
        print(f"{name}: {reason or 'the same bits'}", flush=True)
        changed += [name] * bool(reason)
    return changed


def stand_in(dataset: str) -> str:
    """The generated data set of the same form."""
    return next(name for name in SIZES if DATASETS[name].files == DATASETS[dataset].files)


def unpack(base: str, folder: Path) -> None:
    """The files of commit `base`, in `folder`. Raises StageError if git does not know it."""
    done = subprocess.run(["git", "archive", base], cwd=stage.TOP, capture_output=True)
    if done.returncode:
        raise StageError(f"BASE is {base}, and git says: {done.stderr.decode().strip()}")
    with tarfile.open(fileobj=BytesIO(done.stdout)) as archive:
        archive.extraction_filter = getattr(tarfile, "data_filter", None)  # from Python 3.11.4 on
        archive.extractall(folder)


def read(path: Path) -> dict[str, Any]:
    """The content of a params.yaml; nothing if it is not there."""
    return YAML(typ="safe", pure=True).load(path) if path.exists() else {}


def write_start(arch: Arch, folder: Path) -> None:
    """Random weights, in place of those that a variant starts from."""
    if arch.start != "random":
        tensors = without_classifier(build(arch, seed=1).state_dict())
        save_weights(tensors, folder / stage.WEIGHTS, [0.5] * 3, [0.25] * 3)


def train(code: Path, content: dict[str, Any], variant: str, data: Path, start: Path, folder: Path) -> Path:
    """Train `variant` with `code` and the parameters `content`, shortened; the folder with weights and history.

    Raises StageError with what training said if it fails.
    """
    (folder / stage.STARTS).mkdir(parents=True)
    (folder / stage.DATA).symlink_to(data)
    if start.exists():
        (folder / stage.STARTS / variant).symlink_to(start)
    fitted = {"val_size": min(content["val_size"], 50), "warmup_epochs": min(content["warmup_epochs"], 1)}
    generated = stand_in(content["dataset"])
    small = {"dataset": generated, "train_size": SIZES[generated]}
    YAML().dump(content | SHORT | small | fitted, folder / "params.yaml")
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
