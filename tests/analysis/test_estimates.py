"""Estimates: which method is used for what, and what it is given."""

import numpy as np
import pandas as pd
import pytest
from conftest import grid_of
from scipy import stats

from pipeline.analysis import intervals
from pipeline.analysis.estimates import estimate, overlap

ERRORS = {"plain8": [20.0, 21.0, 22.5], "resnet8": [10.0, 10.5, 12.0]}
PAIR = {"plain8": 1, "resnet8": -1}


@pytest.fixture
def three(settings):
    return grid_of(settings(dataset="cifar10", train_size=50_000, seeds=[0, 1, 2]), ERRORS)


@pytest.fixture
def one(settings):
    return grid_of(settings(dataset="cifar10", train_size=50_000), {name: row[:1] for name, row in ERRORS.items()})


def test_differences_of_three_seeds_are_paired(three):
    found = estimate(three, "test_error", PAIR)
    differences = np.subtract(*ERRORS.values())
    assert found.estimate == intervals.student(differences)
    assert found.estimate.p == pytest.approx(stats.ttest_rel(*ERRORS.values()).pvalue)
    assert (found.n, found.sd) == (3, pytest.approx(np.std(differences, ddof=1)))
    shares = [np.mean(row) / 100 for row in ERRORS.values()]
    assert found.binomial_se == pytest.approx(100 * np.sqrt(sum(s * (1 - s) for s in shares) / 10_000))
    assert estimate(three, "test_error", PAIR, spread=0.4) == found  # which counts with fewer alone


def test_one_run_a_side_has_the_declared_spread_beside_the_images(one):
    found = estimate(one, "test_error", PAIR, spread=0.4)
    wrong = [one.wrong[f"{name}-0"] for name in PAIR]
    images = intervals.same_images(wrong[0].astype(int) - wrong[1])
    assert found.estimate == intervals.widened(images, 0.4 * np.sqrt(2))
    assert found.estimate.value == pytest.approx(10)
    accuracy = estimate(one, "test_accuracy", {"plain8": -1, "resnet8": 1}, spread=0.4)
    assert accuracy.estimate[:3] == pytest.approx(found.estimate[:3], abs=1e-9)
    assert np.isnan(found.sd)


def test_one_run_alone_has_wilsons_interval_and_the_spread(one):
    found = estimate(one, "test_error", {"plain8": 1}, spread=0.4).estimate
    expected = intervals.widened(intervals.wilson(20, 10_000), 0.4)
    assert found[:3] == expected[:3]
    assert np.isnan(found.p)  # nobody claims that an error is 0
    accuracy = estimate(one, "test_accuracy", {"plain8": 1}, spread=0.4).estimate
    assert (accuracy.low, accuracy.high) == pytest.approx((100 - found.high, 100 - found.low), abs=1e-9)


def test_training_errors_have_no_interval_over_the_images_that_were_fitted(one):
    found = estimate(one, "train_error", {"plain8": 1}, spread=0.4)
    assert found.estimate.high - found.estimate.value == pytest.approx(1.96 * 0.4, abs=1e-3)
    assert np.isnan(found.binomial_se)


def test_two_runs_halve_the_variance_over_seeds_and_not_that_over_images(settings):
    given = settings(dataset="cifar10", train_size=50_000, seeds=[0, 1])
    grid = grid_of(given, {name: row[:2] for name, row in ERRORS.items()})
    found = estimate(grid, "test_error", PAIR, spread=0.4)
    parts = [one / 2 * sign for name, sign in PAIR.items() for one in (grid.wrong[f"{name}-{s}"] for s in (0, 1))]
    error = np.hypot(100 * np.std(sum(parts)) / 100, 0.4)  # of 10,000 images; two networks, two seeds
    assert (found.n, found.estimate.value) == (2, 10.25)
    assert found.estimate.high - 10.25 == pytest.approx(1.96 * error, rel=0.01)


def test_two_runs_that_differ_by_more_than_was_declared_have_the_spread_that_they_show(settings):
    given = settings(dataset="cifar10", train_size=50_000, seeds=[0, 1])
    errors = {"plain8": [20.0, 26.0], "resnet8": [10.0, 10.0]}
    grid = grid_of(given, errors)
    found = estimate(grid, "test_error", PAIR, spread=0.4).estimate
    assert found.high - found.value == pytest.approx(1.96 * np.std([10, 16], ddof=1) / np.sqrt(2), rel=0.01)
    ratio = estimate(grid, "test_error", {"plain8": 1}, {"resnet8": 1}, spread=0.4).estimate
    assert ratio.low < 2 < ratio.high  # 2.3 with two spreads of 4.2
    assert (found.test, ratio.test) == (
        "bootstrap over images, spread of both seeds",
        "Fieller's interval, images and spread of both seeds",
    )
    for over in (None, {"resnet8": 1}):
        none = estimate(grid, "test_error", {"plain8": 1} if over else PAIR, over).estimate
        assert np.isnan([none.low, none.high]).all()


