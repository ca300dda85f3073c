"""A network described, and what its weights start from: an entry under arch in params.yaml.

The networks of He et al. 2016 for 32 x 32 images take one number, `depth`; `blocks` and `widths` spell out others, the
ImageNet family among them. Extensions are pre-activation (`order: pre`, He et al. 2016b, "Identity Mappings in Deep
Residual Networks"), wider stages (Wide ResNet, Zagoruyko and Komodakis 2016, whose order is pre), grouped convolutions
(ResNeXt, Xie et al. 2017; `groups` of `group_width` channels in the first stage) and squeeze-and-excitation (Hu et al.
2018). DenseNets (Huang et al. 2017) have dense layers for blocks: `dense`, or DenseNet-B's `dense_bottleneck`. Each
adds `growth` channels, and a transition between stages keeps the share `compression`. `bn_momentum` and `bn_eps` are
batch norm's, in torch's terms and with torch's defaults; Keras' `momentum=0.99, epsilon=1e-3` is `bn_momentum: 0.01,
bn_eps: 1e-3`.
"""

from typing import Annotated, Literal

from pydantic import BaseModel, ConfigDict, Field, model_validator

CONVOLUTIONS = {"basic": 2, "bottleneck": 3, "dense": 1, "dense_bottleneck": 2}  # in a block
DENSE = ("dense", "dense_bottleneck")
EXPANSION = {"basic": 1, "bottleneck": 4}  # what a block gives out, in its width (He et al. 2016, Figure 5)

ONLY_RESIDUAL = ("widths", "shortcut", "order", "width_factor", "groups", "group_width", "squeeze_excitation")
ONLY_DENSE = ("growth", "compression")

Count = Annotated[int, Field(ge=1, description="whole numbers from 1 up")]


class Model(BaseModel):
    """What every part of params.yaml has in common: unknown keys and wrong types are refused."""

    model_config = ConfigDict(extra="forbid", strict=True, frozen=True, allow_inf_nan=False)


