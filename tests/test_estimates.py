"""Estimates: which method is used for what, and what it is given."""

import numpy as np
import pandas as pd
import pytest
from conftest import grid_of
from scipy import stats

from pipeline import statistics
from pipeline.estimates import estimate, overlap

ERRORS = {"plain8": [20.0, 21.0, 22.5], "resnet8": [10.0, 10.5, 12.0]}
PAIR = {"plain8": 1, "resnet8": -1}


@pytest.fixture
def three(settings):
    return grid_of(settings(dataset="cifar10", train_size=50_000, seeds=[0, 1, 2]), ERRORS)


@pytest.fixture
def one(settings):
    return grid_of(settings(dataset="cifar10", train_size=50_000), {name: row[:1] for name, row in ERRORS.items()})


def test_several_seeds_are_compared_by_welch(three):
    found = estimate(three, "test_error", PAIR)
    expected = statistics.seeds([(1, np.array(ERRORS["plain8"])), (-1, np.array(ERRORS["resnet8"]))])
    assert found.estimate == expected
    assert found.n == 3
    assert found.sd == pytest.approx(np.sqrt(np.var(ERRORS["plain8"], ddof=1) + np.var(ERRORS["resnet8"], ddof=1)))
    shares = [np.mean(row) / 100 for row in ERRORS.values()]
    assert found.binomial_se == pytest.approx(100 * np.sqrt(sum(s * (1 - s) for s in shares) / 10_000))


def test_one_run_a_side_is_compared_on_the_same_images(one):
    found = estimate(one, "test_error", PAIR)
    wrong = [one.wrong[f"{name}-0"] for name in PAIR]
    assert found.estimate == statistics.same_images([(1, wrong[0]), (-1, wrong[1])])
    assert found.estimate.value == pytest.approx(10)
    accuracy = estimate(one, "test_accuracy", {"plain8": -1, "resnet8": 1})
    assert accuracy.estimate[:3] == pytest.approx(found.estimate[:3])
    assert np.isnan(found.sd)


def test_one_run_alone_has_wilsons_interval(one):
    assert estimate(one, "test_error", {"plain8": 1}).estimate == statistics.wilson(20, 10_000)
    assert estimate(one, "train_error", {"plain8": 1}).estimate == statistics.wilson(50 / 3, 50_000)


def test_one_run_of_what_is_no_share_of_images_has_no_interval(one):
    found = estimate(one, "train_loss", {"plain8": 1})
    assert found.estimate.value == pytest.approx(1 / 3)
    assert np.isnan(found.estimate.low)
    assert np.isnan(found.binomial_se)


def test_the_gap_of_one_run_has_the_errors_of_both_parts(one):
    found = estimate(one, "accuracy_gap", {"plain8": 1})
    error = np.hypot(statistics.binomial_error(20, 10_000), statistics.binomial_error(50 / 3, 50_000))
    gap = 20 - 50 / 3
    assert found.estimate[:3] == pytest.approx((gap, gap - 1.96 * error, gap + 1.96 * error), abs=1e-3)


def test_an_epoch_before_the_last_has_no_predictions_and_is_binomial(one):
    found = estimate(one, "test_error", PAIR, epoch=1)
    assert found.estimate.test == "binomial distribution over images"


def test_a_ratio_of_epochs_knows_them_to_within_one(settings):
    given = settings(dataset="cifar10", seeds=[0, 1, 2])
    epochs = {"plain8": [8.0, 8.0, 8.0], "resnet8": [4.0, 4.0, 4.0]}
    found = estimate(grid_of(given, ERRORS, epochs_to_20=epochs), "epochs_to_20", {"plain8": 1}, {"resnet8": 1})
    assert (found.estimate.value, found.sd) == (2, 0)
    rounding = 1 / 12 / 3  # of the mean of three numbers that are rounded to whole ones
    freedom = (1 + 2**2) ** 2 / (1 / 2 + 2**4 / 2)
    half = stats.t.ppf(0.975, freedom) * np.sqrt(rounding + 2**2 * rounding) / 4
    assert found.estimate.high - 2 == pytest.approx(half, rel=0.2)  # Fieller's is no symmetric one


def test_ratios_of_whole_epochs_cover_as_often_as_they_say(settings):
    """True means 40.3 and 20.2 with a spread of 1.5, two seeds, rounded up to whole epochs."""
    rng, hits = np.random.default_rng(0), []
    given = settings(dataset="cifar10", seeds=[0, 1])
    grid = grid_of(
        given, {name: row[:2] for name, row in ERRORS.items()}, epochs_to_20={"plain8": [1, 1], "resnet8": [1, 1]}
    )
    for _ in range(400):
        draws = np.ceil([*rng.normal(40.3, 1.5, 2), *rng.normal(20.2, 1.5, 2)])
        grid.runs["epochs_to_20"] = draws
        found = estimate(grid, "epochs_to_20", {"plain8": 1}, {"resnet8": 1}).estimate
        hits.append(found.low <= 40.8 / 20.7 <= found.high)  # a mean that is rounded up is half an epoch more
    assert np.mean(hits) > 0.92


