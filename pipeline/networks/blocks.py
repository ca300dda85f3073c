"""The blocks that networks are made of: plain or residual (He et al. 2016, Figure 5), pre-activation, and dense."""

from collections.abc import Callable

import torch
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
    """What residual blocks share: the shortcut's output is added to the branch's before the last ReLU, unless plain."""

    def close(
        self,
        inputs: int,
        outputs: int,
        stride: int,
        shortcut: str,
        norm_layer: NormLayer | None,
        squeeze_excitation: bool,
    ) -> None:
        """Make what follows the convolutions, after them: modules draw their weights in the order they were made.

        Without `norm_layer` a projection has no batch norm of its own.
        """
        self.plain = shortcut == "none"
        self.shortcut: nn.Module = nn.Identity()
        if (inputs, 1) != (outputs, stride) and shortcut == "identity":
            self.shortcut = PadShortcut(inputs, outputs, stride)
        elif (inputs, 1) != (outputs, stride) and shortcut == "projection":
            conv = nn.Conv2d(inputs, outputs, 1, stride, bias=False)
            self.shortcut = nn.Sequential(conv, norm_layer(outputs)) if norm_layer else conv
        self.excitation: nn.Module = nn.Identity()
        if squeeze_excitation:
            from torchvision.ops import SqueezeExcitation  # takes over a second to import, and few networks need it

            self.excitation = SqueezeExcitation(outputs, max(1, outputs // REDUCTION))

    def branch(self, x: Tensor) -> Tensor:
        """(N, inputs, H, W) -> (N, outputs, H / stride, W / stride)."""
        raise NotImplementedError

    @property
    def identity(self) -> bool:
        """Whether its shortcut gives out what comes in."""
        return isinstance(self.shortcut, nn.Identity)

    def last(self) -> nn.Module:
        """The layer of the branch without whose weights the branch is zero."""
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

    def last(self) -> nn.Module:
        """The layer of the branch without whose weights the branch is zero."""
        return self.bn2


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

    def last(self) -> nn.Module:
        """The layer of the branch without whose weights the branch is zero."""
        return self.bn3


class PreActivation(Block):
    """Batch norm and ReLU before each convolution, nothing after the addition (He et al. 2016b, Figure 4e).

    `convolutions` are (inputs, outputs, size, stride, groups) of each. In the first block of a stage, which `shares`
    them, the first batch norm and ReLU are the shortcut's too, as in the authors' code.
    """

    def __init__(
        self,
        convolutions: list[tuple[int, int, int, int, int]],
        shortcut: str,
        shares: bool,
        norm_layer: NormLayer = nn.BatchNorm2d,
        squeeze_excitation: bool = False,
    ) -> None:
        super().__init__()
        self.shares = shares
        self.count = len(convolutions)
        for i, (inputs, outputs, size, stride, groups) in enumerate(convolutions, 1):
            self.add_module(f"bn{i}", norm_layer(inputs))
            conv = nn.Conv2d(inputs, outputs, size, stride, size // 2, groups=groups, bias=False)
            self.add_module(f"conv{i}", conv)
        strides = max(stride for _, _, _, stride, _ in convolutions)
        self.close(convolutions[0][0], convolutions[-1][1], strides, shortcut, None, squeeze_excitation)

    def branch(self, x: Tensor) -> Tensor:
        """Input after the first batch norm and ReLU (N, inputs, H, W) -> (N, outputs, H / stride, W / stride)."""
        x = self.conv1(x)
        for i in range(2, self.count + 1):
            x = self.get_submodule(f"conv{i}")(F.relu(self.get_submodule(f"bn{i}")(x)))
        return x

    def forward(self, x: Tensor) -> Tensor:
        """(N, inputs, H, W) -> (N, outputs, H / stride, W / stride)."""
        activated = F.relu(self.bn1(x))
        out = self.excitation(self.branch(activated))
        return out if self.plain else out + self.shortcut(activated if self.shares else x)

    @property
    def identity(self) -> bool:
        """Whether its shortcut gives out what comes in."""
        return super().identity and not self.shares

    def last(self) -> nn.Module:
        """The layer of the branch without whose weights the branch is zero."""
        return self.get_submodule(f"conv{self.count}")


class DenseLayer(nn.Module):
    """Its input, and `growth` channels beside it (Huang et al. 2017, section 3): batch norm, ReLU, 3x3 convolution.

    With `bottleneck` the same with a 1x1 convolution to 4 * growth channels comes first.
    """

    def __init__(self, inputs: int, growth: int, bottleneck: bool, norm_layer: NormLayer = nn.BatchNorm2d) -> None:
        super().__init__()
        self.bottleneck = bottleneck
        if bottleneck:
            self.bn1 = norm_layer(inputs)
            self.conv1 = nn.Conv2d(inputs, 4 * growth, 1, bias=False)
            inputs = 4 * growth
        self.bn2 = norm_layer(inputs)
        self.conv2 = nn.Conv2d(inputs, growth, 3, 1, 1, bias=False)

    def forward(self, x: Tensor) -> Tensor:
        """(N, inputs, H, W) -> (N, inputs + growth, H, W)."""
        out = self.conv1(F.relu(self.bn1(x))) if self.bottleneck else x
        return torch.cat([x, self.conv2(F.relu(self.bn2(out)))], 1)


class Transition(nn.Module):
    """Between dense stages: batch norm, ReLU, 1x1 convolution, and the mean over 2x2 pixels."""

    def __init__(self, inputs: int, outputs: int, norm_layer: NormLayer = nn.BatchNorm2d) -> None:
        super().__init__()
        self.bn1 = norm_layer(inputs)
        self.conv1 = nn.Conv2d(inputs, outputs, 1, bias=False)

    def forward(self, x: Tensor) -> Tensor:
        """(N, inputs, H, W) -> (N, outputs, H / 2, W / 2)."""
        return F.avg_pool2d(self.conv1(F.relu(self.bn1(x))), 2)
