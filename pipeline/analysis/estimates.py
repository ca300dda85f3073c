"""A measure of some variants, each with a sign, or the ratio of two such sums: the value and how sure it is.

With three seeds or more the runs are the sample, paired by seed; with fewer the test images are, and a declared spread
over seeds is added. Where none is declared fewer have no interval, but that two have Student's of what is no error.
intervals.py has the methods. Where every seed parts the same images anew the interval is wider.
"""

from typing import NamedTuple

import numpy as np

from pipeline.analysis import intervals
from pipeline.analysis.grid import Grid
from pipeline.analysis.intervals import CONFIDENCE, DECLARED, Estimate, Sum
from pipeline.analysis.measures import ENOUGH, MEASURES, class_errors, first_rate
from pipeline.settings.datasets import DATASETS
from pipeline.settings.params import Params

Signs = dict[str, int]


class Result(NamedTuple):
    """An estimate over n runs a variant; sd is that over seeds, of the value or the difference; NaN where n is 1.

    `binomial_se` is the standard error of one run a variant from the number of test images, as if these were not the
    same for all variants; NaN of what is no share of test images.
    """

    estimate: Estimate
    sd: float
    n: int
    binomial_se: float
    where: str = ""  # the class, if it is about one


def estimate(
    grid: Grid,
    measure: str,
    of: Signs,
    over: Signs | None = None,
    epoch: int | None = None,
    since: int | None = None,
    spread: float = np.nan,
) -> Result:
    """What is measured of the variants in the grid, all of which must be in it: after `epoch`, less that after `since`.

    `spread` is the standard deviation over seeds, in points of error of one network, that counts with fewer than
    ENOUGH of them, or that of two seeds if it is larger; NaN if none is declared. Bounds of a share of images, and of a
    sum of such, are cut where no share can be.
    """
    if since:
        total = added(grid, measure, of, epoch) - added(grid, measure, of, since)
        return over_seeds(grid, total, len(of) > 1, np.nan)
    found = unbounded(grid, measure, of, over, epoch, spread)
    if MEASURES[measure].unit != "%" or over:
        return found
    ends = [100.0 * sum(sign == one for one in of.values()) * sign for sign in (-1, 1)]
    low, high = np.clip([found.estimate.low, found.estimate.high], *ends) + 0.0  # no -0
    return found._replace(estimate=found.estimate._replace(low=float(low), high=float(high)))


def unbounded(grid: Grid, measure: str, of: Signs, over: Signs | None, epoch: int | None, spread: float) -> Result:
    """`estimate` by its method alone."""
    if measure == "class_error":
        return every_class(grid, of, spread)
    if measure == "identity_deviation":  # not drawn from anything: it is so, or not
        values = np.concatenate([grid.values(measure, name, epoch) for name in of])
        largest = float(values.max())
        n = len(grid.settings.seeds)
        return Result(Estimate(largest, largest, largest, test="largest of all runs"), np.nan, n, np.nan)
    if over:
        return ratio(grid, measure, (of, over), epoch, spread)
    total = added(grid, measure, of, epoch)
    n, error, errors = len(total), binomial_error(grid, measure, of, epoch), MEASURES[measure].errors
    if n < ENOUGH and errors and np.isfinite(total).all():
        if np.isnan(spread):
            return Result(Estimate(float(total.mean())), deviation(total), n, error)
        seeds, source = larger(spread * np.sqrt(len(of) * len(errors)), deviation(total))
        wide = intervals.widened(over_images(grid, measure, of, epoch), seeds / np.sqrt(n), source=source)
        return Result(wide if len(of) > 1 else wide._replace(p=np.nan), deviation(total), n, error)
    return over_seeds(grid, total, len(of) > 1, error)


def over_seeds(grid: Grid, total: np.ndarray, compares: bool, error: float) -> Result:
    """The mean of values (n,), one a seed, with Student's interval; with p if it `compares` networks."""
    if len(total) == 1 or not np.isfinite(total).all():
        return Result(Estimate(float(total.mean())), np.nan, len(total), error)
    found = intervals.student(total, overlap=overlap(grid.settings))
    return Result(found if compares else found._replace(p=np.nan), deviation(total), len(total), error)


def larger(spread: float, shown: float) -> tuple[float, str]:
    """The larger standard deviation, of the declared one over seeds and that of two, NaN of one seed; in words."""
    return (shown, "spread of both seeds") if shown > spread else (spread, DECLARED)


