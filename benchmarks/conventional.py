"""A conventional training loop, written for comparison: a DataLoader, torchvision's transforms on each image, fp32.

It is what most tutorials show, and does the same work per epoch as pipeline/engine.py: the same network, augmentation
and optimiser, loss and error kept.
"""

import numpy as np
import torch
from PIL import Image
from torch import nn
from torch.utils.data import DataLoader, Dataset
from torchvision import transforms


class ImageFolderInMemory(Dataset):
    """Images uint8 (N, 32, 32, 3) and labels (N,), each augmented on its own when it is asked for."""

    def __init__(self, images: np.ndarray, labels: np.ndarray, mean: list[float], std: list[float]) -> None:
        self.images, self.labels = images, labels
        self.transform = transforms.Compose(
            [
                transforms.RandomCrop(32, padding=4),
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

    def __init__(self, network: nn.Module, data: Dataset, device: torch.device, workers: int) -> None:
        self.network = network.to(device=device, memory_format=torch.contiguous_format)
        self.device = device
        pinned = device.type == "cuda"
        self.loader = DataLoader(
            data, 128, shuffle=True, num_workers=workers, persistent_workers=workers > 0, pin_memory=pinned
        )
        self.criterion = nn.CrossEntropyLoss()
        self.optimiser = torch.optim.SGD(network.parameters(), lr=0.1, momentum=0.9, weight_decay=1e-4)

    def epoch(self) -> tuple[float, float]:
        """Train on all images once; mean loss and error in percent."""
        self.network.train()
        total, wrong = 0.0, 0
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
