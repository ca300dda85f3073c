"""A conventional training loop, written for comparison: a DataLoader, torchvision's transforms on each image, fp32.

It is what most tutorials show, and does the same work per epoch as pipeline/training/trainer.py: the same network,
augmentation and optimiser, loss and error kept.
"""

from collections.abc import Iterator
from contextlib import contextmanager

import numpy as np
import torch
from PIL import Image
from torch import nn
from torch.utils.data import DataLoader, Dataset
from torchvision import transforms

from pipeline.settings.params import Params


class AugmentedImages(Dataset):
    """Images uint8 (N, 32, 32, 3) and labels (N,), each augmented on its own when it is asked for."""

    def __init__(
        self, images: np.ndarray, labels: np.ndarray, mean: list[float], std: list[float], padding: int = 4
    ) -> None:
        self.images, self.labels = images, labels
        self.transform = transforms.Compose(
            [
                transforms.RandomCrop(32, padding=padding),
                transforms.RandomHorizontalFlip(),
                transforms.ToTensor(),
                transforms.Normalize(mean, std),
            ]
        )

    def __len__(self) -> int:
        return len(self.labels)

    def __getitem__(self, index: int) -> tuple[torch.Tensor, int]:
        return self.transform(Image.fromarray(self.images[index])), int(self.labels[index])


class Loop:
    """`network` and what it is trained with, in the usual way."""

    def __init__(self, network: nn.Module, data: Dataset, device: torch.device, workers: int, settings: Params) -> None:
        self.network = network.to(device=device, memory_format=torch.contiguous_format)
        self.device = device
        given = {"num_workers": workers, "persistent_workers": workers > 0, "pin_memory": device.type == "cuda"}
        self.loader = DataLoader(data, settings.batch_size, shuffle=True, **given)
        self.criterion = nn.CrossEntropyLoss()
        given = {"momentum": settings.momentum, "weight_decay": settings.weight_decay}
        self.optimiser = torch.optim.SGD(network.parameters(), lr=settings.lr, **given)

    def epoch(self) -> tuple[float, float]:
        """Train on all images once; mean loss and error in percent."""
        self.network.train()
        total, wrong = 0.0, 0
        with as_torch_comes():
            for images, labels in self.loader:
                images, labels = images.to(self.device, non_blocking=True), labels.to(self.device, non_blocking=True)
                self.optimiser.zero_grad()
                logits = self.network(images)
                loss = self.criterion(logits, labels)
                loss.backward()
                self.optimiser.step()
                total += loss.item() * len(labels)
                wrong += (logits.argmax(1) != labels).sum().item()
        count = len(self.loader.dataset)
        return total / count, 100 * wrong / count


@contextmanager
def as_torch_comes() -> Iterator[None]:
    """Not deterministic, and on a GPU with TF32 in convolutions: torch's defaults, which our loop does not have."""
    deterministic, tf32 = torch.get_deterministic_debug_mode(), torch.backends.cudnn.allow_tf32
    torch.set_deterministic_debug_mode("default")
    torch.backends.cudnn.allow_tf32 = True
    try:
        yield
    finally:
        torch.set_deterministic_debug_mode(deterministic)
        torch.backends.cudnn.allow_tf32 = tf32
