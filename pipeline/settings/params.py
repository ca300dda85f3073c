"""Typed, validated view of params.yaml: a wrong value is refused before anything is computed.

Each field's description is what a refusal names as allowed, so there is one text for both.
"""

import difflib
from pathlib import Path
from typing import Annotated, Any, Literal

from pydantic import Field, ValidationError, model_validator
from ruamel.yaml import YAML  # YAML 1.2, as DVC reads it: PyYAML takes the 1e-05 that `-S lr=1e-5` writes for a string
from ruamel.yaml.error import YAMLError

from pipeline.settings.architecture import Arch, Model
from pipeline.settings.datasets import DATASETS
from pipeline.stage import StageError

Name = Annotated[str, Field(pattern=r"^[a-z][a-z0-9_]*$", description="lower-case letters, digits and underscores")]
Fraction = Annotated[float, Field(gt=0, lt=1, description="fractions of the epochs between 0 and 1")]
Seed = Annotated[int, Field(ge=0, lt=2**32, description="whole numbers from 0 to 4294967295")]


class Params(Model):
    """All of params.yaml. `train_error` and the like are in percent wherever they appear; lr is SGD's step size."""

    dataset: Literal["cifar10", "cifar100", "flowers17", "synthetic", "synthetic_cifar100", "synthetic_flowers17"] = (
        Field(description=", ".join(DATASETS))
    )
    image_size: int = Field(ge=32, le=500, description="a whole number of pixels from 32 to 500")
    train_size: int = Field(ge=1, description="a whole number from 1 up")
    val_size: int = Field(ge=0, description="a whole number from 0 up")
    crop_padding: int = Field(ge=0, le=32, description="a whole number of pixels from 0 to 32")
    horizontal_flip: bool = Field(description="true or false")

    lr: float = Field(gt=0, description="a number above 0")
    momentum: float = Field(ge=0, lt=1, description="a number from 0 to below 1")
    nesterov: bool = Field(description="true or false")
    weight_decay: float = Field(ge=0, description="a number from 0 up")
    label_smoothing: float = Field(ge=0, lt=1, description="a number from 0 to below 1")
    batch_size: int = Field(ge=2, description="a whole number from 2 up")

    epochs: int = Field(ge=1, description="a whole number from 1 up")
    warmup_epochs: int = Field(ge=0, description="a whole number from 0 to below epochs")
    lr_gamma: float = Field(gt=0, le=1, description="a number above 0, at most 1")
    lr_milestones: list[Fraction] = Field(description="a list of fractions of the epochs, increasing")

    precision: Literal["auto", "bf16", "fp32"] = Field(description="auto, bf16 or fp32")
    device: str = Field(pattern=r"^(auto|cpu|cuda(:\d+)?)$", description="auto, cpu, cuda or cuda:0, cuda:1, ...")
    threads: int = Field(ge=0, description="a whole number from 1 up, or 0 for as many as there are cores")
    processes: int = Field(ge=1, description="a whole number from 1 up")
    sync_batchnorm: bool = Field(description="true or false")

    seeds: list[Seed] = Field(min_length=1, description="a list of at least one seed")
    variants: list[Name] = Field(min_length=1, description="a list of at least one name under arch")
    arch: dict[Name, Arch] = Field(description="one entry {depth, shortcut, ...} a variant")

    @model_validator(mode="after")
    def _fields_agree(self) -> "Params":
        for key in ("seeds", "variants", "lr_milestones"):
            values = getattr(self, key)
            twice = sorted({value for value in values if values.count(value) > 1})
            if twice:
                raise ValueError(f"{key} names {twice[0]} twice; each may be there once")
        if self.lr_milestones != sorted(self.lr_milestones):
            raise ValueError(f"lr_milestones is {self.lr_milestones}; allowed: increasing fractions")
        data = DATASETS[self.dataset]
        if data.side not in (None, self.image_size):
            raise ValueError(f"image_size is {self.image_size}; allowed: {data.side}, the size of {self.dataset}")
        for variant in self.variants:
            if variant not in self.arch:
                raise ValueError(f"variants names {variant}, which arch lacks; allowed: {', '.join(self.arch)}")
            if self.arch[variant].classes != len(data.classes):
                raise ValueError(
                    f"arch.{variant}.classes is {self.arch[variant].classes}; allowed: {len(data.classes)}, the "
                    f"classes of {self.dataset}"
                )
            if self.arch[variant].side(self.image_size) < 1:
                raise ValueError(
                    f"arch.{variant} has {len(self.arch[variant].stages)} stages; allowed: fewer, since each after the "
                    f"first halves the images, {self.image_size} pixels a side"
                )
            if self.arch[variant].start != "random" and not data.split_by_seed:
                raise ValueError(
                    f"arch.{variant}.start is {self.arch[variant].start}; allowed with {self.dataset}: random: what it "
                    "starts from is prepared for flowers alone"
                )
        if self.train_size + self.val_size > data.train:
            raise ValueError(
                f"train_size {self.train_size} and val_size {self.val_size} do not fit the {data.train} training "
                f"images of {self.dataset}; allowed: a sum up to {data.train}"
            )
        if self.warmup_epochs and self.warmup_epochs >= self.epochs:
            raise ValueError(f"warmup_epochs is {self.warmup_epochs}; allowed: below epochs, {self.epochs}")
        if self.nesterov and self.momentum == 0:
            raise ValueError("nesterov is true; allowed: only with momentum above 0")
        return self

    def network(self, variant: str) -> Arch:
        """The entry of `variant` under arch. Raises StageError if there is none."""
        if variant not in self.arch:
            raise StageError(f"arch has no entry {variant}; allowed: {', '.join(self.arch)}")
        return self.arch[variant]


