"""What a network says of images it does not train on, with its errors: the same code on CPU and GPU."""

import math
from dataclasses import dataclass

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from pipeline.compute.cuda_graph import capture
from pipeline.compute.device import Compute
from pipeline.data import loading
from pipeline.data.loading import Images

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
        return loading.normalise(images, self.mean, self.std)


@torch.no_grad()
def predict(network: nn.Module, images: Tensor, inputs: Inputs, compute: Compute) -> Tensor:
    """Logits, float32 (N, classes), of uint8 images (N, H, W, 3), batch norm with its running statistics."""
    network.eval()
    with compute.autocast():
        return torch.cat([network(inputs(batch)).float() for batch in images.split(PREDICTION_BATCH)])


def score(logits: Tensor, labels: Tensor) -> tuple[float, float]:
    """Mean cross-entropy (natural logarithm, no smoothing) and error in percent of logits (N, C)."""
    loss = F.cross_entropy(logits.double(), labels).item()
    return loss, 100 * (logits.argmax(1) != labels).sum().item() / len(labels)


def diverged(train_loss: float) -> bool:
    """Whether a run whose last epoch has this training loss has diverged, and ends there: the loss is not finite.

    A test loss that is not finite ends nothing: a later epoch may recover.
    """
    return not math.isfinite(train_loss)


class Scorer:
    """Loss and error of a network on some images, again and again as it learns; if it `captures`, by a CUDA graph."""

    def __init__(
        self, network: nn.Module, images: Images, inputs: Inputs, compute: Compute, captures: bool = False
    ) -> None:
        self.labels = images.labels
        self.logits: Tensor | None = None

        def work() -> None:
            self.logits = predict(network, images.images, inputs, compute)

        self.work = capture(work, lambda: None, compute.device) if captures else work

    def __call__(self) -> tuple[float, float]:
        """Mean cross-entropy and error in percent, of the network as it is now."""
        self.work()
        return score(self.logits, self.labels)