def deviation(values: np.ndarray) -> float:
    """The sample standard deviation; NaN of one value."""
    return float(values.std(ddof=1)) if len(values) > 1 else np.nan


def added(grid: Grid, measure: str, of: Signs, epoch: int | None) -> np.ndarray:
    """The sum of the variants' values with their signs, (n,), one a seed."""
    return sum(sign * grid.values(measure, name, epoch) for name, sign in of.items())


def over_images(grid: Grid, measure: str, of: Signs, epoch: int | None) -> Estimate:
    """The mean over seeds, with an interval over test images alone; without bounds if it is no error on them."""
    value = float(added(grid, measure, of, epoch).mean())
    if MEASURES[measure].errors == ("train",):
        return Estimate(value)
    if measure in ("test_error", "test_accuracy") and epoch in (None, grid.settings.epochs):
        if len(of) == 1 and len(grid.settings.seeds) == 1:
            return intervals.wilson(value, images(grid))
        turn = 1 if measure == "test_error" else -1
        constant = 0 if turn == 1 else 100 * sum(of.values())
        found = intervals.same_images(turn * per_image(grid, of))
        return found._replace(value=value, low=found.low + constant, high=found.high + constant)
    error = binomial_error(grid, measure, of, epoch)
    return intervals.normal(value, error, "binomial distribution over images")


def per_image(grid: Grid, of: Signs) -> np.ndarray:
    """Each test image's part (images,) in the sum of the variants' errors as shares, mean over seeds."""
    seeds = grid.settings.seeds
    return sum(sign * grid.wrong[f"{name}-{seed}"] for name, sign in of.items() for seed in seeds) / len(seeds)


def ratio(grid: Grid, measure: str, signs: tuple[Signs, Signs], epoch: int | None, spread: float) -> Result:
    """The ratio of two sums, of errors or of epochs, paired by seed; of epochs either may be censored."""
    one, other = (added(grid, measure, each, epoch) for each in signs)
    n, errors = len(one), MEASURES[measure].errors
    unit = MEASURES[measure].unit
    if unit == "epochs" and np.isinf(one).any() != np.isinf(other).any():
        return censored(grid, one, other)
    if not np.isfinite([one, other]).all():
        return Result(Estimate(np.nan), np.nan, n, np.nan)
    with np.errstate(divide="ignore", invalid="ignore"):
        sd = deviation(one / other)
    if n >= ENOUGH or (n > 1 and not errors):
        rounding = 1 / 12 / n if unit == "epochs" else 0.0
        return Result(ratio_over_seeds(one, other, rounding, overlap(grid.settings)), sd, n, np.nan)
    if errors and np.isfinite(spread):
        return Result(ratio_of_few(grid, signs, spread), sd, n, np.nan)
    return Result(Estimate(float(one.mean() / other.mean()) if other.mean() > 0 else np.nan), sd, n, np.nan)


def ratio_over_seeds(one: np.ndarray, other: np.ndarray, rounding: float, shared: float) -> Estimate:
    """The ratio of two means of values (n,), one a seed, n at least 2, which were rounded with this variance.

    Variances are widened as `intervals.student` does for splits that share images.
    """
    wider = 1 + len(one) * shared
    sums = [total._replace(variance=wider * total.variance + rounding) for total in map(intervals.add, (one, other))]
    covariance = wider * float(np.cov(one, other)[0, 1] / len(one))
    return intervals.ratio(*sums, covariance, freedom=len(one) - 1)


def censored(grid: Grid, one: np.ndarray, other: np.ndarray) -> Result:
    """What the ratio of epochs (n,) is above, or below, where some run of one side took more than all at that rate.

    With the last epoch at that rate for what was not reached. The interval is that ratio's on the one side and open on
    the other; of one run there is none, as of any epochs.
    """
    n, last = len(one), first_rate(grid.settings)
    above = bool(np.isinf(one).any())
    one, other = (np.minimum(values, last) for values in (one, other))
    found = Estimate(float(one.mean() / other.mean()))
    if n > 1:
        found = ratio_over_seeds(one, other, 1 / 12 / n, overlap(grid.settings))
        found = found._replace(high=np.inf, p=np.nan) if above else found._replace(low=0.0, p=np.nan)
    return Result(found._replace(test=f"censored: {'more' if above else 'less'} than"), np.nan, n, np.nan)


