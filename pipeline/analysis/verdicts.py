"""Verdicts on claims: ours beside the published value, a verdict and the reason.

The verdict compares the 95 % interval of ours (estimates.py) with the tolerance that was declared:

    reproduced        the whole interval lies within the tolerance; where only a sign is claimed, on its side
    not reproduced    the whole interval lies outside it; on the other side
    agrees in one run, disagrees in one run (in two runs)
                      the same of a trained network with fewer than three seeds: its interval has a declared spread over
                      seeds in it, or is Student's over two of what is no error
    inconclusive      the interval straddles the limit, or schedule, training images or number of runs cannot tell
    direction ...     too little was trained, and this is the verdict on the sign of a difference alone
    another protocol  params.yaml differs from what the claim is about
    not run           a variant is not in the grid
    not judged        generated images, or a run that diverged
"""

import re
from typing import Any

import numpy as np
import pandas as pd

from pipeline.analysis.claims import Claim, Declared
from pipeline.analysis.estimates import Result, estimate
from pipeline.analysis.grid import Grid
from pipeline.analysis.intervals import Estimate
from pipeline.analysis.measures import ENOUGH, MEASURES, SHORTEST
from pipeline.settings.datasets import DATASETS, GENERATED
from pipeline.settings.params import Params

COLUMNS = ["id", "part", "kind", "statement", "source", "measured", "unit", "ours", "sd", "n", "low", "high", "test"]
COLUMNS += ["p", "binomial_se", "facts", "published", "difference", "accepted_from", "accepted_to"]
COLUMNS += ["verdict", "reason", "note"]
FEW = {1: "one run", 2: "two runs"}


def judge(declared: Declared, grid: Grid, sizes: dict[str, int]) -> pd.DataFrame:
    """A row a claim, with COLUMNS, NaN where there is nothing; `sizes` are parameters by network."""
    table = pd.DataFrame([row(claim, declared, grid, sizes) for claim in declared.claims], columns=COLUMNS)
    numbers = ["published", "difference", "accepted_from", "accepted_to"]
    return table.astype(dict.fromkeys(numbers, float))  # also where no claim has any


def row(claim: Claim, declared: Declared, grid: Grid, sizes: dict[str, int]) -> dict[str, Any]:
    """The verdict on one claim, with what it rests on."""
    measure = MEASURES[claim.measure]
    content = claim.model_dump(include={"id", "part", "statement", "source", "published", "note"})
    content |= {
        "facts": "; ".join(claim.facts(grid.settings.epochs)),
        "kind": measure.kind,
        "measured": claim.measured,
        "unit": "ratio" if claim.over else measure.unit,
    }
    if claim.limits:
        content |= dict(zip(("accepted_from", "accepted_to"), claim.limits, strict=True))
    missing = unavailable(claim, grid.settings, sizes)
    if missing:
        return content | {"n": 0, "verdict": "not run", "reason": missing}
    if claim.measure == "parameters":
        found = counted(claim, sizes)
        verdict = other_images(declared, grid.settings) or decide(claim, found, "")
    else:
        spread = seed_spread(declared, [claim], grid.settings)
        found = estimate(grid, claim.measure, claim.of, claim.over, claim.epoch, claim.since, spread)
        verdict = unjudged(claim, declared, grid) or decide(claim, found, shortage(claim, grid.settings))
    if declared.condition and measure.kind == "trained" and found.n and verdict[0] != "not judged":
        verdict = verdict[0], f"{verdict[1]}; {declared.condition}"
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
    """Whether a variant called plainN or resnetN has N layers, and shortcuts or none, in the order of the paper.

    Other names say nothing.
    """
    said = re.fullmatch(r"(plain|resnet)(\d+)", name)
    if not said or name not in settings.arch:
        return True
    arch = settings.arch[name]
    kinds = ("none",) if said[1] == "plain" else ("projection", "identity")
    return arch.layers == int(said[2]) and arch.connection in kinds and arch.order == "post"


def ran(settings: Params) -> str:
    return f"{settings.epochs} epoch{'s were' if settings.epochs > 1 else ' was'} run"


def counted(claim: Claim, sizes: dict[str, int]) -> Result:
    """Numbers of parameters, in millions, or their ratio; neither needs a run."""
    ours = sum(sign * sizes[name] for name, sign in claim.of.items()) / 1e6
    if claim.over:
        ours /= sum(sign * sizes[name] for name, sign in claim.over.items()) / 1e6
    return Result(Estimate(ours, ours, ours, test="a count"), np.nan, 0, np.nan)


def unjudged(claim: Claim, declared: Declared, grid: Grid) -> tuple[str, str] | None:
    """Verdict and reason where the interval does not decide: other images or parameters, or runs that diverged."""
    if grid.settings.dataset in GENERATED:
        return "not judged", "the images were generated"
    if MEASURES[claim.measure].kind != "trained":
        return other_images(declared, grid.settings)
    for key, value in declared.protocol.items():
        ours = getattr(grid.settings, key)
        if ours != value:
            return "another protocol", f"{key} is {shown(ours)}, and the claim is about {shown(value)}"
    diverged = grid.runs.loc[grid.runs["variant"].isin(claim.variants), "diverged"]
    if diverged.all() and claim.diverged == "confirms" and not shortage(claim, grid.settings):
        return few("reproduced", len(diverged)), "every run diverged, which confirms it"
    return ("not judged", "a run diverged") if diverged.any() else None


