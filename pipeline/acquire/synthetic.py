"""Small learnable data sets in the formats of CIFAR and Flowers-17 as they lie here, for smoke runs and tests.

Each class has a coarse pattern of its own; an image is its class's pattern, moved a little, under noise. It says
nothing about real ones. Same seed, same bytes.
"""

from pathlib import Path

import numpy as np

from pipeline.data import cifar, flowers17
from pipeline.data.cifar import SIDE
from pipeline.settings.datasets import DATASETS, DataSet
from pipeline.stage import write

COARSE = 5  # classes that share a coarse label


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


def write_set(folder: Path, data: DataSet = DATASETS["synthetic"], seed: int = 0) -> None:
    """Write the files of a generated data set to `folder`, in the form and of the size of `data`.

    A coarse label is a fifth of the fine one, rounded down. The makers' own groups are others.
    """
    rng = np.random.default_rng(seed)
    prototypes = patterns(rng, len(data.classes))
    for name in data.files:
        images, labels = generate(rng, prototypes, cifar.records_per_file(name, data))
        coarse = [labels // COARSE] * (data.label_bytes - 1)
        write(folder / name, cifar.pack(images, *coarse, labels))


def write_flowers(folder: Path, side: int, seed: int = 0) -> None:
    """Write a generated data set of `side` x `side` pixels in the format of flowers.py to `folder`."""
    rng = np.random.default_rng(seed)
    sizes = DATASETS["synthetic_flowers17"]
    images, labels = generate(rng, patterns(rng, len(sizes.classes), side), sizes.train + sizes.test)
    order = labels.argsort(kind="stable")
    flowers17.write_images(folder, images[order], labels[order])
