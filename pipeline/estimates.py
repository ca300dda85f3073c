"""A measure of some variants, each with a sign, or the ratio of two such sums: the value and how sure it is.

With several seeds the runs are the sample, with one the test images are; statistics.py has the methods. Where every
seed parts the same images anew, runs of one seed are compared with each other, and the interval is wider.
"""

from typing import NamedTuple

import numpy as np

from pipeline import statistics
from pipeline.catalogue import DATASETS
from pipeline.grid import Grid
from pipeline.measures import MEASURES, class_errors
from pipeline.params import Params
from pipeline.statistics import CONFIDENCE, Estimate, Sum

Signs = dict[str, int]
Groups = list[tuple[int, np.ndarray]]


class Result(NamedTuple):
    """An estimate over n runs a variant; sd is that of one run a variant, NaN where n is 1.

    `binomial_se` is the standard error of one run a variant for want of images, as if they were not the same for all
    variants; NaN of what is no share of images.
    """

    estimate: Estimate
    sd: float
    n: int
    binomial_se: float
    where: str = ""  # the class, if it is about one


def estimate(grid: Grid, measure: str, of: Signs, over: Signs | None = None, epoch: int | None = None) -> Result:
    """What is measured of the variants in the grid, all of which must be in it.

    The bounds of a share of images, and of a sum of such, are cut where no share can be.
    """
    found = unbounded(grid, measure, of, over, epoch)
    if MEASURES[measure].unit != "%" or over:
        return found
    ends = [100.0 * sum(sign == one for one in of.values()) * sign for sign in (-1, 1)]
    low, high = np.clip([found.estimate.low, found.estimate.high], *ends) + 0.0  # no -0
    return found._replace(estimate=found.estimate._replace(low=float(low), high=float(high)))


def unbounded(grid: Grid, measure: str, of: Signs, over: Signs | None, epoch: int | None) -> Result:
    """`estimate` by its method alone."""
    n = len(grid.settings.seeds)
    if measure == "class_error":
        return worst_class(grid, of)
    above = [(sign, grid.values(measure, name, epoch)) for name, sign in of.items()]
    if measure == "identity_deviation":  # not drawn from anything: it is so, or not
        largest = float(np.max([values for _, values in above]))
        return Result(Estimate(largest, largest, largest, test="largest of all runs"), np.nan, n, np.nan)
    if over:
        return ratio(grid, measure, (of, over), epoch)
    error = binomial_error(grid, measure, of, epoch)
    if n == 1:
        return Result(of_one_run(grid, measure, of, epoch, error), np.nan, n, error)
    shared = overlap(grid.settings)
    if shared:
        paired = sum(sign * values for sign, values in above)
        found = statistics.shared_splits(paired, shared)
        found = found if len(of) > 1 else found._replace(p=np.nan)
        return Result(found, float(paired.std(ddof=1)), n, error)
    return Result(statistics.seeds(above), spread(above), n, error)


def spread(groups: Groups) -> float:
    """The standard deviation of the groups' sum, of one value each; groups of (n,)."""
    return float(np.sqrt(sum(values.var(ddof=1) for _, values in groups)))


def of_one_run(grid: Grid, measure: str, of: Signs, epoch: int | None, error: float) -> Estimate:
    """Of one run a variant: by the test images, if it is a share of them; else the value alone."""
    value = float(sum(sign * grid.values(measure, name, epoch)[0] for name, sign in of.items()))
    if not np.isfinite([value, error]).all():
        return Estimate(value)
    if len(of) == 1 and measure != "accuracy_gap":
        return statistics.wilson(value, images(grid)[MEASURES[measure].share_of[0]])
    if measure in ("test_error", "test_accuracy") and epoch in (None, grid.settings.epochs):
        turn = 1 if measure == "test_error" else -1
        return statistics.same_images([(turn * sign, wrong_of(grid, name)) for name, sign in of.items()])
    return statistics.normal(value, error)


def wrong_of(grid: Grid, variant: str) -> np.ndarray:
    """Of each test image (images,), whether the variant's first run has it wrong."""
    return grid.wrong[f"{variant}-{grid.settings.seeds[0]}"]


