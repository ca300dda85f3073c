"""How sure a number is: estimates with their 95 % interval and the test that gave it, each by scipy or NumPy.

Several runs a side: Student's t over seeds, of a difference over the differences by seed, since runs of one seed share
batches, crops and starting weights. Fewer than three: an interval over test images, Wilson's (1927) for one network and
a bootstrap (Efron 1979) for several, which see the same images, widened by a spread over seeds that was declared. A
ratio has Fieller's interval (1954). Errors and accuracies are in percent, as everywhere.
"""

from typing import NamedTuple

import numpy as np
from scipy import stats

CONFIDENCE = 0.95
RESAMPLES = 1_000_000
DECLARED = "declared spread over seeds"


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
    """A sum of means, each with a sign: its value and its squared standard error."""

    value: float
    variance: float


def quantile(confidence: float = CONFIDENCE, freedom: float = np.inf) -> float:
    """Of Student's t with `freedom` degrees of freedom, two-sided; the normal distribution's where that is infinite."""
    return float(stats.t.ppf((1 + confidence) / 2, freedom))


def binomial_error(percent: float, images: int) -> float:
    """Standard error in points of a share of `images`, in percent: what another draw of images would move it by."""
    share = percent / 100
    return float(100 * np.sqrt(share * (1 - share) / images))


def wilson(percent: float, images: int) -> Estimate:
    """A share of `images`, in percent, of one run."""
    hits = round(percent / 100 * images)
    low, high = stats.binomtest(hits, images).proportion_ci(CONFIDENCE, method="wilson")
    return Estimate(percent, 100 * low, 100 * high, test="Wilson's interval over images")


def student(values: np.ndarray, confidence: float = CONFIDENCE, overlap: float = 0.0) -> Estimate:
    """The mean of `values` (n,), one a seed, n at least 2, by Student's t: a value, or the differences of pairs.

    Where every seed parts the same images anew, with `overlap` test images by training image, the variance of the mean
    is (1/n + overlap) times that of the values instead of 1/n (Nadeau and Bengio 2003, section 3).
    """
    mean, error = float(values.mean()), float(values.std(ddof=1) * np.sqrt(1 / len(values) + overlap))
    half = quantile(confidence, len(values) - 1) * error
    p = float(2 * stats.t.sf(abs(mean) / error, len(values) - 1)) if error else float(mean == 0)
    test = "t over paired splits, Nadeau and Bengio" if overlap else "Student's t over seeds"
    return Estimate(mean, mean - half, mean + half, p, test)


def normal(value: float, error: float, test: str, confidence: float = CONFIDENCE) -> Estimate:
    """A value with its standard error."""
    half = quantile(confidence) * error
    p = float(2 * stats.norm.sf(abs(value) / error)) if error else float(value == 0)
    return Estimate(value, value - half, value + half, p, test)


def same_images(per_image: np.ndarray, confidence: float = CONFIDENCE) -> Estimate:
    """The sum of errors in points, from each test image's part (images,): 1 is wrong, 0 right, with signs, or means.

    A percentile bootstrap: a resample is a draw of how often each value comes, from seed 0.
    """
    values, counts = np.unique(per_image, return_counts=True)
    draws = np.random.default_rng(0).multinomial(len(per_image), counts / len(per_image), RESAMPLES)
    tail = (1 - confidence) / 2
    low, high = np.quantile(100 * draws @ values / len(per_image), [tail, 1 - tail])
    return Estimate(100 * float(per_image.mean()), float(low), float(high), np.nan, "bootstrap over images")


def widened(found: Estimate, spread: float, confidence: float = CONFIDENCE, source: str = DECLARED) -> Estimate:
    """An interval over images, or without bounds, to which a standard deviation over seeds is added in quadrature."""
    if np.isnan(found.low):
        return normal(found.value, spread, source, confidence)
    half = quantile(confidence) * spread
    low, high = (
        found.value - np.hypot(found.value - found.low, half),
        found.value + np.hypot(found.high - found.value, half),
    )
    error = (high - low) / 2 / quantile(confidence)
    p = float(2 * stats.norm.sf(abs(found.value) / error)) if error else float(found.value == 0)
    return Estimate(found.value, float(low), float(high), p, f"{found.test}, {source}")


def add(values: np.ndarray) -> Sum:
    """The mean of `values` (n,), n at least 2, one a seed."""
    return Sum(float(values.mean()), float(values.var(ddof=1) / len(values)))


def ratio(over: Sum, under: Sum, covariance: float = 0.0, freedom: float = np.inf) -> Estimate:
    """`over` / `under` with Fieller's interval: all r for which over - r under may be zero.

    `freedom` are the degrees of freedom of both variances and the `covariance`. Where `under` is not above zero there
    is no ratio to speak of, and where it may be zero, no bound is known.
    """
    a, b = over.value, under.value
    if not np.isfinite([a, b]).all() or b <= 0:
        return Estimate(np.nan)
    t2 = quantile(freedom=freedom) ** 2
    p2, p1, p0 = b**2 - t2 * under.variance, -2 * (a * b - t2 * covariance), a**2 - t2 * over.variance
    if not p2 > 0:
        return Estimate(a / b, -np.inf, np.inf, test="Fieller's interval")
    half = np.sqrt(max(p1**2 - 4 * p2 * p0, 0)) / (2 * p2)
    low, high = -p1 / (2 * p2) - half, -p1 / (2 * p2) + half
    error = np.sqrt(max(over.variance + under.variance - 2 * covariance, 0))
    p = float(2 * stats.t.sf(abs(a - b) / error, freedom)) if error else float(a == b)
    return Estimate(a / b, float(low), float(high), p, "Fieller's interval")
