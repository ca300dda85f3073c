"""A training run from its first epoch, or from where it was interrupted, to its last."""

import sys
import time
from collections.abc import Callable
from contextlib import closing, nullcontext
from datetime import UTC, datetime, timedelta
from typing import Any

from tqdm import tqdm

from pipeline.compute.device import gpu_memory
from pipeline.compute.inference import Scorer, diverged
from pipeline.data import loading
from pipeline.settings import params
from pipeline.settings.schedule import learning_rate, milestones
from pipeline.training.checkpoint import Progress, Scratch
from pipeline.training.logger import Logger
from pipeline.training.trainer import Trainer

KEPT_EVERY = 20  # epochs; a checkpoint of each of these stays
SECONDS = 10  # between checkpoints on a GPU, where an epoch may take less than writing one


def fit(
    trainer: Trainer,
    settings: params.Params,
    seed: int,
    scorers: dict[str, Scorer],
    scratch: Scratch,
    environment: dict[str, Any],
) -> Progress:
    """Train to the last epoch, or to a loss that is not finite, from the checkpoint in the scratch folder.

    After every epoch the loss and error of each of `scorers` are taken and logged in the scratch folder, and a
    checkpoint is written (on a GPU at most one in SECONDS). Those of every KEPT_EVERY epochs, and before a drop of the
    rate, stay. `environment` is recorded with the session. Raises KeyboardInterrupt with a sentence if stopped by a
    signal.
    """
    state, world = trainer.state(), trainer.world
    progress = world.share(scratch.load(state) if world.first else None)
    world.copy(state.values())
    done, count = len(progress.history), len(trainer.labels)
    earlier = progress.sessions
    announce(scratch.name, trainer, settings, done)
    start, cpu_start, saved = time.perf_counter(), time.process_time(), 0.0
    session = {"started": datetime.now(UTC).isoformat(timespec="seconds"), "first_epoch": done + 1} | environment
    with (
        progress_bar(settings.epochs * count, done * count, world.first) as bar,
        closing(Logger(scratch.folder, progress.history)) if world.first else nullcontext() as logger,
    ):
        try:
            for epoch in range(done, settings.epochs):
                if progress.history and diverged(progress.history[-1]["train_loss"]):
                    break
                bar.set_description(f"{scratch.name} epoch {epoch + 1}/{settings.epochs}")
                row = train_epoch(trainer, settings, seed, epoch, scorers, bar.update)
                costs = {"epochs": epoch + 1 - done, "seconds": round(time.perf_counter() - start, 1)}
                costs |= {"cpu_seconds": round(time.process_time() - cpu_start, 1)}
                costs |= {"gpu_memory_mb": gpu_memory(trainer.compute)}
                progress = Progress([*progress.history, row], [*earlier, session | costs])
                last = epoch + 1 == settings.epochs
                keep = (epoch + 1) % KEPT_EVERY == 0 or (epoch + 1 in milestones(settings) and not last)
                due = trainer.compute.device.type == "cpu" or time.perf_counter() - saved >= SECONDS
                if logger:
                    logger.add(progress.history)
                if world.first and (keep or due or last):
                    scratch.save(state, progress, keep)
                    saved = time.perf_counter()
                bar.set_postfix_str(f"test error {row['test_error']:.2f} %")
        except KeyboardInterrupt:
            sentence = f"{scratch.name} keeps its last checkpoint; the same command goes on from there"
            raise KeyboardInterrupt(sentence) from None
    if world.first and diverged(progress.history[-1]["train_loss"]):
        print(f"{scratch.name}: the loss is not finite; it has diverged and ends with epoch {len(progress.history)}")
    return progress


def progress_bar(total: int, done: int, shown: bool) -> tqdm:
    """A bar of images; a log file gets fewer lines than a screen."""
    seconds = 0.5 if sys.stderr.isatty() else 30
    return tqdm(total=total, initial=done, unit="img", unit_scale=True, mininterval=seconds, disable=not shown)


def train_epoch(
    trainer: Trainer,
    settings: params.Params,
    seed: int,
    epoch: int,
    scorers: dict[str, Scorer],
    update: Callable[[int], object],
) -> dict[str, float]:
    """Train one epoch, counted from 0, and score on each part; its row of history.csv, errors in percent."""
    draws = loading.draw(seed, epoch, len(trainer.labels), settings.crop_padding, settings.horizontal_flip)
    lr = learning_rate(settings, epoch)
    scores = {"train": trainer.epoch(draws, lr, update)}
    scores |= {part: scorer() for part, scorer in scorers.items()}
    row = {"epoch": epoch + 1, "lr": round(lr, 12)}
    for part, (loss, error) in scores.items():
        row |= {f"{part}_loss": round(loss, 6), f"{part}_error": round(error, 6)}
    return trainer.world.share(row)


def announce(name: str, trainer: Trainer, settings: params.Params, done: int) -> None:
    """One line with device and expected time; on a CPU with over an hour ahead, how to run less."""
    left = settings.epochs - done
    seconds = left * trainer.seconds_per_epoch() if left else 0
    if not trainer.world.first:
        return
    epochs = f"{left} epoch{'' if left == 1 else 's'}" + (f", {done} are done" if done else "")
    where = f"{trainer.compute}" + (f", {trainer.world.size} processes" if trainer.world.size > 1 else "")
    print(f"{name} on {where}: about {timedelta(seconds=round(seconds))} for {epochs}", flush=True)
    if seconds > 3600 and trainer.compute.device.type == "cpu":
        print(
            "To run less: fewer `epochs`, `variants` or `seeds` in params.yaml, or `make smoke` for a trial", flush=True
        )
