"""Measures of a run: against histories written down by hand."""

import numpy as np
import pandas as pd
import pytest
import statsmodels.api as sm

from pipeline.analysis import measures


def history(errors: list[float], losses: list[float] | None = None) -> pd.DataFrame:
    epochs = range(1, len(errors) + 1)
    return pd.DataFrame({"epoch": epochs, "test_error": errors, "train_loss": losses or [1.0] * len(errors)})


def test_epochs_to_an_error_is_the_first_that_is_as_low():
    assert measures.epochs_to(history([60, 20, 25, 19]), 20) == 2
    assert measures.epochs_to(history([60, 20.1]), 20) == np.inf
    assert measures.epochs_to(history([60, 30, 25, 19]), 20, within=3) == np.inf


def test_the_first_rate_ends_with_the_first_drop(settings):
    assert measures.first_rate(settings(epochs=200)) == 80
    assert measures.first_rate(settings(epochs=5, lr_milestones=[])) == 5
    assert measures.first_rate(settings(epochs=5, lr_gamma=1.0)) == 5
    found = measures.of_run(history([60, 30, 15]), settings(epochs=3), {}, 1000)  # drops after the first and second
    assert (found["epochs_to_50"], found["epochs_to_20"]) == (np.inf, np.inf)


def test_instability_is_the_spread_of_log_odds_about_a_line(settings):
    """By statsmodels' regression, over epochs 41 to 80 of 200."""
    rng = np.random.default_rng(0)
    given, wrong = settings(epochs=200), rng.integers(1000, 3000, 200)
    found = measures.instability(history(list(wrong / 100)), given, 10_000)
    share = (wrong[40:80] + 0.5) / 10_001
    fitted = sm.OLS(np.log(share / (1 - share)), sm.add_constant(np.arange(41, 81))).fit()
    assert found == pytest.approx(np.sqrt(fitted.mse_resid))


def test_instability_sees_neither_trend_nor_level_nor_later_rates(settings):
    """By simulation: noise of 0.1 in log-odds is found, whatever the level and the trend, and the rest is no matter."""
    rng, given = np.random.default_rng(1), settings(epochs=200)
    for level, trend in ((-3.0, 0.0), (0.0, -0.02)):
        found = []
        for _ in range(100):
            log_odds = level + trend * np.arange(200) + rng.normal(0, 0.1, 200)
            log_odds[:40] += rng.normal(0, 2, 40)
            log_odds[80:] = -4
            found.append(measures.instability(history(list(100 / (1 + np.exp(-log_odds)))), given, 10**9))
        assert np.sqrt(np.mean(np.square(found))) == pytest.approx(0.1, rel=0.05)


def test_too_few_epochs_at_the_first_rate_tell_no_instability(settings):
    given = settings(epochs=20, lr_milestones=[0.5])
    assert np.isfinite(measures.instability(history([50.0] * 20), given, 1000))
    assert np.isnan(measures.instability(history([50.0] * 16), settings(epochs=16, lr_milestones=[0.5]), 1000))


def test_class_errors_are_shares_of_each_class():
    counts = pd.DataFrame({"variant": "plain20", "seed": [0] * 4, "actual": ["cat", "cat", "dog", "dog"]})
    counts = counts.assign(predicted=["cat", "dog", "cat", "dog"], count=[60, 40, 10, 90])
    assert measures.class_errors(counts)["error"].tolist() == [40, 10]


def test_what_the_probe_found_is_taken_and_what_it_could_not_is_empty(settings):
    found = measures.of_run(history([30, 20]), settings(), {"response_std": 0.5, "gradient_reach": None}, 1000)
    assert found["response_std"] == 0.5
    assert np.isnan(found["gradient_reach"])
    assert "train_error_eval" not in found


def test_measures_of_an_epoch():
    row = pd.Series({"test_error": 30.0, "train_error": 10.0, "train_loss": 0.3})
    wanted = {"test_accuracy": 70, "train_accuracy": 90, "accuracy_gap": 20, "train_loss": 0.3, "test_error": 30}
    assert {name: measures.of_epoch(name, row) for name in wanted} == wanted
