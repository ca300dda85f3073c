"""Claims, declared in a file before anything is judged; verdicts.py judges them.

A claims file is a YAML list; `Claim` has its keys. A claim is about a measure of some variants, each with a sign: the
test accuracy of {resnet18: 1, plain18: -1} is what shortcuts gain.
"""

from pathlib import Path
from typing import Literal

from pydantic import Field, TypeAdapter, ValidationError
from ruamel.yaml import YAML
from ruamel.yaml.error import YAMLError

from pipeline.arch import Model
from pipeline.stage import StageError

MEASURES = {  # name: unit, whether it is a share of images
    "test_error": ("%", True),
    "test_accuracy": ("%", True),
    "train_accuracy": ("%", True),
    "accuracy_gap": ("points", True),
    "train_loss": ("nats", False),
    "parameters": ("M", False),
}


class Claim(Model):
    """One claim. `published` None: only the sign is claimed, and it is positive."""

    id: str
    statement: str
    source: str = Field(description="where it is published, and whether it is printed there or read off a figure")
    measure: Literal[tuple(MEASURES)]
    of: dict[str, Literal[-1, 1]] = Field(min_length=1)
    epoch: int | None = Field(None, ge=1, description="after which it is measured; none: the last")
    published: float | None
    tolerance: float | None = Field(None, gt=0)
    epochs: int = Field(1, ge=1, description="of the shortest schedule that can tell")

    @property
    def measured(self) -> str:
        """In words, how it is measured."""
        terms = "".join(f" {'−' if sign < 0 else '+'} {variant}" for variant, sign in self.of.items())
        after = f", epoch {self.epoch}" if self.epoch else ""
        return f"{self.measure.replace('_', ' ')} of {terms.removeprefix(' + ').strip()}{after}"


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
        if (claim.published is None) != (claim.tolerance is None):
            raise StageError(f"{path}: claim {claim.id} needs both of published and tolerance, or neither")
    ids = [claim.id for claim in claims]
    if len(set(ids)) < len(ids):
        raise StageError(f"{path}: an id stands there twice; legal is each once")
    return claims
