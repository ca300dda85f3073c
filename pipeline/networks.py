"""The networks of He et al. 2016, section 4.2: 6n+2 weighted layers for 32 x 32 images, with and without shortcuts.

Parameter names are the usual ones (conv1, bn1, layer1.0.conv1, ..., fc), so that weights can be exchanged.
"""

import json
from collections.abc import Callable
from pathlib import Path

import torch
import torch.nn.functional as F
from safetensors import SafetensorError, safe_open
from safetensors.torch import save
from torch import Tensor, nn

from pipeline.params import Arch
from pipeline.stage import StageError, write

WIDTHS = (16, 32, 64)
NormLayer = Callable[[int], nn.Module]  # from the number of channels


class PadShortcut(nn.Module):
    """Option A: every second pixel, and zeros for the channels that the input lacks, half on either side."""

    def __init__(self, inputs: int, outputs: int) -> None:
        super().__init__()
        self.padding = (outputs - inputs) // 2

    def forward(self, x: Tensor) -> Tensor:
        """(N, C, H, W) -> (N, 2C, H/2, W/2)."""
        return F.pad(x[:, :, ::2, ::2], (0, 0, 0, 0, self.padding, self.padding))


class BasicBlock(nn.Module):
    """Two 3x3 convolutions with batch norm; the shortcut's output is added before the last ReLU, unless plain."""

    def __init__(
        self, inputs: int, outputs: int, stride: int, shortcut: str, norm_layer: NormLayer = nn.BatchNorm2d
    ) -> None:
        super().__init__()
        self.conv1 = nn.Conv2d(inputs, outputs, 3, stride, 1, bias=False)
        self.bn1 = norm_layer(outputs)
        self.conv2 = nn.Conv2d(outputs, outputs, 3, 1, 1, bias=False)
        self.bn2 = norm_layer(outputs)
        self.plain = shortcut == "none"
        self.shortcut: nn.Module = nn.Identity()
        if inputs != outputs and shortcut == "identity":
            self.shortcut = PadShortcut(inputs, outputs)
        elif inputs != outputs and shortcut == "projection":
            conv = nn.Conv2d(inputs, outputs, 1, stride, bias=False)
            self.shortcut = nn.Sequential(conv, norm_layer(outputs))

    def forward(self, x: Tensor) -> Tensor:
        """(N, inputs, H, W) -> (N, outputs, H / stride, W / stride)."""
        out = F.relu(self.bn1(self.conv1(x)))
        out = self.bn2(self.conv2(out))
        return F.relu(out if self.plain else out + self.shortcut(x))


class Network(nn.Module):
    """A 3x3 stem, three stages of n blocks with 16, 32 and 64 channels, global average pooling, one linear layer."""

    def __init__(self, arch: Arch, classes: int = 10, norm_layer: NormLayer = nn.BatchNorm2d) -> None:
        super().__init__()
        n = (arch.depth - 2) // 6
        self.conv1 = nn.Conv2d(3, WIDTHS[0], 3, 1, 1, bias=False)
        self.bn1 = norm_layer(WIDTHS[0])
        stages = []
        inputs = WIDTHS[0]
        for width in WIDTHS:
            strides = [1 if width == inputs else 2] + [1] * (n - 1)
            blocks = [
                BasicBlock(inputs if i == 0 else width, width, stride, arch.shortcut, norm_layer)
                for i, stride in enumerate(strides)
            ]
            stages.append(nn.Sequential(*blocks))
            inputs = width
        self.layer1, self.layer2, self.layer3 = stages
        self.fc = nn.Linear(WIDTHS[-1], classes)

    def forward(self, x: Tensor) -> Tensor:
        """Normalised images (N, 3, 32, 32) -> logits (N, classes)."""
        x = F.relu(self.bn1(self.conv1(x)))
        x = self.layer3(self.layer2(self.layer1(x)))  # (N, 64, 8, 8)
        return self.fc(x.mean((2, 3)))


def build(arch: Arch, seed: int, norm_layer: NormLayer = nn.BatchNorm2d) -> Network:
    """A network with He initialisation (He et al. 2015, equation 10) drawn from `seed` alone, in channels_last."""
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


def save_weights(network: nn.Module, path: Path, mean: list[float], std: list[float]) -> None:
    """Write the state_dict as safetensors, with the input statistics (0-1 scale, RGB) that it was trained with."""
    tensors = {name: tensor.cpu().contiguous() for name, tensor in network.state_dict().items()}
    inputs = json.dumps({"mean": mean, "std": std})  # one entry: safetensors writes several in a random order
    write(path, save(tensors, {"inputs": inputs}))


def load_weights(network: nn.Module, path: Path) -> tuple[list[float], list[float]]:
    """Fill `network` from `path`; mean and std of its inputs, three numbers each.

    Raises StageError if the file is missing, damaged, or of another network.
    """
    try:
        with safe_open(path, "pt") as file:
            tensors = {name: file.get_tensor(name) for name in file.keys()}  # noqa: SIM118 (not a mapping)
            inputs = json.loads((file.metadata() or {})["inputs"])
        network.load_state_dict(tensors)
        return inputs["mean"], inputs["std"]
    except FileNotFoundError:
        raise StageError(
            f"{path} is missing: run `dvc repro` to train it, or `dvc checkout` if it was trained"
        ) from None
    except (SafetensorError, KeyError, ValueError) as error:
        raise StageError(f"{path} is damaged, no safetensors file of ours: {error}") from None
    except RuntimeError as error:
        raise StageError(f"{path} holds another network: {' '.join(str(error).split())[:300]}") from None
