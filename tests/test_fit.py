"""What a run says before it starts; how it goes on and ends is in test_train.py, in processes of its own."""

from types import SimpleNamespace

import pytest
import torch

from pipeline import fit
from pipeline.device import Compute
from pipeline.distributed import World


@pytest.mark.parametrize(
    ("kind", "seconds", "hint"), [("cpu", 19.0, True), ("cpu", 17.0, False), ("cuda", 19.0, False)]
)
def test_over_an_hour_ahead_on_a_cpu_comes_with_a_hint(settings, capsys, kind, seconds, hint):
    compute = Compute(torch.device("cpu"), "fp32", 2)
    trainer = SimpleNamespace(seconds_per_epoch=lambda: seconds, compute=compute, world=World())
    if kind == "cuda":
        trainer.compute = SimpleNamespace(device=torch.device("cuda"))
    fit.announce("resnet8-0", trainer, settings(epochs=220), done=20)
    line, *more = capsys.readouterr().out.splitlines()
    assert line.endswith("about 1:03:20 for 200 epochs, 20 are done" if seconds == 19 else "200 epochs, 20 are done")
    assert bool(more) == hint
    assert not more or "To run less: fewer `epochs`" in more[0]
