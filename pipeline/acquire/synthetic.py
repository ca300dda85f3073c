"""Small learnable data sets in the formats of CIFAR-10 and Flowers-17 as they lie here, for smoke runs and tests.

Each class has a coarse pattern of its own; an image is its class's pattern, moved a little, under noise. It says
nothing about real ones. Same seed, same bytes.
"""

from pathlib import Path

import numpy as np

from pipeline.data import cifar10, flowers17
from pipeline.data.cifar10 import SIDE
from pipeline.settings.datasets import DATASETS, DataSet
from pipeline.stage import write


def patterns(rng: np.random.Generator, classes: int, side: int = SIDE) -> np.ndarray:
    """One 4 x 4 grid of random colours a class, enlarged to (classes, side, side, 3), values 0 to 255."""
    coarse = rng.uniform(0, 255, (classes, 4, 4, 3))
    wide = -(-side // 4)
    return coarse.repeat(wide, axis=1).repeat(wide, axis=2)[:, :side, :side]


def generate(rng: np.random.Generator, prototypes: np.ndarray, count: int) -> tuple[np.ndarray, np.ndarray]:
    """Images, uint8 (count, side, side, 3), and labels (count,), classes in turn."""
    labels = np.arange(count) % len(prototypes)
    shifts = rng.integers(-3, 4, (count, 2))
    moved = np.stack([np.roll(prototypes[y], tuple(s), (0, 1)) for y, s in zip(labels, shifts, strict=True)])
    noisy = moved + rng.normal(0, 60, moved.shape)
    return noisy.clip(0, 255).astype(np.uint8), labels


def write_set(folder: Path, sizes: DataSet = DATASETS["synthetic"], seed: int = 0) -> None:
    """Write the six files of a generated data set of `sizes` to `folder`."""
    rng = np.random.default_rng(seed)
    prototypes = patterns(rng, len(cifar10.CLASSES))
    for name in cifar10.FILES:
        images, labels = generate(rng, prototypes, cifar10.records_per_file(name, sizes))
        write(folder / name, cifar10.pack(images, labels))


def write_flowers(folder: Path, side: int, seed: int = 0) -> None:
    """Write a generated data set of `side` x `side` pixels in the format of flowers.py to `folder`."""
    rng = np.random.default_rng(seed)
    sizes = DATASETS["synthetic_flowers17"]
    images, labels = generate(rng, patterns(rng, len(sizes.classes), side), sizes.train + sizes.test)
    order = labels.argsort(kind="stable")
    flowers17.write_images(folder, images[order], labels[order])
