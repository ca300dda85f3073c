"""Stage train: fit one network from one seed, as study A does: SGD, step schedule, the last epoch counts.

    python -m pipeline.train resnet20 0

Writes data/models/resnet20-0/{weights.safetensors, history.csv} and reports/runs/resnet20-0/environment.json (times
and hardware; nothing deterministic reads it). After a kill the same command goes on from the last whole epoch, to the
same bits. A run whose loss is not finite ends early; the history's last row shows it. An epoch of 50,000 images takes
about 30 s with 20 layers and 85 s with 56 on two cores of an EPYC with AVX512-BF16. To expect after 200 epochs: 8.05 %
test error of resnet20 (study A).
"""

import math
import sys
import time
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from typing import Any

import pandas as pd
import torch
from tqdm import tqdm

from pipeline import dataset, device, engine, networks, params, records, stage
from pipeline.checkpoint import Progress, Scratch, fingerprint
from pipeline.dataset import Images
from pipeline.engine import Inputs, Trainer
from pipeline.schedule import learning_rate


def main() -> None:
    variant, seed = stage.arguments(__doc__)
    settings = params.load()
    arch = settings.network(variant)
    compute = device.prepare(settings)
    environment = device.environment(compute)
    train, test = dataset.load(stage.DATA, settings.dataset)
    train, val = dataset.split(train, settings.train_size, settings.val_size)
    mean, std = dataset.statistics(train.images)
    network = networks.build(arch, seed).to(compute.device)
    trainer = make_trainer(network, train, Inputs.of(mean, std, compute.device), compute, settings)
    scored = {"val": val.to(compute.device), "test": test.to(compute.device)}

    name = f"{variant}-{seed}"
    facts = settings.model_dump(exclude={"seeds", "variants", "arch"}) | environment
    facts |= {"variant": variant, "seed": seed, "arch": arch.model_dump(), "data": records.content_sha256(stage.DATA)}
    with Scratch(name, fingerprint(facts)) as scratch:
        progress = fit(trainer, settings, seed, scored, scratch, environment)
        model = stage.MODELS / name
        networks.save_weights(network, model / "weights.safetensors", mean, std)
        stage.write(model / "history.csv", pd.DataFrame(progress.history).to_csv(index=False, na_rep="nan"))
        stage.write_json(stage.RUNS / name / "environment.json", {"sessions": progress.sessions})
        scratch.remove()


def make_trainer(
    network: networks.Network, train: Images, inputs: Inputs, compute: device.Compute, settings: params.Params
) -> Trainer:
    """`network` with SGD over all its parameters (weight decay on batch norm and bias too) and its padded images."""
    optimiser = torch.optim.SGD(
        network.parameters(),
        lr=settings.lr,
        momentum=settings.momentum,
        nesterov=settings.nesterov,
        weight_decay=settings.weight_decay,
    )
    train = train.to(compute.device)
    padded = dataset.pad(train.images, settings.crop_padding)
    return Trainer(
        network, optimiser, padded, train.labels, inputs, compute, settings.batch_size, settings.label_smoothing
    )


def fit(
    trainer: Trainer,
    settings: params.Params,
    seed: int,
    scored: dict[str, Images],
    scratch: Scratch,
    environment: dict[str, Any],
) -> Progress:
    """Train to the last epoch, or to a loss that is not finite, from where the scratch's checkpoint stands.

    After every epoch the loss and error on each of `scored` are taken and a checkpoint is written. Raises
    KeyboardInterrupt with a sentence if told to stop.
    """
    progress = scratch.load(trainer.network, trainer.optimiser)
    done, count = len(progress.history), len(trainer.labels)
    earlier = progress.sessions
    announce(scratch.name, trainer, settings, done)
    start = time.perf_counter()
    session = {"started": datetime.now(UTC).isoformat(timespec="seconds"), "first_epoch": done + 1} | environment
    interval = 0.5 if sys.stderr.isatty() else 30  # seconds; a log file needs fewer lines than a screen
    bar = tqdm(total=settings.epochs * count, initial=done * count, unit="img", unit_scale=True, mininterval=interval)
    try:
        for epoch in range(done, settings.epochs):
            if diverged(progress.history):
                break
            bar.set_description(f"{scratch.name} epoch {epoch + 1}/{settings.epochs}")
            row = train_epoch(trainer, settings, seed, epoch, scored, bar.update)
            times = {"epochs": epoch + 1 - done, "seconds": round(time.perf_counter() - start, 1)}
            progress = Progress([*progress.history, row], [*earlier, session | times])
            scratch.save(trainer.network, trainer.optimiser, progress)
            bar.set_postfix_str(f"test error {row['test_error']:.2f} %")
    except KeyboardInterrupt:
        sentence = f"{scratch.name} keeps its whole epochs; the same command goes on from there"
        raise KeyboardInterrupt(sentence) from None
    finally:
        bar.close()
    if diverged(progress.history):
        print(f"{scratch.name}: the loss is not finite; it has diverged and ends with epoch {len(progress.history)}")
    return progress


def train_epoch(
    trainer: Trainer,
    settings: params.Params,
    seed: int,
    epoch: int,
    scored: dict[str, Images],
    update: Callable[[int], object],
) -> dict[str, float]:
    """Train one epoch, counted from 0, and test on each of `scored`; its row of history.csv, errors in percent."""
    draws = dataset.draw(seed, epoch, len(trainer.labels), settings.crop_padding, settings.horizontal_flip)
    lr = learning_rate(settings, epoch)
    scores = {"train": trainer.epoch(draws, lr, update)}
    for part, images in scored.items():
        if len(images):
            scores[part] = engine.test(trainer.network, images, trainer.inputs, trainer.compute)
    row = {"epoch": epoch + 1, "lr": round(lr, 12)}
    for part, (loss, error) in scores.items():
        row |= {f"{part}_loss": round(loss, 6), f"{part}_error": round(error, 6)}
    return row


def announce(name: str, trainer: Trainer, settings: params.Params, done: int) -> None:
    """One line with device and expected time; on a CPU with over an hour ahead, how to run less."""
    left = settings.epochs - done
    seconds = left * trainer.seconds_per_epoch() if left else 0
    resumed = f", {done} are done" if done else ""
    print(
        f"{name} on {trainer.compute}: about {timedelta(seconds=round(seconds))} for {left} epochs{resumed}", flush=True
    )
    if seconds > 3600 and trainer.compute.device.type == "cpu":
        print(
            "To run less: `dvc exp run -S epochs=20 -S 'variants=[resnet20]'`, or `make smoke` for a trial", flush=True
        )


def diverged(history: list[dict[str, float]]) -> bool:
    """Whether a loss of the last epoch, in training or in test, was not a finite number."""
    return bool(history) and not all(math.isfinite(history[-1][key]) for key in ("train_loss", "test_loss"))


if __name__ == "__main__":
    stage.run(main)
