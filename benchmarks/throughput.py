"""Images a second of our loop, of the bare step, and of a conventional loop: all in one run, the same network.

    python -m benchmarks.throughput                     # 15 minutes on two cores
    python -m benchmarks.throughput --device cuda --steps 391

Rounds of all loops, one after the other, so that a machine whose speed drifts does not favour one; ratios are taken
within a round. Medians and ranges over the rounds go to benchmarks/throughput.csv and the README. The bare step is the
same forward and backward pass and update on one batch that lies ready, normalised; as a graph on a GPU, like ours.
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
from benchmarks.conventional import ImageFolderInMemory, Loop
from pipeline import dataset, device, networks, params, stage, train
from pipeline.dataset import Images
from pipeline.device import Compute
from pipeline.distributed import World
from pipeline.engine import Trainer
from pipeline.graph import capture
from pipeline.params import Params
from pipeline.prediction import Inputs, Scorer

MEAN, STD = [0.49, 0.48, 0.45], [0.25, 0.24, 0.26]
EPOCH = {"test pass": 10_000}  # images; all others train on 50,000

Round = Callable[[], int]  # trains, waits for the device, and tells how many images it was


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--networks", nargs="+", default=["resnet20", "resnet56"], help="names under arch")
    parser.add_argument("--steps", type=int, default=40, help="of 128 images, a round and a loop")
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--workers", type=int, default=2, help="of the conventional loop's DataLoader")
    parser.add_argument("--device", default="auto")
    parser.add_argument("--compile", action="store_true", help="also the bare step under torch.compile")
    parser.add_argument("--folder", type=Path, default=common.FOLDER, help="where the table goes")
    args = parser.parse_args()
    settings = params.load(common.ROOT / "params.yaml").model_copy(update={"device": args.device})
    compute = device.prepare(settings)
    rows = []
    for name in args.networks:
        loops = make_loops(settings, name, args.steps, args.workers, compute)
        if args.compile:
            loops["bare step, torch.compile"] = bare(settings, name, args.steps, compute, compiled=True)
        rows += compare(name, loops, args.rounds, compute)
    note = (
        f"{common.machine(compute)}. Rounds: {args.rounds} of {args.steps} steps of {settings.batch_size} images; "
        f"conventional loop: {args.workers} workers. Medians, with the lowest and highest in brackets."
    )
    common.publish("throughput", pd.DataFrame(rows), note, args.folder)


def make_loops(settings: Params, name: str, steps: int, workers: int, compute: Compute) -> dict[str, Round]:
    """By their name in the table, all loops over `steps` batches; `ours` first."""
    rng = np.random.default_rng(0)
    count = steps * settings.batch_size
    images = rng.integers(0, 256, (count, 32, 32, 3), dtype=np.uint8)
    labels = rng.integers(0, 10, count)
    data = Images(torch.from_numpy(images), torch.from_numpy(labels))
    plain = Loop(
        networks.build(settings.network(name), 0),
        ImageFolderInMemory(images, labels, MEAN, STD),
        compute.device,
        workers,
    )

    def conventional() -> int:
        plain.epoch()
        return count

    single = Compute(compute.device, "fp32", compute.threads)
    scorer = Scorer(
        networks.build(settings.network(name), 0).to(compute.device),
        data.to(compute.device),
        Inputs.of(MEAN, STD, compute.device),
        compute,
    )

    def scored() -> int:
        scorer()
        return count

    loops = {"ours": ours(settings, name, data, compute), "bare step": bare(settings, name, steps, compute)}
    if compute.precision == "bf16":
        loops["ours, fp32"] = ours(settings, name, data, single)
    return loops | {"conventional, fp32": conventional, "test pass": scored}


def ours(settings: Params, name: str, data: Images, compute: Compute) -> Round:
    """An epoch of pipeline/engine.py over `data`, its randomness drawn anew."""
    network = networks.build(settings.network(name), 0).to(compute.device)
    trainer: Trainer = train.make_trainer(
        network, data, Inputs.of(MEAN, STD, compute.device), compute, settings, World()
    )
    epochs = iter(range(10**9))

    def run() -> int:
        draws = dataset.draw(0, next(epochs), len(data), settings.crop_padding, settings.horizontal_flip)
        trainer.epoch(draws, 0.1)
        return len(data)

    return run


def bare(settings: Params, name: str, steps: int, compute: Compute, compiled: bool = False) -> Round:
    """Forward, backward and update on one batch that lies ready on the device."""
    network = networks.build(settings.network(name), 0).to(compute.device).train()
    forward = torch.compile(network) if compiled else network
    optimiser = torch.optim.SGD(network.parameters(), lr=0.1, momentum=0.9, weight_decay=1e-4, fused=True)
    for group in optimiser.param_groups:
        group["lr"] = torch.full((), 0.1, device=compute.device)
    batch = torch.randn(settings.batch_size, 3, 32, 32, device=compute.device).to(memory_format=torch.channels_last)
    labels = torch.randint(0, 10, (settings.batch_size,), device=compute.device)

    def step() -> None:
        optimiser.zero_grad()
        with compute.autocast():
            logits = forward(batch).float()
        F.cross_entropy(logits, labels).backward()
        optimiser.step()

    step()
    if compute.device.type == "cuda":
        step = capture(step, compute.device)

    def run() -> int:
        for _ in range(steps):
            step()
        return steps * settings.batch_size

    return run


def compare(name: str, loops: dict[str, Round], rounds: int, compute: Compute) -> list[dict[str, object]]:
    """A row of the table for each of `loops`, which are warmed up first."""
    cuda = compute.device.type == "cuda"
    for loop in loops.values():
        loop()
    speeds: dict[str, list[float]] = {key: [] for key in loops}
    peaks = dict.fromkeys(loops, 0)
    for _ in range(rounds):
        for key, loop in loops.items():
            if cuda:
                torch.cuda.reset_peak_memory_stats()
                torch.cuda.synchronize()
            start = time.perf_counter()
            count = loop()
            if cuda:
                torch.cuda.synchronize()
                peaks[key] = torch.cuda.max_memory_allocated() / 2**20
            speeds[key].append(count / (time.perf_counter() - start))
    rows = []
    for key, values in speeds.items():
        ratios = [own / other for own, other in zip(speeds["ours"], values, strict=True)]
        images = EPOCH.get(key, 50_000)
        row = {
            "network": name,
            "loop": key,
            "images/s": spread(values, ",.0f"),
            "ours is times": "" if key in ("ours", "test pass") else spread(ratios, ".2f"),
            "s per epoch": f"{images / statistics.median(values):.3g}",
        }
        rows.append(row | ({"GPU memory, MB": f"{peaks[key]:.0f}"} if cuda else {}))
    return rows


def spread(values: list[float], form: str) -> str:
    """`1,010 (1,001 to 1,020)`: the median, the lowest and the highest."""
    low, middle, high = (format(value, form) for value in (min(values), statistics.median(values), max(values)))
    return f"{middle} ({low} to {high})"


if __name__ == "__main__":
    stage.run(main)
