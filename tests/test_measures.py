"""Measures of a run: against histories written down by hand."""

import numpy as np
import pandas as pd
import pytest

from pipeline import measures


def history(errors: list[float], losses: list[float] | None = None) -> pd.DataFrame:
    epochs = range(1, len(errors) + 1)
    return pd.DataFrame({"epoch": epochs, "test_error": errors, "train_loss": losses or [1.0] * len(errors)})


def test_epochs_to_an_error_is_the_first_that_is_as_low():
    assert measures.epochs_to(history([60, 20, 25, 19]), 20) == 2
    assert np.isnan(measures.epochs_to(history([60, 20.1]), 20))


def test_the_spread_is_taken_before_drops_and_does_not_see_a_trend(settings):
    """Two drops, after 4 and 8 of 12 epochs: differences of 2 before the first and of 1 before the second."""
    given = settings(epochs=12, lr_milestones=[4 / 12, 8 / 12])
    one = history([50, 52, 50, 52, 30, 29, 28, 27, 90, 10, 90, 10])
    assert measures.test_error_spread(one, given) == pytest.approx(np.sqrt((4 / 2 + 1 / 2) / 2))
    falling = measures.test_error_spread(history(list(range(60, 48, -1))), given)
    assert falling == pytest.approx(np.sqrt(1 / 2))  # its standard deviation would be 1.3


def test_the_spread_is_over_the_last_epochs_alone(settings):
    errors = [90.0, 10.0] * 5 + [20.0] * measures.WINDOW
    assert measures.test_error_spread(history(errors), settings(epochs=20, lr_milestones=[])) == 0


def test_too_few_epochs_before_a_drop_have_no_spread(settings):
    assert np.isnan(measures.test_error_spread(history([3, 2, 1]), settings(epochs=3)))


def test_the_spread_is_that_of_independent_draws(settings):
    """By simulation: without a trend it is their standard deviation."""
    rng = np.random.default_rng(0)
    given = settings(epochs=10, lr_milestones=[])
    squares = [measures.test_error_spread(history(list(rng.normal(20, 3, 10))), given) ** 2 for _ in range(2000)]
    assert np.sqrt(np.mean(squares)) == pytest.approx(3, rel=0.05)


def test_the_largest_rise_of_the_loss():
    assert measures.loss_jump(history([1, 1, 1, 1], [2.0, 1.0, 1.5, 1.2])) == 0.5
    assert measures.loss_jump(history([1, 1], [2.0, 1.0])) == 0
    assert np.isnan(measures.loss_jump(history([1])))
    assert np.isnan(measures.loss_jump(history([1, 1, 1], [2.0, 5.0, np.nan])))


def test_class_errors_are_shares_of_each_class():
    counts = pd.DataFrame({"variant": "plain20", "seed": [0] * 4, "actual": ["cat", "cat", "dog", "dog"]})
    counts = counts.assign(predicted=["cat", "dog", "cat", "dog"], count=[60, 40, 10, 90])
    assert measures.class_errors(counts)["error"].tolist() == [40, 10]


def test_what_the_probe_found_is_taken_and_what_it_could_not_is_empty(settings):
    found = measures.of_run(history([30, 20]), settings(), {"response_std": 0.5, "gradient_reach": None})
    assert found["response_std"] == 0.5
    assert np.isnan(found["gradient_reach"])
    assert "train_error_eval" not in found


def test_measures_of_an_epoch():
    row = pd.Series({"test_error": 30.0, "train_error": 10.0, "train_loss": 0.3})
    wanted = {"test_accuracy": 70, "train_accuracy": 90, "accuracy_gap": 20, "train_loss": 0.3, "test_error": 30}
    assert {name: measures.of_epoch(name, row) for name in wanted} == wanted
