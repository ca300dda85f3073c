"""Networks by their description: those of He et al. 2016, with and without shortcuts, and others of the family.

Parameter names are the usual ones (conv1, bn1, layer1.0.conv1, ..., fc), so that weights can be exchanged.
"""

import functools

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from pipeline.networks.blocks import BasicBlock, Bottleneck, NormLayer
from pipeline.settings.architecture import Arch


class Network(nn.Module):
    """A stem, stages of blocks, each but the first beginning with stride 2, global average pooling, one linear layer.

    Stages are named layer1, layer2, ... The stem is a 3x3 convolution, or for ImageNet 7x7 with stride 2 and pooling.
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
        self.bn1 = norm_layer(inputs)
        self.pool = nn.MaxPool2d(3, 2, 1) if imagenet else nn.Identity()
        self.stages = []
        for stage, (count, width) in enumerate(zip(arch.stages, outputs, strict=True)):
            blocks = []
            for i in range(count):
                stride = 2 if stage and i == 0 else 1
                blocks.append(block(arch, stage, inputs, width, stride, norm_layer))
                inputs = width
            self.stages.append(f"layer{stage + 1}")
            self.add_module(self.stages[-1], nn.Sequential(*blocks))
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
        x = self.pool(F.relu(self.bn1(self.conv1(x))))
        for stage in self.stages:
            x = self.get_submodule(stage)(x)
        pooled = x.to(self.fc.weight.dtype).mean((2, 3))
        with torch.autocast("cuda", enabled=False), torch.autocast("cpu", enabled=False):
            return self.fc(pooled)


def block(arch: Arch, stage: int, inputs: int, outputs: int, stride: int, norm_layer: NormLayer) -> nn.Module:
    """A block of `stage`, counted from 0, as `arch` describes it."""
    ends = {"norm_layer": norm_layer, "squeeze_excitation": arch.squeeze_excitation}
    if arch.block == "basic":
        return BasicBlock(inputs, outputs, stride, arch.shortcut, **ends)
    inner = arch.inner(stage)
    return Bottleneck(inputs, inner, outputs, stride, arch.shortcut, **ends, groups=arch.groups)


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
