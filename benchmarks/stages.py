"""What each stage costs, and a `dvc repro` that has nothing to do.

    python -m benchmarks.stages                     # the workspace must be up to date

Stages run in a copy of the workspace, train, evaluate and probe on generated data of CIFAR-10's size, one epoch of
50,000 images. "Start" is until train says what it is about to do, or until a stage's modules are imported.
"""

import argparse
import re
import statistics
import subprocess
import sys
import tempfile
from pathlib import Path

import pandas as pd

from benchmarks import common
from pipeline import stage
from pipeline.compute import device
from pipeline.settings import params
from pipeline.stage import StageError

TABLES = ("aggregate", "report")
DVC = [sys.executable, "-m", "dvc", "repro"]


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--networks", nargs="+", default=["resnet20", "resnet56"], help="names under arch")
    parser.add_argument("--train-size", type=int, default=50_000, help="images of the epoch")
    parser.add_argument("--rounds", type=int, default=5, help="of everything but training")
    parser.add_argument("--source", help="where CIFAR-10 is, to time its download as well (see data/README.md)")
    parser.add_argument("--folder", type=Path, default=common.FOLDER, help="where the table goes")
    args = parser.parse_args()
    with tempfile.TemporaryDirectory() as copy, tempfile.TemporaryDirectory() as changed:
        folder = common.workspace(Path(copy))
        rows = [row(name, [common.run(common.module(name), folder) for _ in range(args.rounds)]) for name in TABLES]
        folder = common.workspace(Path(changed), epochs=1, train_size=args.train_size)
        common.write_data(folder / "data/cifar10")
        if args.source:
            fetched = [
                common.run(common.module("download"), folder, CIFAR10_SOURCE=args.source) for _ in range(args.rounds)
            ]
            rows.append(row("download, from a folder", fetched))
        for name in args.networks:
            untrained = [common.run(common.module("initial", name), folder) for _ in range(args.rounds)]
            rows.append(row(f"initial {name}", untrained))
            trained = common.run(common.module("train", name, 0), folder)
            rows.append(row(f"train {name}, one epoch", [trained], trained.first))
            for reader in ("evaluate", "probe"):
                costs = [common.run(common.module(reader, name, 0), folder) for _ in range(args.rounds)]
                rows.append(row(f"{reader} {name}", costs))
    rows.append(row("dvc repro, nothing to do", nothing_to_do(args.rounds)))
    machine = common.machine(device.prepare(params.load(common.ROOT / "params.yaml"), "auto"))
    note = f"{machine}. Medians of {args.rounds}, but training once. Memory is the process's largest resident set."
    common.publish("stages", pd.DataFrame(rows), note, args.folder)


def row(name: str, costs: list[common.Cost], start: float | None = None) -> dict[str, str]:
    """A line of the table: medians; without `start` the time that the imports of the stage take."""
    middle = common.Cost(*(statistics.median(values) for values in zip(*costs, strict=True)))
    module = re.match(r"\w+", name).group()
    if start is None and module != "dvc":
        command = [sys.executable, "-c", f"import pipeline.{module}"]
        start = statistics.median(common.run(command, common.ROOT).seconds for _ in costs)
    return {
        "what": name,
        "seconds": f"{middle.seconds:.1f}",
        "start, s": f"{start:.1f}" if start else "",
        "memory, MB": f"{middle.memory:,.0f}",
    }


def nothing_to_do(rounds: int) -> list[common.Cost]:
    """`dvc repro` in the workspace. Raises StageError if it has something to do."""
    said = subprocess.run([*DVC, "--dry"], cwd=common.ROOT, capture_output=True, text=True).stdout
    if "up to date" not in said:
        raise StageError("the workspace is not up to date: `dvc repro` first")
    return [common.run(DVC, common.ROOT) for _ in range(rounds)]


if __name__ == "__main__":
    stage.run(main)