def test_without_a_declared_spread_one_run_has_no_interval(one):
    for measure, spread in (("train_loss", 0.4), ("test_error", np.nan)):
        found = estimate(one, measure, {"plain8": 1}, spread=spread)
        assert np.isnan([found.estimate.low, found.estimate.p]).all()


def test_the_gap_of_one_run_has_the_spread_of_both_parts(one):
    found = estimate(one, "accuracy_gap", {"plain8": 1}, spread=0.4)
    error = np.hypot(intervals.binomial_error(20, 10_000), 0.4 * np.sqrt(2))
    gap = 20 - 50 / 3
    assert found.estimate[:3] == pytest.approx((gap, gap - 1.96 * error, gap + 1.96 * error), abs=1e-3)


def test_an_epoch_before_the_last_has_no_predictions_and_is_binomial(one):
    found = estimate(one, "test_error", PAIR, epoch=1, spread=0.4)
    assert found.estimate.test == "binomial distribution over images, declared spread over seeds"


def test_what_changes_between_two_epochs_is_taken_by_seed(three):
    found = estimate(three, "test_error", {"plain8": 1}, epoch=3, since=1)
    assert found.estimate[:3] == intervals.student(np.array(ERRORS["plain8"]) - 61)[:3]


def epochs(settings, plain: list[float], residual: list[float]):
    given = settings(dataset="cifar10", seeds=list(range(len(plain))), epochs=200)
    errors = {name: row[: len(plain)] for name, row in ERRORS.items()}
    return grid_of(given, errors, epochs_to_20={"plain8": plain, "resnet8": residual})


def test_a_ratio_of_epochs_knows_them_to_within_one(settings):
    grid = epochs(settings, [8.0, 8.0, 8.0], [4.0, 4.0, 4.0])
    found = estimate(grid, "epochs_to_20", {"plain8": 1}, {"resnet8": 1})
    assert (found.estimate.value, found.sd) == (2, 0)
    rounding = 1 / 12 / 3  # of the mean of three numbers that are rounded to whole ones
    half = stats.t.ppf(0.975, 2) * np.sqrt(rounding + 2**2 * rounding) / 4
    assert found.estimate.high - 2 == pytest.approx(half, rel=0.2)  # Fieller's is no symmetric one


def test_a_network_that_never_gets_there_is_censored_not_missing(settings):
    """80 epochs at the first rate, of 200."""
    found = estimate(epochs(settings, [np.inf], [9.0]), "epochs_to_20", {"plain8": 1}, {"resnet8": 1}).estimate
    assert found.value == 80 / 9
    assert np.isnan([found.low, found.high]).all()
    plain, residual = [np.inf, 40.0, 60.0], [8.0, 10.0, 9.0]
    ratio = estimate(epochs(settings, [80.0, *plain[1:]], residual), "epochs_to_20", {"plain8": 1}, {"resnet8": 1})
    found = estimate(epochs(settings, plain, residual), "epochs_to_20", {"plain8": 1}, {"resnet8": 1}).estimate
    assert found[:3] == (60 / 9, ratio.estimate.low, np.inf)
    assert found.test == "censored: more than"
    ratio = estimate(epochs(settings, residual, [80.0, *plain[1:]]), "epochs_to_20", {"plain8": 1}, {"resnet8": 1})
    found = estimate(epochs(settings, residual, plain), "epochs_to_20", {"plain8": 1}, {"resnet8": 1}).estimate
    assert found[:3] == (9 / 60, 0, ratio.estimate.high)
    assert found.test == "censored: less than"
    none = estimate(epochs(settings, [np.inf], [np.inf]), "epochs_to_20", {"plain8": 1}, {"resnet8": 1}).estimate
    assert np.isnan(none.value)


