"""A trained network that takes plain images: the input statistics of its training are inside."""

from pathlib import Path

import torch
from torch import Tensor, nn

from pipeline import stage
from pipeline.networks.network import Network
from pipeline.networks.weights import load_weights
from pipeline.pretrained import recorded
from pipeline.settings import params
from pipeline.settings.datasets import DATASETS
from pipeline.settings.params import Params


class Classifier(nn.Module):
    """Images, float (N, 3, side, side), RGB from 0 to 1 -> logits (N, classes). `classes` are their names in order."""

    def __init__(self, network: nn.Module, mean: list[float], std: list[float], classes: tuple[str, ...]) -> None:
        super().__init__()
        self.network, self.classes = network, classes
        self.register_buffer("mean", torch.tensor(mean).view(3, 1, 1))
        self.register_buffer("std", torch.tensor(std).view(3, 1, 1))

    def forward(self, images: Tensor) -> Tensor:
        return self.network((images - self.mean) / self.std)


def committed(variant: str, seed: int = 0) -> Classifier:
    """The network of the main study's committed run of `variant` and `seed`, on the CPU, ready to classify.

    Raises StageError if there is no such run.
    """
    path = recorded.weights(f"{variant}-{seed}")
    return load(params.load(stage.TOP / "params.yaml"), variant, path)


def load(settings: Params, variant: str, path: Path) -> Classifier:
    """The network of `variant` with the weights at `path`, on the CPU, ready to classify.

    Raises StageError if `variant` is not under arch, or the file is missing, damaged or of another network.
    """
    network = Network(settings.network(variant))
    mean, std = load_weights(network, path)
    return Classifier(network, mean, std, DATASETS[settings.dataset].classes).eval()
