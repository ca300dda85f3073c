"""Statistics: worked examples from the literature, and the rates that they promise, by simulation."""

import numpy as np
import pytest
from scipy import stats

from pipeline import statistics


def wrong(*counts: tuple[bool, int]) -> np.ndarray:
    return np.concatenate([np.full(count, value) for value, count in counts])


def test_the_binomial_error_is_that_of_the_formula():
    """0.25 to 0.34 points on 10,000 images for errors of 7 to 13 %, as the published tables have it."""
    assert statistics.binomial_error(6.97, 10_000) == pytest.approx(0.2546, abs=1e-3)
    assert statistics.binomial_error(13.26, 10_000) == pytest.approx(0.3391, abs=1e-3)


def test_wilsons_interval_of_newcombe():
    """Newcombe 1998, Table I: 81 of 263, score method without correction, 0.2553 to 0.3662."""
    found = statistics.wilson(100 * 81 / 263, 263)
    assert (found.low, found.high) == pytest.approx((25.53, 36.62), abs=0.005)


def test_students_interval_by_the_table():
    """t(0.975, 4) = 2.776 of any table; s = sqrt(2.5)."""
    found = statistics.seeds([(1, np.array([1.0, 2, 3, 4, 5]))])
    half = 2.776 * np.sqrt(2.5) / np.sqrt(5)
    assert found[:3] == pytest.approx((3, 3 - half, 3 + half), abs=1e-3)
    assert np.isnan(found.p)
    assert found.test == "Student's t over seeds"


def test_welchs_test_is_scipys():
    one = np.array([27.5, 21.0, 19.0, 23.6, 17.0, 17.9, 16.9, 20.1, 21.9, 22.6, 23.1, 19.6, 19.0, 21.7, 21.4])
    other = np.array([27.1, 22.0, 20.8, 23.4, 23.4, 23.5, 25.8, 22.0, 24.8, 20.2, 21.9, 22.1, 22.9, 30.0, 23.9, 25.0])
    found = statistics.seeds([(1, one), (-1, other)])
    expected = stats.ttest_ind(one, other, equal_var=False)
    interval = expected.confidence_interval(0.95)
    assert found.p == pytest.approx(expected.pvalue)
    assert (found.low, found.high) == pytest.approx((interval.low, interval.high))
    assert found.test == "Welch's t over seeds"


def test_a_sum_of_four_means_has_satterthwaites_degrees_of_freedom():
    """By hand: variances of means 1, 1, 4, 4 with 2, 2, 1, 1 degrees: 10 ** 2 / (1/2 + 1/2 + 16 + 16)."""
    wide, narrow = np.array([0.0, 4.0]), np.array([-np.sqrt(3), 0, np.sqrt(3)])
    total = statistics.add([(1, narrow), (-1, narrow), (1, wide), (1, wide + 1)])
    assert total == pytest.approx((2 + 3, 10, 100 / 33))


def test_mcnemars_exact_p():
    """Of 10 images that one of two gets wrong alone, 9 and 1: twice the binomial tail, 22 / 1024."""
    one = wrong((True, 9), (False, 1), (True, 50), (False, 40))
    other = wrong((False, 9), (True, 1), (True, 50), (False, 40))
    assert statistics.mcnemar(one, other) == pytest.approx(22 / 1024)
    assert statistics.mcnemar(one, one) == 1


def test_the_bootstrap_is_that_of_a_loop_over_images():
    rng = np.random.default_rng(1)
    groups = [(sign, rng.random(400) < share) for sign, share in ((1, 0.3), (-1, 0.2), (-1, 0.4), (1, 0.35))]
    for few in (groups[:2], groups):
        found = statistics.same_images(few)
        slow = []
        for _ in range(2000):
            chosen = rng.integers(0, 400, 400)
            slow.append(100 * sum(sign * one[chosen].mean() for sign, one in few))
        assert found.value == pytest.approx(100 * sum(sign * one.mean() for sign, one in few))
        assert (found.low, found.high) == pytest.approx(np.quantile(slow, [0.025, 0.975]), abs=0.8)
        assert found[:3] == statistics.same_images(few)[:3]
    assert statistics.same_images(groups[:2]).p == statistics.mcnemar(groups[0][1], groups[1][1])
    assert np.isnan(statistics.same_images(groups).p)


