"""Claims, declared in a file before anything is judged; verdicts.py judges them.

A claims file has the protocol that its claims are about, the spreads over seeds that count with fewer than three, and
the claims; `Claim` has their keys, measures.py what can be measured. A claim is about a measure of some variants, each
with a sign: the test accuracy of {resnet18: 1, plain18: -1} is what shortcuts gain. With `over` it is about the ratio
of two such sums.
"""

from pathlib import Path
from typing import Annotated, Any, Literal

from pydantic import Field, ValidationError
from ruamel.yaml import YAML
from ruamel.yaml.error import YAMLError

from pipeline.analysis.measures import BY_EPOCH, MEASURES
from pipeline.settings.architecture import Model
from pipeline.settings.params import Params
from pipeline.stage import StageError

Bound = Annotated[float, Field(allow_inf_nan=True)]
Range = Annotated[list[Bound], Field(min_length=2, max_length=2)]
Spread = Annotated[float, Field(gt=0)]
Signs = Annotated[dict[str, Literal[-1, 1]], Field(min_length=1)]


BASES = {  # what a measure is computed from
    "test_accuracy": ["test_error"], "train_accuracy": ["train_error"], "accuracy_gap": ["test_error", "train_error"],
    "reestimation_gain": ["test_error", "test_error_reestimated"],
}  # fmt: skip


class Claim(Model):
    """One claim. Without tolerance only the sign is claimed (of a ratio: above 1), and it is positive."""

    id: str
    part: str = Field("", description="the larger claim that it is part of, in words")
    statement: str
    source: str = Field(description="table or figure, and whether the value is printed there or read off a figure")
    measure: Literal[tuple(MEASURES)]
    of: Signs
    over: Signs | None = None
    epoch: int | None = Field(None, ge=1, description="after which it is measured; none: the last")
    since: int | None = Field(None, ge=1, description="an earlier epoch, whose value is subtracted")
    published: float | None
    tolerance: Annotated[float, Field(gt=0)] | Range | None = Field(None, description="either way, or from and to")
    epochs: int = Field(1, ge=1, description="of the shortest schedule that can tell the size")
    diverged: Literal["confirms"] | None = Field(None, description="what a run that diverges says of it, if anything")
    note: str = Field("", description="what a reader should know of it")

    @property
    def limits(self) -> tuple[float, float] | None:
        """Between which ours has to lie; None where only the sign is claimed. Shares of images end at 0 and 100."""
        if isinstance(self.tolerance, float) and self.published is not None:
            low, high = self.published - self.tolerance, self.published + self.tolerance
            share = MEASURES[self.measure].unit == "%" and not self.compares and not self.since
            return (max(low, 0.0), min(high, 100.0)) if share else (low, high)
        return tuple(self.tolerance) if isinstance(self.tolerance, list) else None

    @property
    def variants(self) -> list[str]:
        """All that it is about."""
        return [*self.of, *(self.over or {})]

    @property
    def compares(self) -> bool:
        """Whether it is about a difference or a ratio, whose sign a short schedule can show."""
        return len(self.variants) > 1

    def facts(self, last: int) -> list[str]:
        """The facts that it is made of, after `last` epochs: errors and other measures of single networks."""
        measures = BASES.get(self.measure, [self.measure])
        after = [f", epoch {epoch}" if epoch not in (None, last) else "" for epoch in (self.epoch, self.since)]
        times = after if self.since else after[:1]
        return [
            f"{MEASURES[one].words} of {name}{time}" for time in times for one in measures for name in self.variants
        ]

    @property
    def measured(self) -> str:
        """In words, how it is measured."""
        terms = summed(self.of)
        if self.over:
            parts = [summed(signs) for signs in (self.of, self.over)]
            terms = " / ".join(f"({part})" if " " in part else part for part in parts)
        after = f", epoch {self.epoch}" if self.epoch else ""
        after += f" minus epoch {self.since}" if self.since else ""
        return f"{MEASURES[self.measure].words} of {terms}{after}"


class Declared(Model):
    """A claims file. `protocol` are the values of params.yaml that claims about trained networks are about.

    Its `dataset` holds for all claims.
    """

    spread: Spread | None = Field(description="over seeds, of one network, in points of error; none if none is known")
    short_spread: Spread | None = Field(None, description="likewise, of runs too short to tell a claim's size")
    short_from: int = Field(1, ge=1, description="epochs from which short_spread holds; of fewer none is known")
    protocol: dict[str, Any]
    condition: str = Field("", description="under which verdicts on trained networks hold, for their reasons")
    claims: list[Claim]


def summed(signs: dict[str, int]) -> str:
    """`plain56 − plain20`."""
    terms = "".join(f" {'−' if sign < 0 else '+'} {variant}" for variant, sign in signs.items())
    return terms.removeprefix(" + ").strip()


def load(path: Path) -> Declared:
    """The content of a claims file. Raises StageError with one sentence for the first thing that is wrong."""
    try:
        declared = Declared.model_validate(YAML(typ="safe", pure=True).load(path))
    except FileNotFoundError:
        raise StageError(f"{path} is missing: it declares what is judged") from None
    except YAMLError as error:
        raise StageError(f"{path} is not YAML: {' '.join(str(error).split())}") from None
    except ValidationError as error:
        first = error.errors()[0]
        raise StageError(f"{path}: {'.'.join(map(str, first['loc']))}: {first['msg']}") from None
    unknown = [key for key in declared.protocol if key not in Params.model_fields]
    if unknown:
        raise StageError(f"{path}: the protocol names {unknown[0]}, which is no key of params.yaml")
    for claim in declared.claims:
        wrong = fault(claim)
        if wrong:
            raise StageError(f"{path}: claim {claim.id} {wrong}")
    ids = [claim.id for claim in declared.claims]
    if len(set(ids)) < len(ids):
        raise StageError(f"{path}: an id is there twice; allowed: each once")
    return declared


def fault(claim: Claim) -> str:
    """What is wrong with a claim as a whole, and what would be allowed; empty if nothing is."""
    if claim.published is not None and claim.tolerance is None:
        return "needs a tolerance, since it has a published value"
    if isinstance(claim.tolerance, float) and claim.published is None:
        return "has a tolerance and nothing published; allowed: both, neither, or a tolerance from and to"
    if claim.limits and claim.limits[0] >= claim.limits[1]:
        return f"has the tolerance {claim.tolerance}; allowed: from less to more"
    if claim.epoch and claim.measure not in BY_EPOCH:
        return f"asks for an epoch of {claim.measure}; allowed: one of {', '.join(BY_EPOCH)}"
    if len(claim.of) == 1 and -1 in claim.of.values():
        return "is about one variant with a minus; allowed: 1"
    if claim.since and not (claim.epoch and claim.since < claim.epoch):
        return f"subtracts epoch {claim.since}; allowed: one before its epoch"
    if claim.over and not (claim.measure in ("test_error", "parameters") or claim.measure.startswith("epochs_to_")):
        return f"is about a ratio of {claim.measure}; allowed: ratios of test_error, epochs_to_... and parameters"
    if claim.measure == "class_error" and (sorted(claim.of.values()) != [-1, 1] or claim.over or claim.limits):
        return "is about class_error; allowed: one variant minus another, without a tolerance"
    return ""
