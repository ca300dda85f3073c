"""Verdicts: what is declared is judged by interval and tolerance, and what cannot be judged is said."""

import numpy as np
import pandas as pd
import pytest

from pipeline import verdicts
from pipeline.claims import Claim
from pipeline.stage import StageError

CLAIM = {"id": "a", "statement": "s", "source": "t", "measure": "test_accuracy", "of": {"resnet8": 1}}


def claim(**changes: object) -> Claim:
    return Claim.model_validate(CLAIM | {"published": 90.0, "tolerance": 1.0} | changes)


def judged(settings, errors: dict[str, list[float]], one: Claim, epochs: int = 3, **changes: object) -> pd.Series:
    """The row of `one`, of runs on CIFAR-10 whose test errors in the last epoch are given, a list a variant."""
    given = {"dataset": "cifar10", "train_size": 50_000, "seeds": list(range(len(next(iter(errors.values())))))}
    chosen = settings(**(given | {"epochs": epochs} | changes))
    curves = [
        {"variant": variant, "seed": seed, "epoch": epoch, "train_loss": 1.0 / epoch, "train_error": 50.0 / epoch}
        | {"test_error": error if epoch == epochs else 60.0 + epoch}
        for variant, row in errors.items()
        for seed, error in enumerate(row)
        for epoch in range(1, epochs + 1)
    ]
    runs = pd.DataFrame({"variant": list(errors), "test_images": 10_000, "diverged": False})
    return verdicts.judge([one], chosen, runs, pd.DataFrame(curves), {"resnet8": 1_500_000}).iloc[0]


def test_the_interval_is_students():
    """Worked example: ISO 2602's kind of table; t(0.975, 4) = 2.776, s = 1.5811, so half = 2.776 * s / sqrt(5)."""
    low, high = verdicts.interval(np.array([1.0, 2, 3, 4, 5]), np.nan)
    assert (low, high) == pytest.approx((3 - 1.9633, 3 + 1.9633), abs=1e-3)


def test_of_one_run_the_interval_is_binomial(settings):
    row = judged(settings, {"resnet8": [10.0]}, claim())
    half = 1.96 * 100 * np.sqrt(0.9 * 0.1 / 10_000)
    assert (row["low"], row["high"]) == pytest.approx((90 - half, 90 + half), abs=1e-3)
    assert np.isnan(row["sd"])


def test_intervals_cover_the_mean_as_often_as_they_say():
    rng = np.random.default_rng(0)
    draws = rng.normal(5, 2, (4000, 3))
    hits = [low < 5 < high for low, high in (verdicts.interval(row, np.nan) for row in draws)]
    assert np.mean(hits) == pytest.approx(0.95, abs=0.012)


@pytest.mark.parametrize(
    ("errors", "verdict", "reason"),
    [
        ([10.0, 10.1, 9.9], "reproduced", "lies within 90 ± 1"),
        ([15.0, 15.1, 14.9], "not reproduced", "lies outside 90 ± 1"),
        ([10.9, 11.1, 11.0], "inconclusive", "straddles"),
        ([5.0, 15.0, 10.0], "inconclusive", "straddles"),
    ],
)
def test_a_value_is_held_against_its_tolerance(settings, errors, verdict, reason):
    row = judged(settings, {"resnet8": errors}, claim())
    assert row["verdict"] == verdict
    assert reason in row["reason"]
    assert row["difference"] == pytest.approx(100 - np.mean(errors) - 90)
    assert (row["n"], row["sd"]) == (3, pytest.approx(np.std(errors, ddof=1)))


@pytest.mark.parametrize(
    ("plain", "verdict"),
    [([20.0, 21.0], "reproduced"), ([5.0, 5.5], "not reproduced"), ([10.0, 10.4], "inconclusive")],
)
def test_without_a_published_value_the_sign_is_judged(settings, plain, verdict):
    one = claim(of={"resnet8": 1, "plain8": -1}, published=None, tolerance=None)
    assert judged(settings, {"resnet8": [10.0, 10.2], "plain8": plain}, one)["verdict"] == verdict


def test_a_short_schedule_tells_signs_of_differences_alone(settings):
    one = claim(of={"resnet8": 1, "plain8": -1}, published=2.0, epochs=100)
    row = judged(settings, {"resnet8": [10.0, 10.2], "plain8": [20.0, 21.0]}, one)
    assert row["verdict"] == "direction reproduced"
    assert "3 epochs were run, and its size takes 100" in row["reason"]
    row = judged(settings, {"resnet8": [20.0, 21.0], "plain8": [10.0, 10.2]}, one)
    assert row["verdict"] == "direction not reproduced"
    assert judged(settings, {"resnet8": [10.0, 10.2]}, claim(epochs=100))["verdict"] == "inconclusive"


