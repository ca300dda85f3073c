"""The blocks that networks are made of (He et al. 2016, Figure 5), plain or residual."""

from collections.abc import Callable

import torch.nn.functional as F
from torch import Tensor, nn

NormLayer = Callable[[int], nn.Module]  # from the number of channels
REDUCTION = 16  # of squeeze-and-excitation (Hu et al. 2018, section 4)


class PadShortcut(nn.Module):
    """Option A: every `stride`-th pixel, and zeros for the channels that the input lacks, half on either side."""

    def __init__(self, inputs: int, outputs: int, stride: int = 2) -> None:
        super().__init__()
        missing = outputs - inputs
        self.padding = (missing // 2, missing - missing // 2)
        self.stride = stride

    def forward(self, x: Tensor) -> Tensor:
        """(N, C, H, W) -> (N, outputs, H / stride, W / stride)."""
        return F.pad(x[:, :, :: self.stride, :: self.stride], (0, 0, 0, 0, *self.padding))


class Block(nn.Module):
    """What both kinds share: the shortcut's output is added to the branch's before the last ReLU, unless plain."""

    def close(
        self, inputs: int, outputs: int, stride: int, shortcut: str, norm_layer: NormLayer, squeeze_excitation: bool
    ) -> None:
        """Make what follows the convolutions, after them: modules draw their weights in the order they were made."""
        self.plain = shortcut == "none"
        self.shortcut: nn.Module = nn.Identity()
        if (inputs, 1) != (outputs, stride) and shortcut == "identity":
            self.shortcut = PadShortcut(inputs, outputs, stride)
        elif (inputs, 1) != (outputs, stride) and shortcut == "projection":
            conv = nn.Conv2d(inputs, outputs, 1, stride, bias=False)
            self.shortcut = nn.Sequential(conv, norm_layer(outputs))
        self.excitation: nn.Module = nn.Identity()
        if squeeze_excitation:
            from torchvision.ops import SqueezeExcitation  # takes over a second to import, and few networks need it

            self.excitation = SqueezeExcitation(outputs, max(1, outputs // REDUCTION))

    def branch(self, x: Tensor) -> Tensor:
        """(N, inputs, H, W) -> (N, outputs, H / stride, W / stride)."""
        raise NotImplementedError

    def forward(self, x: Tensor) -> Tensor:
        """(N, inputs, H, W) -> (N, outputs, H / stride, W / stride)."""
        out = self.excitation(self.branch(x))
        return F.relu(out if self.plain else out + self.shortcut(x))


class BasicBlock(Block):
    """Two 3x3 convolutions with batch norm."""

    def __init__(
        self,
        inputs: int,
        outputs: int,
        stride: int,
        shortcut: str,
        norm_layer: NormLayer = nn.BatchNorm2d,
        squeeze_excitation: bool = False,
    ) -> None:
        super().__init__()
        self.conv1 = nn.Conv2d(inputs, outputs, 3, stride, 1, bias=False)
        self.bn1 = norm_layer(outputs)
        self.conv2 = nn.Conv2d(outputs, outputs, 3, 1, 1, bias=False)
        self.bn2 = norm_layer(outputs)
        self.close(inputs, outputs, stride, shortcut, norm_layer, squeeze_excitation)

    def branch(self, x: Tensor) -> Tensor:
        """(N, inputs, H, W) -> (N, outputs, H / stride, W / stride)."""
        return self.bn2(self.conv2(F.relu(self.bn1(self.conv1(x)))))


class Bottleneck(Block):
    """1x1, 3x3 in `groups` and 1x1 convolutions with batch norm; the stride is the 3x3 one's, as in torchvision."""

    def __init__(
        self,
        inputs: int,
        inner: int,
        outputs: int,
        stride: int,
        shortcut: str,
        norm_layer: NormLayer = nn.BatchNorm2d,
        squeeze_excitation: bool = False,
        groups: int = 1,
    ) -> None:
        super().__init__()
        self.conv1 = nn.Conv2d(inputs, inner, 1, bias=False)
        self.bn1 = norm_layer(inner)
        self.conv2 = nn.Conv2d(inner, inner, 3, stride, 1, groups=groups, bias=False)
        self.bn2 = norm_layer(inner)
        self.conv3 = nn.Conv2d(inner, outputs, 1, bias=False)
        self.bn3 = norm_layer(outputs)
        self.close(inputs, outputs, stride, shortcut, norm_layer, squeeze_excitation)

    def branch(self, x: Tensor) -> Tensor:
        """(N, inputs, H, W) -> (N, outputs, H / stride, W / stride)."""
        x = F.relu(self.bn1(self.conv1(x)))
        return self.bn3(self.conv3(F.relu(self.bn2(self.conv2(x)))))