def other_images(declared: Declared, settings: Params) -> tuple[str, str] | None:
    """Verdict and reason where networks, trained or not, are for other images and classes than the claims are about."""
    about = declared.protocol.get("dataset", settings.dataset)
    if DATASETS[about].title == DATASETS[settings.dataset].title:
        return None
    return "another protocol", f"dataset is {settings.dataset}, and the claim is about {about}"


def shown(value: Any) -> str:
    return str(value).lower() if isinstance(value, bool) else str(value)


def few(verdict: str, n: int) -> str:
    """A verdict on trained networks as `n` runs of each allow it."""
    agreed = {"reproduced": "agrees", "not reproduced": "disagrees"}
    return f"{agreed[verdict]} in {FEW[n]}" if n < ENOUGH and verdict in agreed else verdict


def shortage(claim: Claim, settings: Params) -> str:
    """Why the runs cannot tell what is claimed, or no more than its sign; empty if they can."""
    if MEASURES[claim.measure].kind != "trained":
        return ""
    if settings.epochs < claim.epochs:
        takes = "the claim is about" if claim.limits is None else "judging its size takes"
        return f"{ran(settings)}, and {takes} {claim.epochs}"
    available, used = DATASETS[settings.dataset].train, settings.train_size + settings.val_size
    return f"{used:,} of {available:,} training images were used" if used < available else ""


def seed_spread(declared: Declared, claims: list[Claim], settings: Params) -> float:
    """The standard deviation over seeds that counts with fewer than ENOUGH, in points of error; NaN if none is known.

    That of short runs if these are too short for any of the `claims`.
    """
    spread = declared.spread
    if any(shortage(claim, settings) for claim in claims):
        spread = declared.short_spread if settings.epochs >= declared.short_from else None
    return np.nan if spread is None else spread


def decide(claim: Claim, found: Result, short: str) -> tuple[str, str]:
    """Verdict and reason; `short` is why only a sign can be judged, if so."""
    value, low, high, _, test = found.estimate
    because = [unreached(claim, found)] if test.startswith("censored") else []
    because += [short] if short else []
    if not np.isfinite(value):
        return "inconclusive", nothing(claim)
    if np.isnan([low, high]).any():
        which = "such runs" if MEASURES[claim.measure].errors else "this measure"
        reason = f"{FEW[found.n]}, and no spread over seeds is declared for {which}"
        return "inconclusive", "; ".join([reason, *because])
    verdict, reason = held(claim, low, high, bool(short))
    if claim.measure == "parameters":
        reason = reason.replace("interval", "count")
    if MEASURES[claim.measure].kind == "trained":
        verdict = few(verdict, found.n)
    if short and claim.compares and verdict != "inconclusive":
        verdict = f"direction {verdict}"
    return verdict, (f"{found.where}: " if found.where else "") + "; ".join(filter(None, [reason, *because]))


def unreached(claim: Claim, found: Result) -> str:
    """Why a ratio of epochs is but a bound."""
    who = claim.over if found.estimate.test == "censored: less than" else claim.of
    return f"not every run of {' and '.join(who)} reached that error before the learning rate dropped"


def held(claim: Claim, low: float, high: float, short: bool) -> tuple[str, str]:
    """What the interval alone says of a claim's size, or of its sign where there is no other or runs are too short.

    The reason is empty where that they are too short says it all.
    """
    if claim.limits is None or (short and claim.compares):
        return sign(claim, low, high)
    if short:
        return "inconclusive", ""
    start, end = claim.limits
    limits = f"{start:g} to {end:g}".replace("-", "−").replace("inf", "∞")
    if start <= low and high <= end:
        return "reproduced", f"the interval lies within {limits}"
    if high < start or low > end:
        return "not reproduced", f"the interval lies outside {limits}"
    return "inconclusive", f"the interval crosses a limit of {limits}"


def sign(claim: Claim, low: float, high: float) -> tuple[str, str]:
    """Verdict and reason of the sign alone; of a ratio, whether it is above 1."""
    neutral = 1.0 if claim.over else 0.0
    middle = np.mean(claim.limits) if claim.limits else np.inf
    claimed = np.sign((middle if claim.published in (None, neutral) else claim.published) - neutral)
    if not claimed:
        return "inconclusive", ""
    worst, best = sorted((claimed * (low - neutral), claimed * (high - neutral)))
    if worst > 0:
        return "reproduced", "the interval has the claimed sign"
    if best < 0:
        return "not reproduced", "the interval has the other sign"
    return "inconclusive", f"the interval contains {neutral:g}"


def nothing(claim: Claim) -> str:
    """Why runs that were made have no value."""
    if claim.measure.startswith("epochs_to_"):
        error = claim.measure.removeprefix("epochs_to_")
        return f"not every run reached {error} % test error before the learning rate dropped"
    if claim.measure == "instability":
        return f"there are fewer than {2 * SHORTEST - 1} epochs before the learning rate drops"
    return "what it is divided by is not above 0" if claim.over else "it is not finite"
