"""The learning rate, against torch's own schedulers."""

import pytest
import torch

from pipeline.settings.schedule import learning_rate, milestones


def rates(scheduler_of, epochs: int, lr: float) -> list[float]:
    """The rates that a torch scheduler gives, epoch by epoch."""
    optimiser = torch.optim.SGD([torch.nn.Parameter(torch.zeros(1))], lr=lr)
    scheduler = scheduler_of(optimiser)
    found = []
    for _ in range(epochs):
        found.append(optimiser.param_groups[0]["lr"])
        optimiser.step()
        scheduler.step()
    return found


def test_study_a_divides_by_ten_at_epochs_80_and_120(settings):
    given = settings(epochs=200)
    expected = rates(lambda o: torch.optim.lr_scheduler.MultiStepLR(o, [80, 120], 0.1), 200, 0.1)
    assert [learning_rate(given, epoch) for epoch in range(200)] == pytest.approx(expected, rel=1e-12)


@pytest.mark.parametrize(
    ("epochs", "fractions", "drops"),
    [
        (1, [0.4, 0.6], [1, 1]),
        (2, [0.4, 0.6], [1, 1]),
        (3, [0.4, 0.6], [1, 2]),
        (20, [0.4, 0.6], [8, 12]),
        (164, [0.5, 0.75], [82, 123]),  # the paper's
        (7, [], []),
        (10, [0.25, 0.5, 0.9], [2, 5, 9]),
    ],
)
def test_milestones_scale_with_the_epochs(settings, epochs, fractions, drops):
    given = settings(epochs=epochs, lr=0.3, lr_gamma=0.2, lr_milestones=fractions)
    assert milestones(given) == drops
    expected = rates(lambda o: torch.optim.lr_scheduler.MultiStepLR(o, drops, 0.2), epochs, 0.3)
    assert [learning_rate(given, epoch) for epoch in range(epochs)] == pytest.approx(expected, rel=1e-12)


def test_the_first_epoch_of_a_short_run_is_at_lr(settings):
    assert learning_rate(settings(epochs=1), 0) == 0.1
    assert milestones(settings(epochs=3)) == [1, 2]


def test_warm_up_rises_linearly_to_lr(settings):
    given = settings(epochs=10, warmup_epochs=4, lr_milestones=[])
    linear = torch.optim.lr_scheduler.LinearLR
    expected = rates(lambda o: linear(o, start_factor=1 / 5, end_factor=1.0, total_iters=4), 10, 0.1)
    assert [learning_rate(given, epoch) for epoch in range(10)] == pytest.approx(expected, rel=1e-12)