class Arch(Model):
    """One network: how many blocks of which kind, how wide, and what they add to their output."""

    depth: int | None = Field(
        None,
        description="a whole number 6n+2 (8, 14, 20, ... 56, ... 110, ...), 9n+2 with bottlenecks (11, 20, 29, ...), "
        "3n+4 with dense layers (7, 10, ... 40, ...), 6n+4 with dense bottlenecks (10, 16, ... 100, ...)",
    )
    blocks: list[Count] | None = Field(None, min_length=1, description="a list of blocks a stage, instead of depth")
    widths: list[Count] = Field([16, 32, 64], min_length=1, description="a list of channels, one a stage")
    block: Literal["basic", "bottleneck", "dense", "dense_bottleneck"] = Field(
        "basic", description="basic, bottleneck, dense or dense_bottleneck"
    )
    shortcut: Literal["none", "projection", "identity"] = Field(
        "projection", description="none (plain), projection (option B) or identity (option A)"
    )
    order: Literal["post", "pre"] = Field(
        "post", description="post (batch norm and ReLU after each convolution) or pre (before it)"
    )
    stem: Literal["cifar", "imagenet"] = Field("cifar", description="cifar or imagenet")
    classes: int = Field(10, ge=2, description="a whole number from 2 up")
    width_factor: int = Field(1, ge=1, description="a whole number from 1 up")
    groups: int = Field(1, ge=1, description="a whole number from 1 up")
    group_width: int = Field(4, ge=1, description="a whole number of channels from 1 up")
    squeeze_excitation: bool = Field(False, description="true or false")
    growth: int = Field(12, ge=1, description="a whole number of channels from 1 up")
    compression: float = Field(1.0, gt=0, le=1, description="a number above 0, at most 1: the share of channels kept")
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
        step, ends = 3 * CONVOLUTIONS[self.block], 4 if self.dense else 2
        if self.depth is not None and (self.depth < step + ends or (self.depth - ends) % step):
            raise ValueError(f".depth is {self.depth}; allowed: {Arch.model_fields['depth'].description}")
        for key in ONLY_RESIDUAL if self.dense else ONLY_DENSE:
            if key in self.model_fields_set:
                blocks = [block for block in CONVOLUTIONS if (block in DENSE) != self.dense]
                raise ValueError(f".{key} is given with block: {self.block}; allowed only with {' and '.join(blocks)}")
        if self.frozen and self.start == "random":
            raise ValueError(".frozen is true with start: random; allowed: false, or weights to start from")
        if self.dense and any(self.entering(channels) < 1 for channels in self.outputs[1:-1]):
            raise ValueError(f".compression is {self.compression}; allowed: a share that leaves at least one channel")
        return self if self.dense else self._is_residual()

    def _is_residual(self) -> "Arch":
        if len(self.widths) != len(self.stages):
            raise ValueError(f".widths is {self.widths}; allowed: {len(self.stages)}, one a stage")
        if self.groups > 1 and self.block == "basic":
            raise ValueError(f".groups is {self.groups} with basic blocks; allowed: 1, or block: bottleneck")
        if self.groups == 1 and "group_width" in self.model_fields_set:
            raise ValueError(".group_width is given without groups; allowed only with groups from 2 up")
        if any(self.inner(stage) % self.groups for stage in range(len(self.stages))):
            raise ValueError(f".groups is {self.groups}; allowed: divisors of the channels in a block, {self.widths}")
        if self.shortcut == "identity" and any(b < a for a, b in zip(self.outputs, self.outputs[1:], strict=False)):
            raise ValueError(f".shortcut is identity and widths fall, {self.widths}; allowed: widths that do not")
        if self.order == "pre" and self.stem == "imagenet":
            raise ValueError(".order is pre with stem: imagenet; allowed: post, or stem: cifar")
        return self

    @property
    def dense(self) -> bool:
        """Whether its blocks are dense layers, which put their output beside their input instead of adding it."""
        return self.block in DENSE

    @property
    def connection(self) -> str:
        """How a block's input gets past it: none, projection, identity or dense."""
        return "dense" if self.dense else self.shortcut

    @property
    def stages(self) -> list[int]:
        """The number of blocks of each stage."""
        if self.blocks is not None:
            return self.blocks
        return [(self.depth - (4 if self.dense else 2)) // (3 * CONVOLUTIONS[self.block])] * 3

    @property
    def layers(self) -> int:
        """Weighted layers as He et al. count them: stem, blocks' and transitions' convolutions, classifier.

        Convolutions in shortcuts are left out. Zagoruyko and Komodakis count two of these more for Wide ResNets.
        """
        transitions = len(self.stages) - 1 if self.dense else 0
        return 2 + transitions + sum(self.stages) * CONVOLUTIONS[self.block]

    @property
    def outputs(self) -> list[int]:
        """The channels that each stage gives out, the stem before them (Huang et al. 2017, section 3)."""
        if self.dense:
            channels = [2 * self.growth if self.block == "dense_bottleneck" else 16]
            for stage, count in enumerate(self.stages):
                channels.append((self.entering(channels[-1]) if stage else channels[-1]) + count * self.growth)
            return channels
        return [self.widths[0], *(EXPANSION[self.block] * self.width_factor * width for width in self.widths)]

    @property
    def papers(self) -> bool:
        """Whether this is one of the paper's networks for CIFAR-10, which depth and shortcut describe."""
        plain = self.depth is not None and self.block == "basic"
        return plain and self == Arch(depth=self.depth, shortcut=self.shortcut)

    def entering(self, channels: int) -> int:
        """The channels that a transition between dense stages leaves of `channels`."""
        return int(channels * self.compression)

    def side(self, pixels: int) -> int:
        """Pixels a side of what the last stage gives out, of images with `pixels` a side; 0 if none would be left."""
        if self.stem == "imagenet":
            pixels = -(-pixels // 4)
        for _ in self.stages[1:]:
            pixels = pixels // 2 if self.dense else -(-pixels // 2)
        return pixels

    def inner(self, stage: int) -> int:
        """The channels inside a residual block of `stage`, from 0; with groups `group_width` times them, doubling."""
        width = self.widths[stage] * self.width_factor
        return width if self.groups == 1 else self.groups * self.group_width * width // self.widths[0]
