"""Images and labels on the device, and the batches that are made of them.

Images stay uint8, NHWC; a batch is cropped, flipped and normalised at once. All randomness of an epoch is drawn up
front on the CPU from (seed, epoch): CPU and GPU see the same batches, and a resumed run needs no generator's state.
"""

import json
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import torch
from torch import Tensor

from pipeline.data import cifar, flowers17
from pipeline.settings.datasets import DATASETS
from pipeline.stage import StageError

PROVENANCE = "provenance.json"  # beside a data set's files: which it is, and which bytes these are


@dataclass(frozen=True)
class Images:
    """`images` uint8 (N, H, W, 3), H = W; `labels` int64 (N,)."""

    images: Tensor
    labels: Tensor

    def __len__(self) -> int:
        return len(self.labels)

    def __getitem__(self, index: Tensor) -> "Images":
        return Images(self.images[index], self.labels[index])

    def to(self, device: torch.device) -> "Images":
        return Images(self.images.to(device), self.labels.to(device))


@dataclass(frozen=True)
class Draws:
    """An epoch's randomness: `order` (N,), and by place in that order `rows`, `columns` (0 to 2 * padding), `flips`."""

    order: Tensor
    rows: Tensor
    columns: Tensor
    flips: Tensor


def load(folder: Path, dataset: str, seed: int, side: int | None = None) -> tuple[Images, Images]:
    """Training and test images of the data set in `folder`; `seed` parts one that its makers have not.

    Raises StageError if a file is not as it must be, if provenance.json says that `folder` holds another data set, or
    if images have not `side` pixels a side, where it is given.
    """
    data = DATASETS[dataset]
    held = provenance(folder)["dataset"] if (folder / PROVENANCE).exists() else dataset
    if held != dataset:
        raise StageError(f"dataset is {dataset}; allowed: {held}, which is what {folder} holds")
    if data.split_by_seed:
        images, labels = flowers17.read(folder)
        if side not in (None, images.shape[1]):
            raise StageError(f"image_size is {side}; allowed: {images.shape[1]}, as the images in {folder} have")
        every = Images(torch.from_numpy(images), torch.from_numpy(labels))
        return tuple(every[torch.from_numpy(part)] for part in flowers17.split(labels, seed))
    files = [cifar.read(folder / name, data) for name in data.files]
    *train, test = (Images(torch.from_numpy(images), torch.from_numpy(labels)) for images, labels in files)
    return Images(torch.cat([part.images for part in train]), torch.cat([part.labels for part in train])), test


def provenance(folder: Path) -> dict[str, str]:
    """What the stage download found out about the data in `folder`. Raises StageError if its file is unfit."""
    path = folder / PROVENANCE
    try:
        return json.loads(path.read_text())
    except (FileNotFoundError, ValueError):
        raise StageError(f"{path} is missing or damaged: run `dvc repro --force` on the stage download") from None


def split(train: Images, train_size: int, val_size: int) -> tuple[Images, Images]:
    """`train_size` images to train on and `val_size` others to validate on.

    Every seed gets the same ones, from a fixed permutation. Raises StageError if there are not as many.
    """
    if train_size + val_size > len(train):
        raise StageError(f"train_size {train_size} and val_size {val_size} do not fit {len(train)} images")
    order = torch.randperm(len(train), generator=torch.Generator().manual_seed(0))
    return train[order[:train_size].sort().values], train[order[len(train) - val_size :].sort().values]


def statistics(images: Tensor) -> tuple[list[float], list[float]]:
    """Per-channel mean and standard deviation, 0-1 scale, of uint8 images (N, H, W, 3); order is no matter.

    Sums of whole numbers in floating point, exact below 2^24 a pixel and 2^53 in all.
    """
    sums = torch.zeros((2, 3), dtype=torch.float64)
    for part in images.split(1000):  # parts that stay in the processor's cache
        levels = part.flatten(1).float()
        for total, values in zip(sums, (levels, levels.square()), strict=True):
            total += values.sum(0, dtype=torch.float64).view(-1, 3).sum(0)
    count = images.numel() / 3
    mean = sums[0] / count
    return (mean / 255).tolist(), ((sums[1] / count - mean**2).sqrt() / 255).tolist()


def draw(seed: int, epoch: int, count: int, padding: int, flip: bool) -> Draws:
    """The randomness of one epoch over `count` images, on the CPU, from (seed, epoch) alone.

    So runs of one seed share batches and crops, whatever their network: common random numbers, which make differences
    between networks sharper and runs of one seed no independent ones.
    """
    state = np.random.SeedSequence([seed, epoch]).generate_state(1, np.uint64)[0]
    generator = torch.Generator().manual_seed(int(state >> np.uint64(1)))
    order = torch.randperm(count, generator=generator)
    rows, columns = torch.randint(0, 2 * padding + 1, (2, count), generator=generator)
    flips = torch.rand(count, generator=generator) < (0.5 if flip else 0.0)
    return Draws(order, rows, columns, flips)


def pad(images: Tensor, padding: int) -> Tensor:
    """A black border: uint8 (N, H, W, 3) -> (N, H + 2p, W + 2p, 3)."""
    return torch.nn.functional.pad(images, (0, 0, padding, padding, padding, padding))


def crop_and_flip(padded: Tensor, order: Tensor, side: int, rows: Tensor, columns: Tensor, flips: Tensor) -> Tensor:
    """From the padded images (N, H, W, 3) numbered `order` (B,) the side x side pixels at rows and columns (B,).

    They are mirrored where `flips` (B,) says so; uint8 (B, side, side, 3).
    """
    down = torch.arange(side, device=padded.device)
    across = torch.where(flips[:, None], down.flip(0), down)  # (B, side)
    return padded[order[:, None, None], (rows[:, None] + down)[:, :, None], (columns[:, None] + across)[:, None, :]]


def normalise(images: Tensor, mean: Tensor, std: Tensor) -> Tensor:
    """uint8 (N, H, W, 3) -> float32 (N, 3, H, W) in channels_last, by mean and std (3,) on the 0-1 scale."""
    return ((images.float() / 255 - mean) / std).permute(0, 3, 1, 2)
