"""What became of the claims: ours beside the published value, a verdict and the reason.

A claim is measured for each seed; n, mean and standard deviation are over seeds, and the interval is the 95 % one:
Student's t over seeds, wider where every seed parts the same images anew, since such runs are not independent; for one
seed by the binomial distribution over the images. The verdict compares it with the published value and the tolerance
that was declared:

    reproduced        the whole interval lies within the tolerance; without a published value, above 0
    not reproduced    the whole interval lies outside it; without a published value, below 0
    inconclusive      the interval straddles the limit, or schedule, training images or number of runs cannot tell
    direction reproduced, direction not reproduced
                      too little was trained for the size of a difference, and this is what became of its sign
    not run           a variant is not in the grid
    not judged        generated images, or a run that diverged
"""

from typing import Any

import numpy as np
import pandas as pd
from scipy import stats

from pipeline.catalogue import DATASETS, GENERATED
from pipeline.claims import MEASURES, Claim
from pipeline.params import Params
from pipeline.stage import StageError

COLUMNS = ["id", "statement", "source", "measured", "ours", "sd", "n", "low", "high", "published", "difference"]
COLUMNS += ["tolerance", "verdict", "reason"]
CONFIDENCE = 0.95


def judge(
    claims: list[Claim], settings: Params, runs: pd.DataFrame, curves: pd.DataFrame, sizes: dict[str, int]
) -> pd.DataFrame:
    """A row a claim, with COLUMNS; `low` and `high` bound the interval, NaN where there is none.

    `runs` and `curves` are aggregate's, a row a run and a row an epoch of one; `sizes` are parameters by network.
    Raises StageError for a network without.
    """
    rows = [row(claim, settings, runs, curves, sizes) for claim in claims]
    return pd.DataFrame(rows, columns=COLUMNS)


def row(
    claim: Claim, settings: Params, runs: pd.DataFrame, curves: pd.DataFrame, sizes: dict[str, int]
) -> dict[str, Any]:
    """What became of one claim."""
    content = claim.model_dump(include={"id", "statement", "source", "published", "tolerance"})
    content["measured"] = claim.measured
    if claim.measure == "parameters":
        return content | counted(claim, sizes)
    for variant in claim.of:
        if variant not in settings.arch:
            raise StageError(f"claim {claim.id} names {variant}; legal are {', '.join(settings.arch)}")
    missing = [variant for variant in claim.of if variant not in settings.variants]
    if missing:
        return content | {"n": 0, "verdict": "not run", "reason": f"{' and '.join(missing)} not in the grid"}
    if claim.epoch and claim.epoch > settings.epochs:
        reason = f"{settings.epochs} epochs were run, and it is measured after {claim.epoch}"
        return content | {"n": 0, "verdict": "not run", "reason": reason}
    values = np.array([value(claim, curves, seed) for seed in settings.seeds])
    low, high = interval(values, binomial_error(claim, settings, runs, curves), overlap(settings))
    measured = {"ours": values.mean(), "sd": values.std(ddof=1) if len(values) > 1 else np.nan, "n": len(values)}
    measured |= {"low": low, "high": high}
    if claim.published is not None:
        measured["difference"] = measured["ours"] - claim.published
    used = runs[runs["variant"].isin(claim.of)]
    if settings.dataset in GENERATED:
        verdict = ("not judged", "the images were generated")
    elif used["diverged"].any() or not np.isfinite(values).all():
        verdict = ("not judged", "a run diverged")
    else:
        verdict = decide(claim, low, high, shortage(claim, settings))
    return content | measured | dict(zip(("verdict", "reason"), verdict, strict=True))


def counted(claim: Claim, sizes: dict[str, int]) -> dict[str, Any]:
    """A claim on numbers of parameters, in millions, which need no run."""
    missing = [name for name in claim.of if name not in sizes]
    if missing:
        raise StageError(f"claim {claim.id} names {missing[0]}, whose parameters are not counted")
    ours = sum(sign * sizes[name] for name, sign in claim.of.items()) / 1e6
    verdict, reason = decide(claim, ours, ours, "")
    difference = ours - claim.published if claim.published is not None else np.nan
    return {
        "ours": ours,
        "difference": difference,
        "verdict": verdict,
        "reason": reason.replace("interval", "count"),
    }