def ratio_of_few(grid: Grid, signs: tuple[Signs, Signs], spread: float) -> Estimate:
    """The ratio of two sums of last test errors on the same images, of fewer than ENOUGH runs a variant."""
    n = len(grid.settings.seeds)
    shown = [deviation(grid.values("test_error", name)) for each in signs for name in each]
    spread, source = larger(spread, max(shown))
    parts = 100 * np.array([per_image(grid, each) for each in signs])
    covariance = np.cov(parts) / parts.shape[1]
    shared = sum(sign * signs[1].get(name, 0) for name, sign in signs[0].items())
    covariance += spread**2 / n * np.array([[len(signs[0]), shared], [shared, len(signs[1])]])
    sums = [Sum(float(part.mean()), float(covariance[i, i])) for i, part in enumerate(parts)]
    found = intervals.ratio(*sums, float(covariance[0, 1]))
    return found._replace(test=f"{found.test}, images and {source}") if found.test else found


def every_class(grid: Grid, of: Signs, spread: float) -> Result:
    """The class in which the least is gained. The bounds are those of an intersection of claims, one a class.

    `low` is the lowest of the classes' own 95 % intervals: above zero, each class has gained (Berger 1982). `high` is
    the lowest of Bonferroni's over all classes: below zero, one of them has lost. They may be of different classes, and
    are then no interval of the value; `where` is the class whose bound decides, or that of the value if none does.
    """
    n, classes = len(grid.settings.seeds), list(dict.fromkeys(grid.confusion["actual"]))
    strict = 1 - (1 - CONFIDENCE) / len(classes)
    errors = class_errors(grid.confusion).set_index(["variant", "actual"]).sort_index()["error"]
    of_class = spread * np.sqrt(len(classes) * len(of))
    found = []
    for index, name in enumerate(classes):
        total = sum(sign * errors.loc[[(variant, name)]].to_numpy() for variant, sign in of.items())
        shown = grid.actual == index
        binomial = np.hypot(*(intervals.binomial_error(errors.loc[[(v, name)]].mean(), int(shown.sum())) for v in of))
        if n >= ENOUGH:
            shared = overlap(grid.settings)
            one, bonferroni = (intervals.student(total, confidence, shared) for confidence in (CONFIDENCE, strict))
        else:
            part, (seeds, source) = per_image(grid, of)[shown], larger(of_class, deviation(total))
            one, bonferroni = (
                intervals.widened(intervals.same_images(part, confidence), seeds / np.sqrt(n), confidence, source)
                for confidence in (CONFIDENCE, strict)
            )
        found.append(Result(one._replace(high=bonferroni.high), deviation(total), n, float(binomial), name))
    worst, lowest, lost = (min(found, key=lambda r: getattr(r.estimate, key)) for key in ("value", "low", "high"))
    if n < ENOUGH and np.isnan(spread):
        return worst._replace(estimate=Estimate(worst.estimate.value))
    low, high = lowest.estimate.low, lost.estimate.high
    where = lost.where if high < 0 else lowest.where if low <= 0 else worst.where
    test = f"{worst.estimate.test}, all of {len(classes)} classes"
    return worst._replace(estimate=worst.estimate._replace(low=low, high=high, p=np.nan, test=test), where=where)


def images(grid: Grid) -> int:
    """How many there are to test on."""
    return int(grid.runs["test_images"].iloc[0])


def binomial_error(grid: Grid, measure: str, of: Signs, epoch: int | None) -> float:
    """The standard error of one run a variant from the number of test images, in points; NaN if it is no error on them.

    As if the variants' images were not the same ones.
    """
    if "test" not in MEASURES[measure].errors:
        return np.nan
    single = {"accuracy_gap": "test_error"}.get(measure, measure)
    means = [float(grid.values(single, variant, epoch).mean()) for variant in of]
    return float(np.sqrt(sum(intervals.binomial_error(mean, images(grid)) ** 2 for mean in means)))


def overlap(settings: Params) -> float:
    """Test images by image trained on, where every seed parts the same ones anew; 0 where the parts are the makers'."""
    data = DATASETS[settings.dataset]
    return data.test / settings.train_size if data.split_by_seed else 0.0