def test_a_ratio_of_one_run_is_over_images(one):
    found = estimate(one, "test_error", {"plain8": 1}, {"resnet8": 1})
    assert found.estimate.value == pytest.approx(2)
    draws = np.random.default_rng(0).integers(0, 10_000, (1000, 10_000))
    ratios = [one.wrong["plain8-0"][draw].mean() / one.wrong["resnet8-0"][draw].mean() for draw in draws]
    assert (found.estimate.low, found.estimate.high) == pytest.approx(np.quantile(ratios, [0.025, 0.975]), abs=0.02)


def test_runs_that_share_images_are_paired_and_wider(settings):
    flowers = {"dataset": "flowers17", "variants": ["a", "b"], "seeds": [0, 1, 2]}
    arch = {"a": {"depth": 8, "classes": 17}, "b": {"depth": 8, "classes": 17}}
    given = settings(**flowers, arch=arch, train_size=1088)
    assert overlap(given) == 0.25
    assert overlap(settings(dataset="cifar10")) == 0
    errors = {"a": [20.0, 22.0, 21.0], "b": [10.0, 12.0, 12.0]}
    found = estimate(grid_of(given, errors), "test_error", {"a": 1, "b": -1})
    assert found.estimate == statistics.shared_splits(np.array([10.0, 10.0, 9.0]), 0.25)


def confusion(grid, right: dict[str, list[tuple[int, int]]], images: int = 1000):
    """`grid` with counts of two classes of so many images each, right in cat and dog by seed."""
    rows = [
        (variant, seed, actual, predicted, count if actual == predicted else images - count)
        for variant, seeds in right.items()
        for seed, counts in enumerate(seeds)
        for actual, count in zip(("cat", "dog"), counts, strict=True)
        for predicted in ("cat", "dog")
    ]
    table = pd.DataFrame(rows, columns=["variant", "seed", "actual", "predicted", "count"])
    return type(grid)(**vars(grid) | {"confusion": table})


def test_the_worst_class_is_the_one_with_the_least_gain(three):
    counts = {"plain8": [(700, 900), (710, 905), (705, 910)], "resnet8": [(800, 890), (805, 915), (803, 910)]}
    found = estimate(confusion(three, counts), "class_error", PAIR)
    assert found.where == "dog"
    assert found.estimate.value == pytest.approx(0)
    assert found.estimate.low < 0 < found.estimate.high
    assert found.estimate.test == "Welch's t over seeds, Bonferroni over 2 classes"


def test_the_worst_class_of_one_run_is_judged_on_its_own_images(one):
    actual, labels = one.actual, [one.actual % 2 == 0, one.actual % 2 == 1]
    right = {name: [tuple(int(np.sum(~wrong[part])) for part in labels)] for name, wrong in wrongs(one).items()}
    halved = type(one)(**vars(confusion(one, right, 5000)) | {"actual": actual % 2})
    found = estimate(halved, "class_error", PAIR)
    both = [(1, wrongs(one)["plain8"]), (-1, wrongs(one)["resnet8"])]
    gains = [100 * sum(sign * np.mean(wrong[part]) for sign, wrong in both) for part in labels]
    assert found.estimate.value == pytest.approx(min(gains), abs=1e-6)
    paired = [statistics.same_images([(sign, wrong[part]) for sign, wrong in both], 0.975) for part in labels]
    assert found.estimate.low == min(each.low for each in paired)
    assert found.estimate.test == "bootstrap over images, Bonferroni over 2 classes"


def wrongs(grid) -> dict[str, np.ndarray]:
    return {name: grid.wrong[f"{name}-0"] for name in ERRORS}


def test_the_least_gain_of_several_is_covered_as_often_as_promised(three):
    """Ten classes with a true gain of 2 points each: Bonferroni's interval of the least one, 95 % or more."""
    rng, hits = np.random.default_rng(1), []
    names = [f"class{i}" for i in range(10)]
    for _ in range(60):
        rows = [
            (variant, seed, name, predicted, count)
            for variant, error in (("plain8", 20), ("resnet8", 18))
            for seed in range(3)
            for name in names
            for right in [int(1000 - 10 * rng.normal(error, 1))]
            for predicted, count in ((name, right), ("other", 1000 - right))
        ]
        table = pd.DataFrame(rows, columns=["variant", "seed", "actual", "predicted", "count"])
        found = estimate(type(three)(**vars(three) | {"confusion": table}), "class_error", PAIR)
        hits.append(found.estimate.low <= 2 <= found.estimate.high)
    assert np.mean(hits) >= 0.9
