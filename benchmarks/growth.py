"""How time and memory grow with epochs, depth and seeds.

    python -m benchmarks.growth                     # 11 minutes on two cores

Against epochs and depth: stage train, --train-size generated images an epoch and a test pass over 10,000. Against
seeds: the whole pipeline of one network of --layers on the synthetic set, one epoch; one run at a time with two
threads, and two at once with one each. Medians of --rounds. Writes growth.csv and growth.svg.
"""

import argparse
import statistics
import sys
import tempfile
from pathlib import Path

import matplotlib.pyplot as plt
import numpy as np
import pandas as pd
from matplotlib.figure import Figure

from benchmarks import common
from pipeline import stage
from pipeline.compute import device
from pipeline.reporting import figures
from pipeline.settings import params

EPOCHS, DEPTHS, SEEDS = (1, 2, 4), (20, 32, 44, 56, 110), (1, 2, 4)
ONE, TWO = "seeds, one at a time", "seeds, two at once"


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--train-size", type=int, default=2_560, help="images of an epoch")
    parser.add_argument("--rounds", type=int, default=2, help="of each point")
    parser.add_argument("--layers", type=int, default=20, help="of the network, but against depth")
    parser.add_argument("--most", type=int, default=110, help="leave out more epochs, layers and seeds than this")
    parser.add_argument("--folder", type=Path, default=common.FOLDER, help="where table and figure go")
    args = parser.parse_args()
    points = [("epochs", n) for n in EPOCHS] + [("depth", n) for n in DEPTHS]
    points += [(against, n) for n in SEEDS for against in (ONE, TWO)]
    rows = []
    for against, value in points:
        if value <= args.most:
            costs = [measure(against, value, args.train_size, args.layers) for _ in range(args.rounds)]
            seconds = [cost.seconds for cost in costs]
            row = {"against": against, "value": value, "seconds": statistics.median(seconds)}
            row |= {"lowest": min(seconds), "highest": max(seconds)}
            rows.append(row | {"memory, MB": statistics.median(cost.memory for cost in costs)})
            print(rows[-1], flush=True)
    table = (
        pd.DataFrame(rows)
        .sort_values(["against", "value"])
        .round({"seconds": 1, "lowest": 1, "highest": 1, "memory, MB": 0})
    )
    with (args.folder / "growth.svg").open("w") as file:
        figure(table).savefig(file, format="svg", metadata={"Date": None})
    machine = common.machine(device.prepare(params.load(common.ROOT / "params.yaml"), "auto"))
    sizes = (
        f"Against epochs and depth: {args.train_size:,} training images an epoch and 10,000 test images; against "
        f"seeds: 2,000 and 1,000, and the whole pipeline. Medians of {args.rounds}; memory of the largest process"
    )
    common.publish("growth", table, f"{machine}. {sizes}. {sentence(table)}", args.folder)


def measure(against: str, value: int, train_size: int, layers: int) -> common.Cost:
    """The cost of one point in a new folder: one epoch, one seed, so many layers, unless `against` says otherwise."""
    arch = {"resnet": {"depth": value if against == "depth" else layers, "shortcut": "projection"}}
    changes = {"arch": arch, "variants": ["resnet"], "epochs": value if against == "epochs" else 1}
    with tempfile.TemporaryDirectory() as temporary:
        folder = Path(temporary)
        if against in (ONE, TWO):
            changes |= {"dataset": "synthetic", "train_size": 2_000, "seeds": list(range(value))}
            common.workspace(folder, **changes, threads=1 if against == TWO else 2)
            driver = f"{sys.executable} -m pipeline.cluster.driver --jobs 2 && " if against == TWO else ""
            pipeline = f"rm -rf reports/runs dvc.lock && {driver}{sys.executable} -m dvc repro"
            return common.run(["bash", "-c", pipeline], folder)
        common.workspace(folder, **changes, train_size=train_size)
        common.write_data(folder / "data/cifar10")
        return common.run(common.module("train", "resnet", 0), folder)


def figure(table: pd.DataFrame) -> Figure:
    """Seconds above, megabytes below, a column for epochs, depth and seeds."""
    figures.style()
    canvas, axes = plt.subplots(2, 3, figsize=(9, 5), sharex="col", layout="constrained")
    for column, (label, names) in zip(
        axes.T, (("epochs", ["epochs"]), ("layers", ["depth"]), ("seeds", [ONE, TWO])), strict=True
    ):
        for name, marker in zip(names, "os", strict=False):
            rows = table[table["against"] == name]
            if rows.empty:
                continue
            for axis, key in zip(column, ("seconds", "memory, MB"), strict=True):
                axis.plot(rows["value"], rows[key], marker=marker, label=name.removeprefix("seeds, "))
                axis.set(ylim=(0, 1.1 * table.loc[table["against"].isin(names), key].max()), ylabel=key)
                axis.set_xlim(0, 1.05 * rows["value"].max())
        column[1].set_xlabel(label)
    axes[0, 2].legend(frameon=False)
    return canvas


def sentence(table: pd.DataFrame) -> str:
    """What the lines through the points say: seconds an epoch and a layer more, and a start."""
    said = []
    for against, unit in (
        ("epochs", "an epoch"),
        ("depth", "a layer"),
        (ONE, "a seed"),
        (TWO, "a seed with two at once"),
    ):
        rows = table[table["against"] == against]
        if len(rows) > 1:
            slope, start = np.polyfit(rows["value"], rows["seconds"], 1)
            said.append(f"{slope:.2f} s {unit} (from {start:.1f} s at none)")
    return f"Straight lines through the points: {', '.join(said)}."


if __name__ == "__main__":
    stage.run(main)
