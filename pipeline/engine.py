"""One epoch of training, and predictions: the same code on CPU and GPU."""

import copy
import dataclasses
import time
from collections.abc import Callable
from dataclasses import dataclass

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from pipeline import dataset
from pipeline.dataset import Draws, Images
from pipeline.device import Compute

PREDICTION_BATCH = 1000  # images; fixed, since another batch size may round differently


@dataclass(frozen=True)
class Inputs:
    """How images become the network's input: mean and std (3,), 0-1 scale, on the device."""

    mean: Tensor
    std: Tensor

    @classmethod
    def of(cls, mean: list[float], std: list[float], device: torch.device) -> "Inputs":
        return cls(torch.tensor(mean, device=device), torch.tensor(std, device=device))

    def __call__(self, images: Tensor) -> Tensor:
        return dataset.normalise(images, self.mean, self.std)


@dataclass
class Trainer:
    """A network with its optimiser and what it trains on; `padded` are the training images with their black border."""

    network: nn.Module
    optimiser: torch.optim.SGD
    padded: Tensor  # uint8 (N, 32 + 2p, 32 + 2p, 3)
    labels: Tensor  # int64 (N,)
    inputs: Inputs
    compute: Compute
    batch_size: int
    label_smoothing: float

    def epoch(
        self, draws: Draws, lr: float, progress: Callable[[int], None] = lambda images: None
    ) -> tuple[float, float]:
        """Train on all images once, the last incomplete batch included; (loss, error in percent), both running means.

        `progress` is called after each batch with its number of images.
        """
        for group in self.optimiser.param_groups:
            group["lr"] = lr
        self.network.train()
        device = self.compute.device
        total = torch.zeros((), dtype=torch.float64, device=device)
        wrong = torch.zeros((), dtype=torch.int64, device=device)
        fields = (draws.order, draws.rows, draws.columns, draws.flips)
        batches = zip(*(field.to(device).split(self.batch_size) for field in fields), strict=True)
        for order, rows, columns, flips in batches:
            images = dataset.crop_and_flip(self.padded[order], rows, columns, flips)
            labels = self.labels[order]
            loss, logits = self.step(images, labels)
            total += loss.double() * len(labels)
            wrong += (logits.argmax(1) != labels).sum()
            progress(len(labels))
        return (total / len(self.labels)).item(), 100 * wrong.item() / len(self.labels)

    def step(self, images: Tensor, labels: Tensor) -> tuple[Tensor, Tensor]:
        """One step of SGD on uint8 images (B, 32, 32, 3); the loss () and logits (B, 10) before it, detached."""
        with self.compute.autocast():
            logits = self.network(self.inputs(images)).float()
        loss = F.cross_entropy(logits, labels, label_smoothing=self.label_smoothing)
        self.optimiser.zero_grad()
        loss.backward()
        self.optimiser.step()
        return loss.detach(), logits.detach()

    def seconds_per_epoch(self, steps: int = 4) -> float:
        """An estimate, from a few steps on a copy of the network that is thrown away."""
        probe = copy.deepcopy(self.network).train()
        optimiser = torch.optim.SGD(probe.parameters(), **self.optimiser.defaults)
        trainer = dataclasses.replace(self, network=probe, optimiser=optimiser)
        batch = self.padded[: self.batch_size, :32, :32]
        trainer.step(batch, self.labels[: len(batch)])  # the first step also sets things up
        self._wait()
        start = time.perf_counter()
        for _ in range(steps):
            trainer.step(batch, self.labels[: len(batch)])
        self._wait()
        return (time.perf_counter() - start) / steps * len(self.labels) / len(batch)

    def _wait(self) -> None:
        if self.compute.device.type == "cuda":
            torch.cuda.synchronize(self.compute.device)


@torch.no_grad()
def predict(network: nn.Module, images: Tensor, inputs: Inputs, compute: Compute) -> Tensor:
    """Logits, float32 (N, 10), of uint8 images (N, 32, 32, 3), batch norm with its running statistics."""
    network.eval()
    with compute.autocast():
        return torch.cat([network(inputs(batch)).float() for batch in images.split(PREDICTION_BATCH)])


def score(logits: Tensor, labels: Tensor) -> tuple[float, float]:
    """Mean cross-entropy (natural logarithm, no smoothing) and error in percent of logits (N, C)."""
    loss = F.cross_entropy(logits.double(), labels).item()
    return loss, 100 * (logits.argmax(1) != labels).sum().item() / len(labels)


def test(network: nn.Module, images: Images, inputs: Inputs, compute: Compute) -> tuple[float, float]:
    """Mean cross-entropy and error in percent on `images`."""
    return score(predict(network, images.images, inputs, compute), images.labels)