def ratio(grid: Grid, measure: str, signs: tuple[Signs, Signs], epoch: int | None) -> Result:
    """The ratio of two sums; errors over seeds, or of one run a variant over images, or epochs over seeds."""
    n, shared = len(grid.settings.seeds), overlap(grid.settings)
    sums = [[(sign, grid.values(measure, name, epoch)) for name, sign in one.items()] for one in signs]
    values = [float(sum(sign * one.mean() for sign, one in groups)) for groups in sums]
    quotient = values[0] / values[1] if values[1] > 0 else np.nan

    def error(parts: list[float]) -> float:
        """Of the quotient, by the errors of both sums."""
        return float(np.hypot(parts[0], quotient * parts[1]) / values[1]) if np.isfinite(quotient) else np.nan

    binomial = error([binomial_error(grid, measure, one, epoch) for one in signs])
    if n > 1:
        rounding = [len(groups) / 12 / n if MEASURES[measure].unit == "epochs" else 0.0 for groups in sums]
        above, below = (
            total._replace(variance=total.variance * (1 + n * shared) + more)
            for total, more in zip(map(statistics.add, sums), rounding, strict=True)
        )
        return Result(statistics.ratio(above, below), error([spread(groups) for groups in sums]), n, binomial)
    if measure == "test_error" and epoch in (None, grid.settings.epochs):
        wrong = [[(sign, wrong_of(grid, name)) for name, sign in one.items()] for one in signs]
        return Result(over_images(*wrong), np.nan, n, binomial)
    return Result(Estimate(quotient), np.nan, n, binomial)


def over_images(above: Groups, below: Groups) -> Estimate:
    """The ratio of two sums of errors on the same images (images,), of one run a variant."""
    per_image = np.array([sum(100.0 * sign * wrong for sign, wrong in groups) for groups in (above, below)])
    covariance = np.cov(per_image) / per_image.shape[1]
    a, b = (Sum(float(per_image[i].mean()), float(covariance[i, i]), np.inf) for i in (0, 1))
    return statistics.ratio(a, b, float(covariance[0, 1]))


def worst_class(grid: Grid, of: Signs) -> Result:
    """The class in which the least is gained, with the interval of the least gain: Bonferroni's over all classes."""
    n, classes = len(grid.settings.seeds), list(dict.fromkeys(grid.confusion["actual"]))
    confidence = 1 - (1 - CONFIDENCE) / len(classes)
    errors = class_errors(grid.confusion).set_index(["variant", "actual"]).sort_index()["error"]
    found = []
    for index, name in enumerate(classes):
        groups = [(sign, errors.loc[[(variant, name)]].to_numpy()) for variant, sign in of.items()]
        shown = grid.actual == index
        binomial = np.hypot(*(statistics.binomial_error(values.mean(), int(shown.sum())) for _, values in groups))
        if n > 1:
            one = Result(statistics.seeds(groups, confidence), spread(groups), n, float(binomial), name)
        else:
            wrong = [(sign, wrong_of(grid, variant)[shown]) for variant, sign in of.items()]
            one = Result(statistics.same_images(wrong, confidence), np.nan, n, float(binomial), name)
        found.append(one)
    worst = min(found, key=lambda result: result.estimate.value)
    low, high = (min(getattr(result.estimate, bound) for result in found) for bound in ("low", "high"))
    test = f"{worst.estimate.test.partition(', p ')[0]}, Bonferroni over {len(classes)} classes"
    return worst._replace(estimate=worst.estimate._replace(low=low, high=high, p=np.nan, test=test))


def images(grid: Grid) -> dict[str, int]:
    """How many there are to test and to train on."""
    return {"test": int(grid.runs["test_images"].iloc[0]), "train": grid.settings.train_size}


def binomial_error(grid: Grid, measure: str, of: Signs, epoch: int | None) -> float:
    """The standard error of one run a variant for want of images, in points; NaN if it is no share of images.

    As if the variants' images were not the same ones.
    """
    variance = 0.0
    for part in MEASURES[measure].share_of:
        single = {"accuracy_gap": f"{part}_error"}.get(measure, measure)
        for variant in of:
            mean = float(grid.values(single, variant, epoch).mean())
            variance += statistics.binomial_error(mean, images(grid)[part]) ** 2
    return float(np.sqrt(variance)) if MEASURES[measure].share_of else np.nan


def overlap(settings: Params) -> float:
    """Test images by training image, where every seed parts the same images anew; 0 where the parts are the makers'."""
    data = DATASETS[settings.dataset]
    return data.test / data.train if data.parted_by_seed else 0.0