def test_a_ratio_has_the_bounds_at_which_the_difference_is_just_possible():
    """Fieller's: at either bound r the difference a - r b is t standard errors from zero."""
    a, b = statistics.Sum(8.0, 0.5, 4.0), statistics.Sum(3.0, 0.2, 4.0)
    found = statistics.ratio(a, b)
    freedom = (0.5 + (8 / 3) ** 2 * 0.2) ** 2 / (0.25 / 4 + (8 / 3) ** 4 * 0.04 / 4)
    for r in (found.low, found.high):
        assert abs(8 - r * 3) / np.sqrt(0.5 + r**2 * 0.2) == pytest.approx(stats.t.ppf(0.975, freedom))
    assert found.low < 8 / 3 == found.value < found.high
    assert np.isnan(statistics.ratio(a, statistics.Sum(-3.0, 0.2, 4.0)).value)
    unknown = statistics.ratio(a, statistics.Sum(0.5, 0.2, 4.0))
    assert (unknown.low, unknown.high) == (-np.inf, np.inf)


def test_runs_that_share_images_have_a_wider_interval():
    """Nadeau and Bengio 2003: with n = 5 and a fifth held out, 1/n + n_test/n_train = 0.2 + 0.25, 1.5 times as wide."""
    values = np.array([1.0, 2, 3, 4, 5])
    narrow, wide = statistics.seeds([(1, values)]), statistics.shared_splits(values, 0.25)
    assert (wide.high - wide.low) / (narrow.high - narrow.low) == pytest.approx(1.5)


def test_no_difference_is_found_as_often_as_promised():
    """False positives of Welch near 5 %, of the exact McNemar at most that; p and interval agree."""
    rng = np.random.default_rng(2)
    pairs = [statistics.seeds([(1, rng.normal(0, 1, 3)), (-1, rng.normal(0, 2, 3))]) for _ in range(2000)]
    assert np.mean([pair.p < 0.05 for pair in pairs]) == pytest.approx(0.05, abs=0.015)
    assert all((pair.p < 0.05) != (pair.low <= 0 <= pair.high) for pair in pairs)
    images = [statistics.same_images([(s, rng.random(1000) < 0.1) for s in (1, -1)]) for _ in range(500)]
    assert np.mean([one.p < 0.05 for one in images]) <= 0.06
    assert np.mean([one.low <= 0 <= one.high for one in images]) == pytest.approx(0.95, abs=0.03)


def test_intervals_cover_as_often_as_they_say():
    rng = np.random.default_rng(3)
    means = [statistics.seeds([(1, rng.normal(5, 2, 3))]) for _ in range(2000)]
    assert np.mean([one.low <= 5 <= one.high for one in means]) == pytest.approx(0.95, abs=0.015)
    ratios = [
        statistics.ratio(statistics.add([(1, rng.normal(40, 3, 3))]), statistics.add([(1, rng.normal(20, 2, 3))]))
        for _ in range(2000)
    ]
    assert np.mean([one.low <= 2 <= one.high for one in ratios]) == pytest.approx(0.95, abs=0.02)
    # two runs of n share a fifth of what varies: the variance of their mean is (1/n + 1/4) times that of one
    common, own = rng.normal(0, np.sqrt(0.2), (2000, 1)), rng.normal(0, np.sqrt(0.8), (2000, 5))
    splits = [statistics.shared_splits(row, 0.25) for row in common + own]
    assert np.mean([one.low <= 0 <= one.high for one in splits]) == pytest.approx(0.95, abs=0.02)
    shares = [statistics.wilson(100 * rng.binomial(500, 0.08) / 500, 500) for _ in range(2000)]
    assert np.mean([one.low <= 8 <= one.high for one in shares]) == pytest.approx(0.95, abs=0.015)


def test_without_spread_nothing_breaks():
    same = np.array([2.0, 2.0])
    assert statistics.seeds([(1, same), (-1, same)])[:4] == (0, 0, 0, 1)
    assert statistics.seeds([(1, same), (-1, same + 1)])[:4] == (-1, -1, -1, 0)
    assert statistics.shared_splits(same, 0.25)[:4] == (2, 2, 2, 0)
    point = statistics.Sum(4.0, 0.0, np.inf)
    assert statistics.ratio(point, statistics.Sum(2.0, 0.0, np.inf))[:4] == (2, 2, 2, 0)
