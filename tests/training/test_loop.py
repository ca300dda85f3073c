"""What a run says before it starts, keeps and ends with; more of that is in test_train.py, in processes of its own."""

from types import SimpleNamespace

import pytest
import torch
from conftest import make

from pipeline.compute.device import Compute
from pipeline.compute.distributed import World
from pipeline.training import loop
from pipeline.training.checkpoint import Scratch


@pytest.mark.parametrize(
    ("kind", "seconds", "hint"), [("cpu", 19.0, True), ("cpu", 17.0, False), ("cuda", 19.0, False)]
)
def test_over_an_hour_ahead_on_a_cpu_comes_with_a_hint(settings, capsys, kind, seconds, hint):
    compute = Compute(torch.device("cpu"), "fp32", 2)
    trainer = SimpleNamespace(seconds_per_epoch=lambda: seconds, compute=compute, world=World())
    if kind == "cuda":
        trainer.compute = SimpleNamespace(device=torch.device("cuda"))
    loop.announce("resnet8-0", trainer, settings(epochs=220), done=20)
    line, *more = capsys.readouterr().out.splitlines()
    assert line.endswith("about 1:03:20 for 200 epochs, 20 are done" if seconds == 19 else "200 epochs, 20 are done")
    assert bool(more) == hint
    assert not more or "To run less: fewer `epochs`" in more[0]


def run(settings, generated, losses: tuple[float, float], **changes: object) -> tuple[list[dict], list[str]]:
    """The history of a run whose training and test loss in epoch 2 are `losses`, and the checkpoints that stay."""
    given = settings(**changes)
    trainer, epochs = make(given, generated), iter(range(1, given.epochs + 1))
    train = trainer.epoch
    trainer.epoch = lambda *args: (losses[0], 50.0) if next(epochs) == 2 else train(*args)
    tests = iter(range(1, given.epochs + 1))
    scorers = {"test": lambda: (losses[1] if next(tests) == 2 else 1.0, 50.0)}
    with Scratch("resnet8-0", {}) as scratch:
        progress = loop.fit(trainer, given, 0, scorers, scratch, {})
        return progress.history, sorted(path.name for path in scratch.folder.glob("epoch-*"))


@pytest.mark.parametrize(("losses", "epochs"), [((1.0, float("inf")), 3), ((float("inf"), 1.0), 2)])
def test_an_infinite_training_loss_ends_a_run_and_an_infinite_test_loss_does_not(
    settings, generated, tmp_path, monkeypatch, losses, epochs
):
    monkeypatch.setenv("DVC_ROOT", str(tmp_path))
    monkeypatch.chdir(tmp_path)
    history, _ = run(settings, generated, losses)
    assert len(history) == epochs
    assert history[1]["test_loss"] == losses[1]


def test_checkpoints_stay_at_regular_epochs_and_before_drops_of_the_rate(settings, generated, tmp_path, monkeypatch):
    monkeypatch.setenv("DVC_ROOT", str(tmp_path))
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(loop, "KEPT_EVERY", 4)
    _, kept = run(settings, generated, (1.0, 1.0), epochs=9, lr_milestones=[0.33, 0.67], train_size=20)
    assert kept == [f"epoch-{epoch:03}.safetensors" for epoch in (3, 4, 6, 8)]


def test_on_a_gpu_not_every_epoch_waits_for_a_checkpoint(settings, generated, tmp_path, monkeypatch):
    """One in ten seconds, the first and the last; the clock stands still here."""
    monkeypatch.setenv("DVC_ROOT", str(tmp_path))
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(loop, "gpu_memory", lambda compute: 0)
    given, saved = settings(epochs=9, lr_milestones=[0.5], train_size=20), []
    trainer = make(given, generated)
    trainer.compute = SimpleNamespace(device=torch.device("cuda"))
    monkeypatch.setattr(loop, "announce", lambda *args: None)
    monkeypatch.setattr(loop.time, "perf_counter", lambda: 100.0)
    trainer.epoch = lambda *args: (1.0, 50.0)
    with Scratch("resnet8-0", {}) as scratch:
        monkeypatch.setattr(scratch, "save", lambda state, progress, keep: saved.append(len(progress.history)))
        loop.fit(trainer, given, 0, {"test": lambda: (1.0, 50.0)}, scratch, {})
    assert saved == [1, 4, 9]  # 4: before the drop of the rate
