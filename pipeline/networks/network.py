"""Networks by their description: those of He et al. 2016, with and without shortcuts, and others of the family.

Parameter names are the usual ones (conv1, bn1, layer1.0.conv1, ..., fc), so that weights can be exchanged.
"""

import functools

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from pipeline.networks.blocks import BasicBlock, Bottleneck, DenseLayer, NormLayer, PreActivation, Transition
from pipeline.settings.architecture import Arch


class Network(nn.Module):
    """A stem, stages of blocks, each but the first beginning with stride 2, global average pooling, one linear layer.

    Stages are named layer1, layer2, ... The stem is a 3x3 convolution, or for ImageNet 7x7 with stride 2 and pooling.
    Where batch norm and ReLU come before convolutions, in pre-activation and dense networks, they come once more after
    the last stage, and not in the stem unless it is ImageNet's.
    What is frozen has no gradients and keeps batch norm's running statistics: all but the classifier. Pooling and the
    linear layer compute in the precision of the weights, under autocast too: logits in bf16 often tie.
    """

    def __init__(self, arch: Arch, norm_layer: NormLayer = nn.BatchNorm2d) -> None:
        super().__init__()
        norm_layer = functools.partial(norm_layer, eps=arch.bn_eps, momentum=arch.bn_momentum)
        inputs, *outputs = arch.outputs
        imagenet = arch.stem == "imagenet"
        size, stride = (7, 2) if imagenet else (3, 1)
        self.conv1 = nn.Conv2d(3, inputs, size, stride, size // 2, bias=False)
        before = arch.dense or arch.order == "pre"
        self.bn1 = None if before and not imagenet else norm_layer(inputs)
        self.pool = nn.MaxPool2d(3, 2, 1) if imagenet else nn.Identity()
        self.stages = []
        for stage, width in enumerate(outputs):
            make = dense if arch.dense else residual
            self.stages.append(f"layer{stage + 1}")
            self.add_module(self.stages[-1], nn.Sequential(*make(arch, stage, inputs, width, norm_layer)))
            inputs = width
        self.bn = norm_layer(inputs) if before else None
        self.fc = nn.Linear(inputs, arch.classes)
        self.frozen = arch.frozen
        if arch.frozen:
            self.requires_grad_(False)
            self.fc.requires_grad_(True)

    def train(self, mode: bool = True) -> "Network":
        """As of any module, but that what is frozen never trains."""
        return super().train(mode and not self.frozen)

    def forward(self, x: Tensor) -> Tensor:
        """Normalised images (N, 3, H, W) -> logits (N, classes)."""
        x = self.conv1(x)
        x = self.pool(x if self.bn1 is None else F.relu(self.bn1(x)))
        for stage in self.stages:
            x = self.get_submodule(stage)(x)
        x = x if self.bn is None else F.relu(self.bn(x))
        pooled = x.to(self.fc.weight.dtype).mean((2, 3))
        with torch.autocast("cuda", enabled=False), torch.autocast("cpu", enabled=False):
            return self.fc(pooled)


def residual(arch: Arch, stage: int, inputs: int, outputs: int, norm_layer: NormLayer) -> list[nn.Module]:
    """The blocks of `stage`, counted from 0, plain ones too."""
    blocks = []
    for i in range(arch.stages[stage]):
        blocks.append(block(arch, stage, inputs, outputs, 2 if stage and i == 0 else 1, i == 0, norm_layer))
        inputs = outputs
    return blocks


def block(
    arch: Arch, stage: int, inputs: int, outputs: int, stride: int, first: bool, norm_layer: NormLayer
) -> nn.Module:
    """A plain or residual block of `stage`, counted from 0, as `arch` describes it; the `first` of it or another."""
    ends = {"norm_layer": norm_layer, "squeeze_excitation": arch.squeeze_excitation}
    inner = arch.inner(stage)
    if arch.order == "pre":
        convolutions = {
            "basic": [(inputs, outputs, 3, stride, 1), (outputs, outputs, 3, 1, 1)],
            "bottleneck": [
                (inputs, inner, 1, 1, 1),
                (inner, inner, 3, stride, arch.groups),
                (inner, outputs, 1, 1, 1),
            ],
        }
        return PreActivation(convolutions[arch.block], arch.shortcut, first, **ends)
    if arch.block == "basic":
        return BasicBlock(inputs, outputs, stride, arch.shortcut, **ends)
    return Bottleneck(inputs, inner, outputs, stride, arch.shortcut, **ends, groups=arch.groups)


def dense(arch: Arch, stage: int, inputs: int, outputs: int, norm_layer: NormLayer) -> list[nn.Module]:
    """The dense layers of `stage`, counted from 0, after a transition if it is not the first."""
    layers: list[nn.Module] = []
    if stage:
        layers.append(Transition(inputs, arch.entering(inputs), norm_layer))
    for i in reversed(range(arch.stages[stage])):
        layers.append(DenseLayer(outputs - (i + 1) * arch.growth, arch.growth, arch.block != "dense", norm_layer))
    return layers


def build(arch: Arch, seed: int, norm_layer: NormLayer = nn.BatchNorm2d) -> Network:
    """A network with He initialisation (He et al. 2015, equation 10) drawn from `seed` alone, in channels_last.

    Layers draw from one generator, in order, so that networks of one seed share starting weights up to the first layer
    that differs, and after it where as many numbers were drawn: of the nineteen convolutions of plain20, nine begin as
    their namesakes in resnet20 do. That is kept: common random numbers make differences between networks sharper.
    """
    network = Network(arch, norm_layer=norm_layer)
    generator = torch.Generator().manual_seed(seed)
    for module in network.modules():
        if isinstance(module, nn.Conv2d | nn.Linear):
            nn.init.kaiming_normal_(module.weight, nonlinearity="relu", generator=generator)
            if module.bias is not None:
                nn.init.zeros_(module.bias)
    return network.to(memory_format=torch.channels_last)


def parameter_count(network: nn.Module) -> int:
    """Trained numbers: convolutions, batch norm's scale and shift, the classifier with its bias."""
    return sum(parameter.numel() for parameter in network.parameters())
