"""Statistics: worked examples from the literature, and the rates that they promise, by simulation."""

import numpy as np
import pytest
from scipy import stats

from pipeline.analysis import intervals


def test_the_binomial_error_is_that_of_the_formula():
    """0.25 to 0.34 points on 10,000 images for errors of 7 to 13 %, as the published tables have it."""
    assert intervals.binomial_error(6.97, 10_000) == pytest.approx(0.2546, abs=1e-3)
    assert intervals.binomial_error(13.26, 10_000) == pytest.approx(0.3391, abs=1e-3)


def test_wilsons_interval_of_newcombe():
    """Newcombe 1998, Table I: 81 of 263, score method without correction, 0.2553 to 0.3662."""
    found = intervals.wilson(100 * 81 / 263, 263)
    assert (found.low, found.high) == pytest.approx((25.53, 36.62), abs=0.005)


def test_students_interval_by_the_table():
    """t(0.975, 4) = 2.776 of any table; s = sqrt(2.5)."""
    found = intervals.student(np.array([1.0, 2, 3, 4, 5]))
    half = 2.776 * np.sqrt(2.5) / np.sqrt(5)
    assert found[:3] == pytest.approx((3, 3 - half, 3 + half), abs=1e-3)
    assert found.test == "Student's t over seeds"


def test_differences_by_seed_are_scipys_paired_test():
    """Of study C's three seeds of 10 epochs, as LOG.md has them: the audit found p = 0.069."""
    one, other = np.array([18.27, 17.17, 16.86]), np.array([15.32, 15.82, 15.46])
    found = intervals.student(one - other)
    assert found.p == pytest.approx(0.069, abs=5e-4)
    expected = stats.ttest_rel(one, other)
    interval = expected.confidence_interval(0.95)
    assert found.p == pytest.approx(expected.pvalue)
    assert (found.low, found.high) == pytest.approx((interval.low, interval.high))


@pytest.mark.parametrize("shares", [(0.3, 0.2), (0.3, 0.2, 0.4, 0.35)])
def test_the_bootstrap_is_that_of_a_loop_over_images(shares):
    rng = np.random.default_rng(1)
    groups = [(sign, rng.random(400) < share) for sign, share in zip((1, -1, -1, 1), shares, strict=False)]
    found = intervals.same_images(sum(sign * one for sign, one in groups))
    slow = []
    for _ in range(4000):
        chosen = rng.integers(0, 400, 400)
        slow.append(100 * sum(sign * one[chosen].mean() for sign, one in groups))
    assert found.value == pytest.approx(100 * sum(sign * one.mean() for sign, one in groups))
    assert (found.low, found.high) == pytest.approx(np.quantile(slow, [0.025, 0.975]), abs=0.6)


def test_the_bootstrap_has_drawn_enough_for_its_second_digit():
    """Another million draws move no bound by more than the audit's third digit; ten thousand moved the second."""
    rng = np.random.default_rng(5)
    per_image = (rng.random(10_000) < 0.124).astype(int) - (rng.random(10_000) < 0.114)
    found = intervals.same_images(per_image)
    values, counts = np.unique(per_image, return_counts=True)
    draws = np.random.default_rng(9).multinomial(10_000, counts / 10_000, 1_000_000) @ values / 100
    assert (found.low, found.high) == pytest.approx(np.quantile(draws, [0.025, 0.975]), abs=0.006)


def test_a_declared_spread_is_added_in_quadrature():
    images = intervals.normal(1.0, 0.3, "images")
    found = intervals.widened(images, 0.4)
    assert found[:3] == pytest.approx((1, 1 - 1.959964 * 0.5, 1 + 1.959964 * 0.5), abs=1e-4)
    assert found.p == pytest.approx(2 * stats.norm.sf(1 / 0.5), rel=1e-4)
    alone = intervals.widened(intervals.Estimate(1.0), 0.4)
    assert (alone.low, alone.test) == (pytest.approx(1 - 1.959964 * 0.4, abs=1e-4), "declared spread over seeds")