def test_ratios_of_whole_epochs_cover_as_often_as_they_say(settings):
    """True means 40.3 and 20.2 with a spread of 1.5, a third of the variance shared, rounded up to whole epochs."""
    rng, hits = np.random.default_rng(0), []
    grid = epochs(settings, [1, 1, 1], [1, 1, 1])
    for _ in range(400):
        shared = rng.normal(0, np.sqrt(0.75), 3)
        draws = [mean + shared + rng.normal(0, np.sqrt(1.5), 3) for mean in (40.3, 20.2)]
        grid.runs["epochs_to_20"] = np.ceil(np.concatenate(draws))
        found = estimate(grid, "epochs_to_20", {"plain8": 1}, {"resnet8": 1}).estimate
        hits.append(found.low <= 40.8 / 20.7 <= found.high)  # a mean that is rounded up is half an epoch more
    assert np.mean(hits) > 0.92


def test_a_ratio_of_errors_of_one_run_is_over_images_and_seeds(one):
    """By simulation: both errors drawn on other images, and moved by other seeds."""
    found = estimate(one, "test_error", {"plain8": 1}, {"resnet8": 1}, spread=0.4)
    assert found.estimate.value == pytest.approx(2)
    rng = np.random.default_rng(0)
    draws = rng.integers(0, 10_000, (2000, 10_000))
    means = [100 * one.wrong[f"{name}-0"][draws].mean(1) + rng.normal(0, 0.4, 2000) for name in PAIR]
    bounds = np.quantile(means[0] / means[1], [0.025, 0.975])
    assert (found.estimate.low, found.estimate.high) == pytest.approx(bounds, abs=0.03)
    assert np.isnan(estimate(one, "test_error", {"plain8": 1}, {"resnet8": 1}).estimate.low)


def test_before_training_there_are_seeds_of_their_own(one):
    initial = pd.DataFrame({"variant": ["plain8"] * 8 + ["resnet8"] * 8, "seed": [*range(8)] * 2})
    initial["gradient_reach"] = [2 + 0.1 * i for i in range(8)] + [0.1 * i for i in range(8)]
    grid = type(one)(**vars(one) | {"initial": initial})
    found = estimate(grid, "gradient_reach_initial", {"plain8": 1, "resnet8": -1})
    assert (found.n, found.estimate.value) == (8, pytest.approx(2))
    assert found.estimate.high - found.estimate.low == pytest.approx(0, abs=1e-9)  # paired, they differ by 2 each


def test_runs_that_share_images_are_paired_and_wider(settings):
    flowers = {"dataset": "flowers17", "variants": ["a", "b"], "seeds": [0, 1, 2]}
    arch = {"a": {"depth": 8, "classes": 17}, "b": {"depth": 8, "classes": 17}}
    given = settings(**flowers, arch=arch, train_size=1088)
    assert overlap(given) == 0.25
    assert overlap(given.model_copy(update={"train_size": 544})) == 0.5
    assert overlap(settings(dataset="cifar10")) == 0
    errors = {"a": [20.0, 22.0, 21.0], "b": [10.0, 12.0, 12.0]}
    found = estimate(grid_of(given, errors), "test_error", {"a": 1, "b": -1})
    assert found.estimate == intervals.student(np.array([10.0, 10.0, 9.0]), overlap=0.25)
    ratio = estimate(grid_of(given, errors), "test_error", {"a": 1}, {"b": 1}).estimate
    # Fieller's bounds are the r for which the mean of a - r b is at the end of its own interval
    for bound in (ratio.low, ratio.high):
        both = intervals.student(np.array(errors["a"]) - bound * np.array(errors["b"]), overlap=0.25)
        assert min(abs(both.low), abs(both.high)) == pytest.approx(0, abs=1e-6)


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


def test_every_class_is_a_claim_of_its_own_and_all_must_hold(three):
    counts = {"plain8": [(700, 900), (710, 905), (705, 910)], "resnet8": [(800, 890), (805, 915), (803, 910)]}
    found = estimate(confusion(three, counts), "class_error", PAIR)
    assert (found.where, found.estimate.value) == ("dog", pytest.approx(0))
    steady = counts | {"resnet8": [(702, 960), (760, 965), (715, 970)]}  # cat gains less on the mean, dog for sure
    steady["plain8"] = [(700, 955), (700, 960), (700, 965)]
    assert estimate(confusion(three, steady), "class_error", PAIR).where == "cat"
    gains = {"cat": np.array([10, 9.5, 9.8]), "dog": np.array([-1, 1, 0])}
    own = {name: intervals.student(row) for name, row in gains.items()}
    strict = {name: intervals.student(row, 0.975) for name, row in gains.items()}
    assert found.estimate.low == pytest.approx(min(one.low for one in own.values()))
    assert found.estimate.high == pytest.approx(min(one.high for one in strict.values()))
    assert found.estimate.test == "Student's t over seeds, all of 2 classes"