def load(path: Path | str = "params.yaml") -> Params:
    """The validated content of `path`. Raises StageError with one sentence for the first thing that is wrong."""
    try:
        return parse(YAML(typ="safe", pure=True).load(Path(path)))
    except FileNotFoundError:
        raise StageError(f"{path} is missing here: run from the top of the repository") from None
    except YAMLError as error:
        raise StageError(f"{path} is not YAML: {' '.join(str(error).split())}") from None
    except StageError as error:
        raise StageError(f"{path}: {error}") from None


def parse(content: Any) -> Params:
    """`content`, a mapping, as Params. Raises StageError with one sentence for the first thing that is wrong."""
    try:
        return Params.model_validate(content)
    except ValidationError as error:
        raise StageError(_sentence(error)) from None


def _sentence(error: ValidationError) -> str:
    first = error.errors()[0]
    path = [part for part in first["loc"] if part != "[key]"]
    key = ".".join(map(str, path)) or "the file"
    model = Arch if path[:1] == ["arch"] and len(path) > 2 else Params
    if first["type"] == "extra_forbidden":
        close = difflib.get_close_matches(str(path[-1]), model.model_fields, 1)
        hint = f"did you mean {close[0]}?" if close else f"allowed: {', '.join(model.model_fields)}"
        return f"{key} is {first['input']!r}, but there is no such key; {hint}"
    if first["type"] == "missing":
        return f"{key} is missing; allowed: {_legal(model, path)}"
    if first["type"] == "value_error":
        return (key if path else "") + first["msg"].removeprefix("Value error, ")
    return f"{key} is {first['input']!r}; allowed: {_legal(model, path)}"


def _legal(model: type[Model], path: list[Any]) -> str:
    if not path:
        return "a mapping of keys to values"
    if model is Params and len(path) > 1:  # an item of a list, or one name under arch
        item = {"lr_milestones": Fraction, "seeds": Seed, "variants": Name}.get(path[0])
        return item.__metadata__[0].description if item else "an entry {depth, shortcut, ...} by a lower-case name"
    return model.model_fields[path[2] if model is Arch else path[-1]].description