def value(claim: Claim, curves: pd.DataFrame, seed: int) -> float:
    """What the claim measures, of the runs with `seed`."""
    total = 0.0
    for variant, sign in claim.of.items():
        history = curves[(curves["variant"] == variant) & (curves["seed"] == seed)].set_index("epoch")
        epoch = history.loc[claim.epoch if claim.epoch in history.index else history.index[-1]]
        total += sign * measure(claim.measure, epoch)
    return total


def measure(name: str, epoch: pd.Series) -> float:
    """A measure of one epoch of one run, from its row of history.csv."""
    if name == "accuracy_gap":
        return epoch["test_error"] - epoch["train_error"]
    if name.endswith("_accuracy"):
        return 100 - epoch[name.replace("accuracy", "error")]
    return epoch[name]


def binomial_error(claim: Claim, settings: Params, runs: pd.DataFrame, curves: pd.DataFrame) -> float:
    """The standard error of a measure of the first seed's runs for want of images; NaN if it is no share of images."""
    if not MEASURES[claim.measure][1]:
        return np.nan
    images = {"test": runs["test_images"].iloc[0], "train": settings.train_size}
    parts = ("test", "train") if claim.measure == "accuracy_gap" else (claim.measure.partition("_")[0],)
    variance = 0.0
    for variant in claim.of:
        for part in parts:
            one = claim.model_copy(update={"of": {variant: 1}, "measure": f"{part}_accuracy"})
            share = value(one, curves, settings.seeds[0]) / 100
            variance += 100**2 * share * (1 - share) / images[part]
    return float(np.sqrt(variance))


def overlap(settings: Params) -> float:
    """Test images by training image, where every seed parts the same images anew; 0 where the parts are the makers'."""
    data = DATASETS[settings.dataset]
    return data.test / data.train if data.parted_by_seed else 0.0


def shortage(claim: Claim, settings: Params) -> str:
    """Why the runs cannot tell the size of what is claimed; empty if they can."""
    if settings.epochs < claim.epochs:
        return f"{settings.epochs} epochs were run, and its size takes {claim.epochs}"
    available, used = DATASETS[settings.dataset].train, settings.train_size + settings.val_size
    return f"{used:,} of {available:,} training images were used" if used < available else ""


def interval(values: np.ndarray, error: float, shared: float = 0.0) -> tuple[float, float]:
    """The 95 % interval of the mean of `values`, one a seed; of a single one by its standard error, if not NaN.

    Runs whose parts of the data overlap vary together: with `shared`, the ratio of test to training images, the
    variance of their mean is (1/n + shared) times theirs instead of 1/n (Nadeau and Bengio 2003, section 3).
    """
    mean, n = values.mean(), len(values)
    if n > 1:
        half = stats.t.ppf((1 + CONFIDENCE) / 2, n - 1) * values.std(ddof=1) * np.sqrt(1 / n + shared)
    else:
        half = stats.norm.ppf((1 + CONFIDENCE) / 2) * error
    return mean - half, mean + half


def decide(claim: Claim, low: float, high: float, short: str) -> tuple[str, str]:
    """Verdict and reason; `short` is why only a sign can be told, if so."""
    if not np.isfinite([low, high]).all():
        return "inconclusive", "one run, whose spread is not known"
    if claim.published is None or (short and len(claim.of) > 1):
        sign = 1 if claim.published is None else np.sign(claim.published)
        worst, best = sorted((sign * low, sign * high))
        prefix = "direction " if short else ""
        more = f"; {short}" if short else ""
        if worst > 0:
            return f"{prefix}reproduced", f"the interval has the claimed sign{more}"
        if best < 0:
            return f"{prefix}not reproduced", f"the interval has the other sign{more}"
        return "inconclusive", f"the interval contains 0{more}"
    if short:
        return "inconclusive", short
    nearest = 0 if low <= claim.published <= high else min(abs(low - claim.published), abs(high - claim.published))
    farthest = max(abs(low - claim.published), abs(high - claim.published))
    limits = f"{claim.published:g} ± {claim.tolerance:g}"
    if farthest <= claim.tolerance:
        return "reproduced", f"the interval lies within {limits}"
    if nearest > claim.tolerance:
        return "not reproduced", f"the interval lies outside {limits}"
    return "inconclusive", f"the interval straddles the limit of {limits}"


def counts(claims: pd.DataFrame) -> dict[str, int]:
    """How many claims came to which verdict."""
    return {
        verdict.replace(" ", "_"): int(count) for verdict, count in sorted(claims["verdict"].value_counts().items())
    }