def test_a_class_that_is_lost_for_sure_is_named(three):
    """Cat loses a point each time; dog loses more on the mean, but not for sure."""
    counts = {"plain8": [(700, 900), (700, 900), (700, 900)], "resnet8": [(690, 950), (690, 850), (690, 830)]}
    found = estimate(confusion(three, counts), "class_error", PAIR)
    assert (found.where, found.estimate.value) == ("cat", pytest.approx(-7 / 3))
    assert found.estimate.high < 0


def test_classes_of_splits_that_share_images_have_wider_intervals(settings):
    arch = {name: {"depth": 8, "classes": 17} for name in PAIR}
    given = settings(dataset="flowers17", variants=list(PAIR), seeds=[0, 1, 2], arch=arch, train_size=1088)
    counts = {"plain8": [(700, 900), (710, 905), (705, 910)], "resnet8": [(800, 990), (805, 985), (803, 990)]}
    found = estimate(confusion(grid_of(given, ERRORS), counts), "class_error", PAIR)
    gains = (np.array([10, 9.5, 9.8]), np.array([9, 8, 8]))
    assert found.estimate.low == pytest.approx(min(intervals.student(row, overlap=0.25).low for row in gains))


def test_two_runs_apart_in_a_class_have_their_own_spread_there(settings):
    given = settings(dataset="cifar10", train_size=50_000, seeds=[0, 1])
    grid = grid_of(given, {name: row[:2] for name, row in ERRORS.items()})
    counts = {"plain8": [(3000, 3000), (3500, 3000)], "resnet8": [(4000, 4500), (4000, 4500)]}
    halved = type(grid)(**vars(confusion(grid, counts, 5000)) | {"actual": grid.actual % 2})
    found = estimate(halved, "class_error", PAIR, spread=0.4).estimate
    assert found.test == "bootstrap over images, spread of both seeds, all of 2 classes"  # 10 and 20 points in cat
    assert found.high - found.low > 1.96 * 10 / np.sqrt(2) / np.sqrt(2)
    none = estimate(halved, "class_error", PAIR).estimate
    assert (np.isnan(none.low), none.test) == (True, "")


def test_classes_of_one_run_are_judged_on_their_own_images_and_the_spread(one):
    actual, labels = one.actual, [one.actual % 2 == 0, one.actual % 2 == 1]
    right = {name: [tuple(int(np.sum(~wrong[part])) for part in labels)] for name, wrong in wrongs(one).items()}
    halved = type(one)(**vars(confusion(one, right, 5000)) | {"actual": actual % 2})
    found = estimate(halved, "class_error", PAIR, spread=0.4)
    difference = np.subtract(*wrongs(one).values(), dtype=int)
    gains = [100 * np.mean(difference[part]) for part in labels]
    assert found.estimate.value == pytest.approx(min(gains), abs=1e-6)
    lows = [intervals.widened(intervals.same_images(difference[part]), 0.4 * np.sqrt(2 * 2)).low for part in labels]
    assert found.estimate.low == pytest.approx(min(lows))


def wrongs(grid) -> dict[str, np.ndarray]:
    return {name: grid.wrong[f"{name}-0"] for name in ERRORS}


@pytest.mark.parametrize(("least", "rate"), [pytest.param(0.0, 0.025, marks=pytest.mark.slow), (2.0, None)])
def test_all_classes_are_said_to_gain_no_more_often_than_promised(three, least, rate):
    """Nine classes that gain far, one that gains nothing: an intersection's test errs in at most 2.5 %, unadjusted."""
    rng, claimed = np.random.default_rng(1), []
    names = [f"class{i}" for i in range(10)]
    for _ in range(400 if rate else 40):
        rows = [
            (variant, seed, name, predicted, count)
            for variant, error in (("plain8", 20), ("resnet8", 10))
            for seed in range(3)
            for name in names
            for gain in [(20 - least if name == "class0" else 10) if variant == "resnet8" else error]
            for right in [10_000 - 100 * rng.normal(gain, 0.3)]
            for predicted, count in ((name, right), ("other", 10_000 - right))
        ]
        table = pd.DataFrame(rows, columns=["variant", "seed", "actual", "predicted", "count"])
        found = estimate(type(three)(**vars(three) | {"confusion": table}), "class_error", PAIR)
        claimed.append(found.estimate.low > 0)
    assert np.mean(claimed) <= 0.05 if rate else np.mean(claimed) > 0.5
