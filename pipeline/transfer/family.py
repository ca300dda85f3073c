"""Stage family of study transfer: residual networks beside VGG-16, their layers, parameters, multiply-adds, memory.

    python -m pipeline.transfer.family --csv family.csv

Prints the table, and with --csv writes it. Nothing is trained or even filled with numbers: networks lie on torch's meta
device, which knows shapes only. 7 s.

Columns: `layers` as the papers count them; `parameters`; `multiply_adds` of convolutions and matrix products for one
image (the papers' FLOPs; torch's counter says two for each); `weights_mb`, the parameters in float32; `activations_mb`,
what the backward pass keeps of one image, in float32, parameters not counted. MB are 10^6 bytes.
"""

import argparse
from pathlib import Path

import pandas as pd
import torch
import torchvision
from torch import Tensor, nn
from torch.utils.flop_counter import FlopCounterMode

from pipeline import stage
from pipeline.networks.network import Network, parameter_count
from pipeline.settings.architecture import Arch

IMAGENET = {"stem": "imagenet", "classes": 1000, "widths": [64, 128, 256, 512]}
THIN = {"blocks": [2, 2, 2, 2], "widths": [16, 32, 64, 128]}
FAMILY = {  # name: pixels, description
    "ResNet-18": (224, Arch(blocks=[2, 2, 2, 2], **IMAGENET)),
    "ResNet-34": (224, Arch(blocks=[3, 4, 6, 3], **IMAGENET)),
    "ResNet-50": (224, Arch(blocks=[3, 4, 6, 3], block="bottleneck", **IMAGENET)),
    "ResNet-101": (224, Arch(blocks=[3, 4, 23, 3], block="bottleneck", **IMAGENET)),
    "ResNet-152": (224, Arch(blocks=[3, 8, 36, 3], block="bottleneck", **IMAGENET)),
    "ResNet-14, CIFAR-10": (32, Arch(depth=14)),
    "ResNet-20, CIFAR-10": (32, Arch(depth=20)),
    "Plain-20, CIFAR-10": (32, Arch(depth=20, shortcut="none")),
    "ResNet-56, CIFAR-10": (32, Arch(depth=56)),
    "Plain-56, CIFAR-10": (32, Arch(depth=56, shortcut="none")),
    "ResNet-110, CIFAR-10": (32, Arch(depth=110)),
    "thin ResNet-18, CIFAR-10": (32, Arch(**THIN)),
    "thin Plain-18, CIFAR-10": (32, Arch(**THIN, shortcut="none")),
}


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--csv", type=Path, help="where to write the table")
    path = parser.parse_args().csv
    table = tabulate()
    if path:
        stage.write(path, table.to_csv(index=False, lineterminator="\n"))
    print(for_the_eye(table).to_string(index=False))


def tabulate() -> pd.DataFrame:
    """One row a network of the family, VGG-16 of torchvision last."""
    with torch.device("meta"):
        rows = [describe(name, Network(arch), arch.layers, pixels) for name, (pixels, arch) in FAMILY.items()]
        rows.append(describe("VGG-16", torchvision.models.vgg16(), 16, 224))
    return pd.DataFrame(rows)


def describe(name: str, network: nn.Module, layers: int, pixels: int) -> dict[str, str | int | float]:
    """The row of a `network` on the meta device, for one image of `pixels` x `pixels`."""
    parameters = parameter_count(network)
    work, kept = cost(network, pixels)
    return {
        "network": name,
        "pixels": pixels,
        "layers": layers,
        "parameters": parameters,
        "multiply_adds": work,
        "weights_mb": round(4 * parameters / 1e6, 2),
        "activations_mb": round(kept / 1e6, 2),
    }


def cost(network: nn.Module, pixels: int) -> tuple[int, int]:
    """Multiply-adds of one image, and the bytes that the backward pass keeps of it."""
    kept: dict[int, Tensor] = {}  # by storage, so that a view is not counted twice

    def keep(tensor: Tensor) -> Tensor:
        kept[tensor.untyped_storage()._cdata] = tensor
        return tensor

    images = torch.empty(1, 3, pixels, pixels, device="meta")
    counter = FlopCounterMode(display=False)
    with counter, torch.autograd.graph.saved_tensors_hooks(keep, lambda tensor: tensor):
        network.train()(images)
    for tensor in (*network.parameters(), *network.buffers()):
        kept.pop(tensor.untyped_storage()._cdata, None)
    return counter.get_total_flops() // 2, sum(tensor.untyped_storage().nbytes() for tensor in kept.values())


def for_the_eye(table: pd.DataFrame) -> pd.DataFrame:
    """The table with units and rounding for a reader."""
    return pd.DataFrame(
        {
            "network": table["network"],
            "image": [f"{side} x {side}" for side in table["pixels"]],
            "layers": table["layers"],
            "parameters": [f"{count:,}" for count in table["parameters"]],
            "multiply-adds": [f"{count / 1e6:,.1f}M" for count in table["multiply_adds"]],
            "weights MB": [f"{size:,.1f}" for size in table["weights_mb"]],
            "activations MB": [f"{size:,.1f}" for size in table["activations_mb"]],
        }
    )


if __name__ == "__main__":
    stage.run(main)
