"""Claims, declared in a file before anything is judged; verdicts.py judges them.

A claims file is a YAML list; `Claim` has its keys, measures.py what can be measured. A claim is about a measure of some
variants, each with a sign: the test accuracy of {resnet18: 1, plain18: -1} is what shortcuts gain. With `over` it is
about the ratio of two such sums.
"""

from pathlib import Path
from typing import Annotated, Literal

from pydantic import Field, TypeAdapter, ValidationError
from ruamel.yaml import YAML
from ruamel.yaml.error import YAMLError

from pipeline.arch import Model
from pipeline.measures import BY_EPOCH, MEASURES
from pipeline.stage import StageError

Range = Annotated[list[float], Field(min_length=2, max_length=2)]
Signs = Annotated[dict[str, Literal[-1, 1]], Field(min_length=1)]


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
    published: float | None
    tolerance: Annotated[float, Field(gt=0)] | Range | None = Field(None, description="either way, or from and to")
    epochs: int = Field(1, ge=1, description="of the shortest schedule that can tell the size")
    note: str = Field("", description="what a reader should know of it")

    @property
    def limits(self) -> tuple[float, float] | None:
        """Between which ours has to lie; None where only the sign is claimed."""
        if isinstance(self.tolerance, float) and self.published is not None:
            return self.published - self.tolerance, self.published + self.tolerance
        return tuple(self.tolerance) if isinstance(self.tolerance, list) else None

    @property
    def variants(self) -> list[str]:
        """All that it is about."""
        return [*self.of, *(self.over or {})]

    @property
    def compares(self) -> bool:
        """Whether it is about a difference or a ratio, whose sign a short schedule can show."""
        return len(self.variants) > 1

    @property
    def measured(self) -> str:
        """In words, how it is measured."""
        terms = summed(self.of)
        if self.over:
            parts = [summed(signs) for signs in (self.of, self.over)]
            terms = " / ".join(f"({part})" if " " in part else part for part in parts)
        after = f", epoch {self.epoch}" if self.epoch else ""
        return f"{MEASURES[self.measure].words} of {terms}{after}"


def summed(signs: dict[str, int]) -> str:
    """`plain56 − plain20`."""
    terms = "".join(f" {'−' if sign < 0 else '+'} {variant}" for variant, sign in signs.items())
    return terms.removeprefix(" + ").strip()


def load(path: Path) -> list[Claim]:
    """The claims of a file. Raises StageError with one sentence for the first thing that is wrong."""
    try:
        claims = TypeAdapter(list[Claim]).validate_python(YAML(typ="safe", pure=True).load(path))
    except FileNotFoundError:
        raise StageError(f"{path} is missing: it declares what is judged") from None
    except YAMLError as error:
        raise StageError(f"{path} is not YAML: {' '.join(str(error).split())}") from None
    except ValidationError as error:
        first = error.errors()[0]
        raise StageError(f"{path}: claim {'.'.join(map(str, first['loc']))}: {first['msg']}") from None
    for claim in claims:
        wrong = fault(claim)
        if wrong:
            raise StageError(f"{path}: claim {claim.id} {wrong}")
    ids = [claim.id for claim in claims]
    if len(set(ids)) < len(ids):
        raise StageError(f"{path}: an id stands there twice; legal is each once")
    return claims


def fault(claim: Claim) -> str:
    """What is wrong with a claim as a whole, and what would be legal; empty if nothing is."""
    if claim.published is not None and claim.tolerance is None:
        return "needs a tolerance, since it has a published value"
    if isinstance(claim.tolerance, float) and claim.published is None:
        return "has a tolerance and nothing published; legal are both, neither, or a tolerance from and to"
    if claim.limits and claim.limits[0] >= claim.limits[1]:
        return f"has the tolerance {claim.tolerance}; legal is from less to more"
    if claim.epoch and claim.measure not in BY_EPOCH:
        return f"asks for an epoch of {claim.measure}; legal is one of {', '.join(BY_EPOCH)}"
    if len(claim.of) == 1 and -1 in claim.of.values():
        return "is about one variant with a minus; legal is 1"
    if claim.over and not (claim.measure == "test_error" or claim.measure.startswith("epochs_to_")):
        return f"is about a ratio of {claim.measure}; legal are ratios of test_error and epochs_to_..."
    if claim.measure == "class_error" and (sorted(claim.of.values()) != [-1, 1] or claim.over or claim.limits):
        return "is about class_error; legal is one variant less another, without a tolerance"
    return ""
