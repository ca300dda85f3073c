"""A network described, and what its weights start from: an entry under arch in params.yaml.

The networks of He et al. 2016 for 32 x 32 images take one number, `depth`; `blocks` and `widths` spell out others, the
ImageNet family among them. There are three extensions: wider stages (Wide ResNet, Zagoruyko and Komodakis 2016; its
stages alone, not its order of layers), grouped convolutions (ResNeXt, Xie et al. 2017; `groups` of `group_width`
channels in the first stage) and squeeze-and-excitation (Hu et al. 2018). `bn_momentum` and `bn_eps` are batch norm's,
in torch's terms and with torch's defaults; Keras' `momentum=0.99, epsilon=1e-3` is `bn_momentum: 0.01, bn_eps: 1e-3`.
"""

from typing import Annotated, Literal

from pydantic import BaseModel, ConfigDict, Field, model_validator

CONVOLUTIONS = {"basic": 2, "bottleneck": 3}  # in a block
EXPANSION = {"basic": 1, "bottleneck": 4}  # what a block gives out, in its width (He et al. 2016, Figure 5)

Count = Annotated[int, Field(ge=1, description="whole numbers from 1 up")]


class Model(BaseModel):
    """What every part of params.yaml has in common: unknown keys and wrong types are refused."""

    model_config = ConfigDict(extra="forbid", strict=True, frozen=True, allow_inf_nan=False)


class Arch(Model):
    """One network: how many blocks of which kind, how wide, and what they add to their output."""

    depth: int | None = Field(
        None,
        description="a whole number 6n+2 (8, 14, 20, ... 56, ... 110, ...), 9n+2 with bottlenecks (11, 20, 29, ...)",
    )
    blocks: list[Count] | None = Field(None, min_length=1, description="a list of blocks a stage, instead of depth")
    widths: list[Count] = Field([16, 32, 64], min_length=1, description="a list of channels, one a stage")
    block: Literal["basic", "bottleneck"] = Field("basic", description="basic or bottleneck")
    shortcut: Literal["none", "projection", "identity"] = Field(
        "projection", description="none (plain), projection (option B) or identity (option A)"
    )
    stem: Literal["cifar", "imagenet"] = Field("cifar", description="cifar or imagenet")
    classes: int = Field(10, ge=2, description="a whole number from 2 up")
    width_factor: int = Field(1, ge=1, description="a whole number from 1 up")
    groups: int = Field(1, ge=1, description="a whole number from 1 up")
    group_width: int = Field(4, ge=1, description="a whole number of channels from 1 up")
    squeeze_excitation: bool = Field(False, description="true or false")
    bn_momentum: float = Field(
        0.1, gt=0, le=1, description="a number above 0, at most 1: the share of a new batch in the running statistics"
    )
    bn_eps: float = Field(1e-5, gt=0, description="a number above 0, added to the variance")
    start: Literal["random", "cifar10", "imagenet"] = Field("random", description="random, cifar10 or imagenet")
    frozen: bool = Field(False, description="true (the classifier alone is trained) or false")

    @model_validator(mode="after")
    def _is_a_network(self) -> "Arch":
        if (self.depth is None) == (self.blocks is None):
            given = "neither" if self.depth is None else "both"
            raise ValueError(f" has {given} of depth and blocks; allowed: one of them")
        step = 3 * CONVOLUTIONS[self.block]
        if self.depth is not None and (self.depth < step + 2 or self.depth % step != 2):
            raise ValueError(f".depth is {self.depth}; allowed: {Arch.model_fields['depth'].description}")
        if len(self.widths) != len(self.stages):
            raise ValueError(f".widths is {self.widths}; allowed: {len(self.stages)}, one a stage")
        if self.groups > 1 and self.block == "basic":
            raise ValueError(f".groups is {self.groups} with basic blocks; allowed: 1, or block: bottleneck")
        if any(self.inner(stage) % self.groups for stage in range(len(self.stages))):
            raise ValueError(f".groups is {self.groups}; allowed: divisors of the channels in a block, {self.widths}")
        if self.frozen and self.start == "random":
            raise ValueError(".frozen is true with start: random; allowed: false, or weights to start from")
        if self.shortcut == "identity" and any(b < a for a, b in zip(self.outputs, self.outputs[1:], strict=False)):
            raise ValueError(f".shortcut is identity and widths fall, {self.widths}; allowed: widths that do not")
        return self

    @property
    def stages(self) -> list[int]:
        """The number of blocks of each stage."""
        if self.blocks is not None:
            return self.blocks
        return [(self.depth - 2) // (3 * CONVOLUTIONS[self.block])] * 3

    @property
    def layers(self) -> int:
        """Weighted layers as the paper counts them: the stem, the blocks' convolutions, the classifier."""
        return 2 + sum(self.stages) * CONVOLUTIONS[self.block]

    @property
    def outputs(self) -> list[int]:
        """The channels that each stage gives out, the stem before them."""
        return [self.widths[0], *(EXPANSION[self.block] * self.width_factor * width for width in self.widths)]

    @property
    def papers(self) -> bool:
        """Whether this is one of the paper's networks for CIFAR-10, which depth and shortcut describe."""
        return self == Arch(depth=self.depth, shortcut=self.shortcut) if self.depth is not None else False

    def inner(self, stage: int) -> int:
        """The channels inside a block of `stage`, counted from 0; with groups `group_width` times them, doubling."""
        width = self.widths[stage] * self.width_factor
        return width if self.groups == 1 else self.groups * self.group_width * width // self.widths[0]
