"""How sure a number is: estimates with their 95 % interval and the test that gave it, each by scipy or NumPy.

Several runs a side, from independent seeds: Student's t for a mean, Welch's for a difference, which does not take the
spreads for equal; with more than two means by the same formula of Satterthwaite (1946). One run a side: the test images
are the sample. Wilson's interval (1927) for one network; for a difference, whose networks see the same images, a
bootstrap over images, with McNemar's exact test (1947) of whether the images that only one of two gets right are evenly
shared. A ratio has Fieller's interval (1954). Errors and accuracies are in percent, as everywhere.
"""

from collections.abc import Sequence
from typing import NamedTuple

import numpy as np
from scipy import stats

CONFIDENCE = 0.95
RESAMPLES = 10_000


class Estimate(NamedTuple):
    """A value, the bounds of its interval, the p value of its being zero (of a ratio: one), and how it was tested.

    NaN where nothing is known; a bound is infinite where the data sets none.
    """

    value: float
    low: float = np.nan
    high: float = np.nan
    p: float = np.nan
    test: str = ""


class Sum(NamedTuple):
    """A sum of means, each with a sign: its value, its squared standard error, and its degrees of freedom."""

    value: float
    variance: float
    freedom: float


def binomial_error(percent: float, images: int) -> float:
    """Standard error in points of a share of `images`, in percent: what another draw of images would move it by."""
    share = percent / 100
    return float(100 * np.sqrt(share * (1 - share) / images))


def wilson(percent: float, images: int) -> Estimate:
    """A share of `images`, in percent, of one run."""
    hits = round(percent / 100 * images)
    low, high = stats.binomtest(hits, images).proportion_ci(CONFIDENCE, method="wilson")
    return Estimate(percent, 100 * low, 100 * high, test="Wilson's interval over images")


def add(groups: Sequence[tuple[int, np.ndarray]]) -> Sum:
    """The sum of the groups' means, each (n,) with n at least 2 and a sign; Satterthwaite's degrees of freedom."""
    means = sum(sign * values.mean() for sign, values in groups)
    parts = np.array([values.var(ddof=1) / len(values) for _, values in groups])
    weights = np.array([len(values) - 1 for _, values in groups])
    degrees = parts.sum() ** 2 / (parts**2 / weights).sum() if parts.sum() else weights.sum()
    return Sum(float(means), float(parts.sum()), float(degrees))


def seeds(groups: Sequence[tuple[int, np.ndarray]], confidence: float = CONFIDENCE) -> Estimate:
    """The sum of the groups' means, one value a seed: a mean by Student's t, a difference by Welch's."""
    total = add(groups)
    error = np.sqrt(total.variance)
    half = stats.t.ppf((1 + confidence) / 2, total.freedom) * error
    p = 2 * stats.t.sf(abs(total.value) / error, total.freedom) if error else float(total.value == 0)
    p = p if len(groups) > 1 else np.nan  # that a mean is zero is no question
    test = {1: "Student's t over seeds", 2: "Welch's t over seeds"}.get(len(groups), "Welch's t over seeds, of a sum")
    return Estimate(total.value, total.value - half, total.value + half, float(p), test)


def shared_splits(values: np.ndarray, ratio: float) -> Estimate:
    """The mean of `values` (n,), one a seed, of runs whose parts of the data overlap and so vary together.

    With `ratio` of test to training images the variance of their mean is (1/n + ratio) times theirs instead of 1/n
    (Nadeau and Bengio 2003, section 3).
    """
    error = values.std(ddof=1) * np.sqrt(1 / len(values) + ratio)
    half = stats.t.ppf((1 + CONFIDENCE) / 2, len(values) - 1) * error
    p = 2 * stats.t.sf(abs(values.mean()) / error, len(values) - 1) if error else float(values.mean() == 0)
    test = "t over paired splits, Nadeau and Bengio"
    return Estimate(float(values.mean()), float(values.mean() - half), float(values.mean() + half), float(p), test)


def normal(value: float, error: float) -> Estimate:
    """A value with its standard error, of one run a side."""
    half = stats.norm.ppf((1 + CONFIDENCE) / 2) * error
    p = 2 * stats.norm.sf(abs(value) / error) if error else float(value == 0)
    return Estimate(value, value - half, value + half, float(p), "binomial distribution over images")


def mcnemar(one_wrong: np.ndarray, other_wrong: np.ndarray) -> float:
    """The p value of two networks' being equally good, from booleans (images,), wrong or not on the same images."""
    only_one = int(np.sum(one_wrong & ~other_wrong))
    only_other = int(np.sum(other_wrong & ~one_wrong))
    if only_one + only_other == 0:
        return 1.0
    return float(stats.binomtest(only_one, only_one + only_other, 0.5).pvalue)


def same_images(groups: Sequence[tuple[int, np.ndarray]], confidence: float = CONFIDENCE) -> Estimate:
    """The sum of errors in points, of one run each on the same images: booleans (images,), wrong or not, with a sign.

    A percentile bootstrap (Efron 1979), drawn from seed 0; of two networks p is McNemar's.
    """
    per_image = sum(sign * wrong.astype(int) for sign, wrong in groups)
    values, counts = np.unique(per_image, return_counts=True)  # a resample is a draw of how often each value comes
    draws = np.random.default_rng(0).multinomial(len(per_image), counts / len(per_image), RESAMPLES)
    tail = (1 - confidence) / 2
    low, high = np.quantile(100 * draws @ values / len(per_image), [tail, 1 - tail])
    p, test = np.nan, "bootstrap over images"
    if [sign for sign, _ in groups] in ([1, -1], [-1, 1]):
        p, test = mcnemar(groups[0][1], groups[1][1]), "bootstrap over images, p by McNemar's test"
    return Estimate(100 * float(per_image.mean()), float(low), float(high), p, test)


def ratio(over: Sum, under: Sum, covariance: float = 0.0) -> Estimate:
    """`over` / `under` with Fieller's interval: all r for which over - r under may be zero.

    Where `under` is not above zero there is no ratio to speak of, and where it may be zero, no bound is known.
    """
    a, b = over.value, under.value
    if not np.isfinite([a, b]).all() or b <= 0:
        return Estimate(np.nan)
    r = a / b
    t2 = stats.t.ppf((1 + CONFIDENCE) / 2, freedom(over, under, r)) ** 2
    p2, p1, p0 = b**2 - t2 * under.variance, -2 * (a * b - t2 * covariance), a**2 - t2 * over.variance
    if not p2 > 0:
        return Estimate(r, -np.inf, np.inf, test="Fieller's interval")
    half = np.sqrt(max(p1**2 - 4 * p2 * p0, 0)) / (2 * p2)
    low, high = -p1 / (2 * p2) - half, -p1 / (2 * p2) + half
    error = np.sqrt(over.variance + under.variance - 2 * covariance)
    p = 2 * stats.t.sf(abs(a - b) / error, freedom(over, under, 1.0)) if error else float(a == b)
    return Estimate(r, float(low), float(high), float(p), "Fieller's interval")


def freedom(over: Sum, under: Sum, r: float) -> float:
    """Satterthwaite's degrees of freedom of over - r under; infinite where neither varies."""
    parts = np.array([over.variance, r**2 * under.variance])
    weights = np.array([over.freedom, under.freedom])
    return float(parts.sum() ** 2 / (parts**2 / weights).sum()) if (parts**2 / weights).sum() else np.inf
