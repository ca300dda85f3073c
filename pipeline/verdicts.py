"""What became of the claims: ours beside the published value, a verdict and the reason.

The verdict compares the 95 % interval of ours (estimates.py) with the tolerance that was declared:

    reproduced        the whole interval lies within the tolerance; where only a sign is claimed, on its side
    not reproduced    the whole interval lies outside it; on the other side
    inconclusive      the interval straddles the limit, or schedule, training images or number of runs cannot tell
    direction reproduced, direction not reproduced
                      too little was trained for the size of a difference, and this is what became of its sign
    not run           a variant is not in the grid
    not judged        generated images, or a run that diverged
"""

import re
from typing import Any

import numpy as np
import pandas as pd

from pipeline.catalogue import DATASETS, GENERATED
from pipeline.claims import Claim
from pipeline.estimates import Result, estimate
from pipeline.grid import Grid
from pipeline.measures import MEASURES, SHORTEST
from pipeline.params import Params
from pipeline.statistics import Estimate

COLUMNS = ["id", "part", "statement", "source", "measured", "unit", "ours", "sd", "n", "low", "high", "test", "p"]
COLUMNS += ["binomial_se", "published", "difference", "accepted_from", "accepted_to", "verdict", "reason", "note"]


def judge(claims: list[Claim], grid: Grid, sizes: dict[str, int]) -> pd.DataFrame:
    """A row a claim, with COLUMNS, NaN where there is nothing; `sizes` are parameters by network."""
    return pd.DataFrame([row(claim, grid, sizes) for claim in claims], columns=COLUMNS)


def row(claim: Claim, grid: Grid, sizes: dict[str, int]) -> dict[str, Any]:
    """What became of one claim."""
    content = claim.model_dump(include={"id", "part", "statement", "source", "published", "note"})
    content |= {"measured": claim.measured, "unit": MEASURES[claim.measure].unit if not claim.over else "ratio"}
    if claim.limits:
        content |= dict(zip(("accepted_from", "accepted_to"), claim.limits, strict=True))
    missing = unavailable(claim, grid.settings, sizes)
    if missing:
        return content | {"n": 0, "verdict": "not run", "reason": missing}
    if claim.measure == "parameters":
        found = counted(claim, sizes)
        verdict = decide(claim, found, "")
    else:
        found = estimate(grid, claim.measure, claim.of, claim.over, claim.epoch)
        verdict = unjudged(claim, grid) or decide(claim, found, shortage(claim, grid.settings))
    value = found.estimate
    content |= {"ours": value.value, "sd": found.sd, "n": found.n, "binomial_se": found.binomial_se, **value._asdict()}
    if claim.published is not None:
        content["difference"] = value.value - claim.published
    return content | dict(zip(("verdict", "reason"), verdict, strict=True))


def unavailable(claim: Claim, settings: Params, sizes: dict[str, int]) -> str:
    """Why there is nothing to measure; empty if there is."""
    there = sizes if claim.measure == "parameters" else settings.variants
    missing = [name for name in dict.fromkeys(claim.variants) if name not in there]
    if missing:
        return f"{' and '.join(missing)} not in the grid"
    others = [name for name in dict.fromkeys(claim.variants) if not as_named(name, settings)]
    if others:
        return f"{' and '.join(others)} in the grid is another network than its name says"
    if claim.epoch and claim.epoch > settings.epochs:
        return f"{ran(settings)}, and it is measured after {claim.epoch}"
    return ""


def as_named(name: str, settings: Params) -> bool:
    """Whether a variant called plainN or resnetN has N layers, and shortcuts or none; other names say nothing."""
    said = re.fullmatch(r"(plain|resnet)(\d+)", name)
    if not said or name not in settings.arch:
        return True
    arch = settings.arch[name]
    return arch.layers == int(said[2]) and (arch.shortcut == "none") == (said[1] == "plain")


def ran(settings: Params) -> str:
    return f"{settings.epochs} epoch{'s were' if settings.epochs > 1 else ' was'} run"


def counted(claim: Claim, sizes: dict[str, int]) -> Result:
    """Numbers of parameters, in millions, which need no run."""
    ours = sum(sign * sizes[name] for name, sign in claim.of.items()) / 1e6
    return Result(Estimate(ours, ours, ours, test="a count"), np.nan, 0, np.nan)


def unjudged(claim: Claim, grid: Grid) -> tuple[str, str] | None:
    """Verdict and reason where runs are not what a claim can be held against."""
    if grid.settings.dataset in GENERATED:
        return "not judged", "the images were generated"
    used = grid.runs["variant"].isin(claim.variants)
    if MEASURES[claim.measure].trained and grid.runs.loc[used, "diverged"].any():
        return "not judged", "a run diverged"
    return None


def shortage(claim: Claim, settings: Params) -> str:
    """Why the runs cannot tell the size of what is claimed; empty if they can."""
    if not MEASURES[claim.measure].trained:
        return ""
    if settings.epochs < claim.epochs:
        return f"{ran(settings)}, and its size takes {claim.epochs}"
    available, used = DATASETS[settings.dataset].train, settings.train_size + settings.val_size
    return f"{used:,} of {available:,} training images were used" if used < available else ""


def decide(claim: Claim, found: Result, short: str) -> tuple[str, str]:
    """Verdict and reason; `short` is why only a sign can be told, if so."""
    value, low, high = found.estimate[:3]
    if not np.isfinite(value):
        return "inconclusive", nothing(claim)
    if np.isnan([low, high]).any():
        return "inconclusive", "one run, whose spread is not known"
    about = f"{found.where}: " if found.where else ""
    interval = "count" if claim.measure == "parameters" else "interval"
    if claim.limits is None or (short and claim.compares):
        verdict, reason = sign(claim, low, high, short)
        return verdict, about + reason.replace("interval", interval)
    if short:
        return "inconclusive", short
    start, end = claim.limits
    limits = f"{start:g} to {end:g}".replace("-", "−")
    if start <= low and high <= end:
        return "reproduced", f"the {interval} lies within {limits}"
    if high < start or low > end:
        return "not reproduced", f"the {interval} lies outside {limits}"
    return "inconclusive", f"the {interval} straddles a limit of {limits}"


def sign(claim: Claim, low: float, high: float, short: str) -> tuple[str, str]:
    """Verdict and reason of the sign alone; of a ratio, whether it is above 1."""
    neutral = 1.0 if claim.over else 0.0
    claimed = np.sign(np.mean(claim.limits) - neutral) if claim.limits else 1.0
    if not claimed:
        return "inconclusive", short
    worst, best = sorted((claimed * (low - neutral), claimed * (high - neutral)))
    prefix, more = ("direction ", f"; {short}") if short else ("", "")
    if worst > 0:
        return f"{prefix}reproduced", f"the interval has the claimed sign{more}"
    if best < 0:
        return f"{prefix}not reproduced", f"the interval has the other sign{more}"
    return "inconclusive", f"the interval contains {neutral:g}{more}"


def nothing(claim: Claim) -> str:
    """Why runs that were made have no value."""
    if claim.measure.startswith("epochs_to_"):
        return f"not every run came down to {claim.measure.removeprefix('epochs_to_')} % test error"
    if claim.measure == "test_error_spread":
        return f"there are fewer than {SHORTEST} epochs before a drop of the rate"
    if claim.over:
        return "what it is divided by is not above 0"
    return "there is one epoch alone" if claim.measure == "loss_jump" else "it is not finite"
