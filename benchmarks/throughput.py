"""Images a second of our loop, of the bare step, and of a conventional loop: all in one run, the same network.

    python -m benchmarks.throughput --compile           # 11 minutes on two cores
    python -m benchmarks.throughput --compile --device cuda --steps 391

Rounds of all loops, one after the other, so that a machine whose speed drifts does not favour one; ratios are taken
within a round. Medians and ranges over the rounds go to benchmarks/throughput.csv and the README.
"""

import argparse
import statistics
import time
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pandas as pd
import torch
import torch.nn.functional as F

from benchmarks import common
from benchmarks.conventional import AugmentedImages, Loop
from pipeline import stage, train
from pipeline.compute import device
from pipeline.compute.cuda_graph import capture
from pipeline.compute.device import Compute
from pipeline.compute.distributed import World
from pipeline.compute.inference import Inputs, Scorer
from pipeline.data import loading
from pipeline.data.loading import Images
from pipeline.networks.network import Network, build
from pipeline.settings import params
from pipeline.settings.params import Params

MEAN, STD = [0.49, 0.48, 0.45], [0.25, 0.24, 0.26]
TRAIN, TEST = 50_000, 10_000  # images

Round = Callable[[], None]  # a number of steps


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--networks", nargs="+", default=["resnet20", "resnet56"], help="names under arch")
    parser.add_argument("--steps", type=int, default=20, help="of a batch each, a round and a loop")
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--workers", type=int, nargs="+", default=[0, device.cores()], help="of the DataLoader")
    parser.add_argument("--device", default="auto")
    parser.add_argument("--compile", action="store_true", help="also the bare step under torch.compile")
    parser.add_argument("--folder", type=Path, default=common.FOLDER, help="where the table goes")
    args = parser.parse_args()
    settings = params.load(common.ROOT / "params.yaml").model_copy(update={"device": args.device})
    compute = device.prepare(settings, settings.precision)
    rows = []
    for name in args.networks:
        bench = Bench(settings, name, args.steps, compute)
        loops = bench.loops(args.workers, args.compile)
        rows += compare(bench, loops, args.rounds)
    note = (
        f"{common.machine(compute)}. {args.rounds} rounds of {args.steps} steps of {settings.batch_size} images each. "
        "Medians, with the lowest and highest in brackets."
    )
    common.publish("throughput", pd.DataFrame(rows), note, args.folder)


class Bench:
    """The loops that are compared, over `steps` batches of 50,000 generated images, for one network."""

    def __init__(self, settings: Params, name: str, steps: int, compute: Compute) -> None:
        self.settings, self.name, self.steps, self.compute = settings, name, steps, compute
        self.inputs = Inputs.of(MEAN, STD, compute.device)
        rng = np.random.default_rng(0)
        images, labels = rng.integers(0, 256, (TRAIN, 32, 32, 3), dtype=np.uint8), rng.integers(0, 10, TRAIN)
        self.data = Images(torch.from_numpy(images), torch.from_numpy(labels))

    def loops(self, workers: list[int], compiled: bool) -> dict[str, Round]:
        """All loops by their name in the table."""
        loops = {"ours": self.ours(self.compute), "bare step": self.bare(compiled=False)}
        if compiled:
            loops["bare step, torch.compile"] = self.bare(compiled=True)
        if self.compute.precision == "bf16":
            loops["ours, fp32"] = self.ours(Compute(self.compute.device, "fp32", self.compute.threads))
        for number in dict.fromkeys(workers):
            loops[f"conventional, fp32, {number} workers"] = self.conventional(number)
        return loops | {"test pass": self.test()}

    def images(self) -> int:
        """How many images a round is."""
        return self.steps * self.settings.batch_size

    def network(self) -> Network:
        return build(self.settings.network(self.name), 0).to(self.compute.device)

    def ours(self, compute: Compute) -> Round:
        """pipeline/training/trainer.py: an epoch's randomness drawn, first batches trained on, loss and error read."""
        trainer = train.make_trainer(self.network(), self.data, self.inputs, compute, self.settings, World())
        trainer.sizes = lambda: [self.settings.batch_size] * self.steps
        epochs = iter(range(10**9))

        def run() -> None:
            given = len(self.data), self.settings.crop_padding, self.settings.horizontal_flip
            trainer.epoch(loading.draw(0, next(epochs), *given), 0.1)

        return run

    def bare(self, compiled: bool) -> Round:
        """Forward, backward and update on one batch that lies ready, normalised; on a GPU a graph, like ours."""
        if compiled:
            torch.use_deterministic_algorithms(True)  # tells torch.compile too
        network, device, settings = self.network().train(), self.compute.device, self.settings
        forward = torch.compile(network) if compiled else network
        given = {"momentum": settings.momentum, "weight_decay": settings.weight_decay, "fused": True}
        optimiser = torch.optim.SGD(network.parameters(), lr=settings.lr, **given)
        optimiser.param_groups[0]["lr"] = torch.full((), settings.lr, device=device)
        batch = torch.randn(settings.batch_size, 3, 32, 32, device=device).to(memory_format=torch.channels_last)
        labels = torch.randint(0, 10, (settings.batch_size,), device=device)

        def step() -> None:
            optimiser.zero_grad()
            with self.compute.autocast():
                logits = forward(batch).float()
            F.cross_entropy(logits, labels).backward()
            optimiser.step()

        step()
        work = capture(step, lambda: None, device) if device.type == "cuda" else step

        def run() -> None:
            for _ in range(self.steps):
                work()

        return run

    def conventional(self, workers: int) -> Round:
        """An epoch of conventional.py over as many images."""
        images, labels = (tensor[: self.images()].numpy() for tensor in (self.data.images, self.data.labels))
        data = AugmentedImages(images, labels, MEAN, STD, self.settings.crop_padding)
        return Loop(self.network(), data, self.compute.device, workers, self.settings).epoch

    def test(self) -> Round:
        """Loss and error on as many images."""
        part = Images(self.data.images[: self.images()], self.data.labels[: self.images()])
        captures = self.compute.device.type == "cuda"
        return Scorer(self.network(), part.to(self.compute.device), self.inputs, self.compute, captures)


def compare(bench: Bench, loops: dict[str, Round], rounds: int) -> list[dict[str, str]]:
    """A row of the table for each of `loops`, which are warmed up first."""
    for loop in loops.values():
        loop()
    speeds: dict[str, list[float]] = {key: [] for key in loops}
    for _ in range(rounds):
        for key, loop in loops.items():
            start = time.perf_counter()
            loop()
            if bench.compute.device.type == "cuda":
                torch.cuda.synchronize()
            speeds[key].append(bench.images() / (time.perf_counter() - start))
    return [row(bench.name, key, values, speeds["ours"]) for key, values in speeds.items()]


def row(network: str, loop: str, speeds: list[float], ours: list[float]) -> dict[str, str]:
    """A line of the table; `speeds` and `ours` in images a second, by round."""
    ratios = [own / other for own, other in zip(ours, speeds, strict=True)]
    test = loop == "test pass"
    return {
        "network": network,
        "loop": loop,
        "images/s": spread(speeds, ",.0f"),
        "ours is times": "" if test or loop == "ours" else spread(ratios, ".2f"),
        "s per epoch": f"{(TEST if test else TRAIN) / statistics.median(speeds):.3g}",
    }


def spread(values: list[float], form: str) -> str:
    """`1,010 (1,001 to 1,020)`: the median, the lowest and the highest."""
    low, middle, high = (format(value, form) for value in (min(values), statistics.median(values), max(values)))
    return f"{middle} ({low} to {high})"


if __name__ == "__main__":
    stage.run(main)