def test_a_ratio_has_the_bounds_at_which_the_difference_is_just_possible():
    """Fieller's: at either bound r the difference a - r b is t standard errors from zero."""
    a, b, covariance = intervals.Sum(8.0, 0.5), intervals.Sum(3.0, 0.2), 0.1
    found = intervals.ratio(a, b, covariance, freedom=4)
    for r in (found.low, found.high):
        error = np.sqrt(0.5 - 2 * r * covariance + r**2 * 0.2)
        assert abs(8 - r * 3) / error == pytest.approx(stats.t.ppf(0.975, 4))
    assert found.low < 8 / 3 == found.value < found.high
    assert np.isnan(intervals.ratio(a, intervals.Sum(-3.0, 0.2)).value)
    unknown = intervals.ratio(a, intervals.Sum(0.5, 0.2))
    assert (unknown.low, unknown.high) == (-np.inf, np.inf)


def test_runs_that_share_images_have_a_wider_interval():
    """Nadeau and Bengio 2003: with n = 5 and a fifth held out, 1/n + n_test/n_train = 0.2 + 0.25, 1.5 times as wide."""
    values = np.array([1.0, 2, 3, 4, 5])
    narrow, wide = intervals.student(values), intervals.student(values, overlap=0.25)
    assert (wide.high - wide.low) / (narrow.high - narrow.low) == pytest.approx(1.5)


def test_no_difference_is_found_as_often_as_promised():
    """False positives near 5 %, also where runs of one seed vary together; p and interval agree."""
    rng = np.random.default_rng(2)
    pairs = []
    for _ in range(2000):
        shared = rng.normal(0, 3, 3)
        pairs.append(intervals.student((shared + rng.normal(0, 1, 3)) - (shared + rng.normal(0, 2, 3))))
    assert np.mean([pair.p < 0.05 for pair in pairs]) == pytest.approx(0.05, abs=0.015)
    assert all((pair.p < 0.05) != (pair.low <= 0 <= pair.high) for pair in pairs)


def test_one_run_with_a_spread_covers_as_often_as_it_says(monkeypatch):
    """True errors of 12 and 11 %, moved by a seed with a standard deviation of 0.4, then drawn on 10,000 images."""
    monkeypatch.setattr(intervals, "RESAMPLES", 2000)
    rng, hits, alone = np.random.default_rng(4), [], []
    for _ in range(400):
        shares = np.array([12.0, 11.0]) + rng.normal(0, 0.4, 2)
        images = intervals.same_images(np.subtract(*(rng.random(10_000) < share / 100 for share in shares), dtype=int))
        found = intervals.widened(images, 0.4 * np.sqrt(2))
        hits.append(found.low <= 1 <= found.high)
        alone.append(images.low <= 1 <= images.high)
    assert np.mean(hits) == pytest.approx(0.95, abs=0.03)
    assert np.mean(alone) < 0.85  # which is why images alone decide nothing


def test_intervals_cover_as_often_as_they_say():
    rng = np.random.default_rng(3)
    means = [intervals.student(rng.normal(5, 2, 3)) for _ in range(2000)]
    assert np.mean([one.low <= 5 <= one.high for one in means]) == pytest.approx(0.95, abs=0.015)
    ratios = []
    for _ in range(2000):
        shared = rng.normal(0, 1, 3)
        one, other = 40 + shared + rng.normal(0, 3, 3), 20 + shared + rng.normal(0, 2, 3)
        covariance = np.cov(one, other)[0, 1] / 3
        ratios.append(intervals.ratio(intervals.add(one), intervals.add(other), covariance, freedom=2))
    assert np.mean([one.low <= 2 <= one.high for one in ratios]) == pytest.approx(0.95, abs=0.02)
    # two runs of n share a fifth of what varies: the variance of their mean is (1/n + 1/4) times that of one
    common, own = rng.normal(0, np.sqrt(0.2), (2000, 1)), rng.normal(0, np.sqrt(0.8), (2000, 5))
    splits = [intervals.student(row, overlap=0.25) for row in common + own]
    assert np.mean([one.low <= 0 <= one.high for one in splits]) == pytest.approx(0.95, abs=0.02)
    shares = [intervals.wilson(100 * rng.binomial(500, 0.08) / 500, 500) for _ in range(2000)]
    assert np.mean([one.low <= 8 <= one.high for one in shares]) == pytest.approx(0.95, abs=0.015)


def test_without_spread_nothing_breaks():
    same = np.array([2.0, 2.0])
    assert intervals.student(same - same)[:4] == (0, 0, 0, 1)
    assert intervals.student(same - (same + 1))[:4] == (-1, -1, -1, 0)
    assert intervals.student(same, overlap=0.25)[:4] == (2, 2, 2, 0)
    assert intervals.ratio(intervals.Sum(4.0, 0.0), intervals.Sum(2.0, 0.0))[:4] == (2, 2, 2, 0)