def test_an_epoch_before_the_last_is_measured_where_it_is_claimed(settings):
    row = judged(settings, {"resnet8": [10.0, 10.0]}, claim(epoch=1))
    assert row["ours"] == 100 - 61
    assert row["measured"] == "test accuracy of resnet8, epoch 1"
    row = judged(settings, {"resnet8": [10.0, 10.0]}, claim(epoch=5))
    assert (row["verdict"], row["n"]) == ("not run", 0)
    assert "3 epochs were run, and it is measured after 5" in row["reason"]


@pytest.mark.parametrize(
    ("measure", "ours"), [("train_loss", 1 / 3), ("train_accuracy", 100 - 50 / 3), ("accuracy_gap", 10 - 50 / 3)]
)
def test_other_measures(settings, measure, ours):
    assert judged(settings, {"resnet8": [10.0, 10.0]}, claim(measure=measure))["ours"] == pytest.approx(ours)


def test_one_loss_says_nothing_of_its_spread(settings):
    row = judged(settings, {"resnet8": [10.0]}, claim(measure="train_loss"))
    assert (row["verdict"], row["reason"]) == ("inconclusive", "one run, whose spread is not known")


def test_parameters_need_no_run(settings):
    row = judged(settings, {"resnet8": [10.0]}, claim(measure="parameters", published=1.5, tolerance=0.05))
    assert (row["ours"], row["verdict"]) == (1.5, "reproduced")
    with pytest.raises(StageError, match="names nets, whose parameters are not counted"):
        judged(settings, {"resnet8": [10.0]}, claim(measure="parameters", of={"nets": 1}))


def test_what_is_not_in_the_grid_is_not_run_and_what_is_nowhere_is_refused(settings):
    row = judged(settings, {"resnet8": [10.0]}, claim(of={"resnet8": 1, "plain8": -1}), variants=["resnet8"])
    assert (row["verdict"], row["reason"]) == ("not run", "plain8 not in the grid")
    assert np.isnan(row["ours"])
    with pytest.raises(StageError, match="claim a names resnet9; legal are plain8, resnet8"):
        judged(settings, {"resnet8": [10.0]}, claim(of={"resnet9": 1}))


def test_fewer_training_images_are_like_a_short_schedule(settings):
    row = judged(settings, {"resnet8": [10.0, 10.1]}, claim(), train_size=200)
    assert (row["verdict"], row["reason"]) == ("inconclusive", "200 of 50,000 training images were used")


def test_runs_that_share_images_have_a_wider_interval(settings):
    """Nadeau and Bengio 2003: with n = 5 and a fifth held out, 1/n + n_test/n_train = 0.2 + 0.25, 1.5 times as wide."""
    values = np.array([1.0, 2, 3, 4, 5])
    narrow, wide = verdicts.interval(values, np.nan), verdicts.interval(values, np.nan, 0.25)
    assert (wide[1] - wide[0]) / (narrow[1] - narrow[0]) == pytest.approx(1.5)
    flowers = {"dataset": "flowers17", "variants": ["a"], "arch": {"a": {"depth": 8, "classes": 17}}}
    assert verdicts.overlap(settings(**flowers)) == 0.25
    assert verdicts.overlap(settings(dataset="cifar10")) == 0


def test_generated_images_and_diverged_runs_are_not_judged(settings):
    curves = pd.DataFrame({"variant": "resnet8", "seed": 0, "epoch": [1, 2, 3], "test_error": 10.0})
    runs = pd.DataFrame({"variant": ["resnet8"], "test_images": 1000, "diverged": False})
    row = verdicts.judge([claim()], settings(), runs, curves, {}).iloc[0]
    assert (row["verdict"], row["reason"]) == ("not judged", "the images were generated")
    row = verdicts.judge([claim()], settings(dataset="cifar10"), runs.assign(diverged=True), curves, {}).iloc[0]
    assert (row["verdict"], row["reason"]) == ("not judged", "a run diverged")


def test_verdicts_are_counted():
    table = pd.DataFrame({"verdict": ["not run", "reproduced", "not run"]})
    assert verdicts.counts(table) == {"not_run": 2, "reproduced": 1}
