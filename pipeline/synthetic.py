"""A small learnable data set in CIFAR-10's binary format, for smoke runs and tests.

Each class has a coarse pattern of its own; an image is its class's pattern, moved a little, under noise. It says
nothing about CIFAR-10. Same seed, same bytes.
"""

from pathlib import Path

import numpy as np

from pipeline import records
from pipeline.records import SIDE, Sizes
from pipeline.stage import write


def patterns(rng: np.random.Generator, classes: int) -> np.ndarray:
    """One 4 x 4 grid of random colours a class, enlarged to (classes, 32, 32, 3), values 0 to 255."""
    coarse = rng.uniform(0, 255, (classes, 4, 4, 3))
    return coarse.repeat(SIDE // 4, axis=1).repeat(SIDE // 4, axis=2)


def generate(rng: np.random.Generator, prototypes: np.ndarray, count: int) -> tuple[np.ndarray, np.ndarray]:
    """Images, uint8 (count, 32, 32, 3), and labels (count,), classes in turn."""
    labels = np.arange(count) % len(prototypes)
    shifts = rng.integers(-3, 4, (count, 2))
    moved = np.stack([np.roll(prototypes[y], tuple(s), (0, 1)) for y, s in zip(labels, shifts, strict=True)])
    noisy = moved + rng.normal(0, 60, moved.shape)
    return noisy.clip(0, 255).astype(np.uint8), labels


def write_set(folder: Path, sizes: Sizes = records.DATASETS["synthetic"], seed: int = 0) -> None:
    """Write the six files of a generated data set of `sizes` to `folder`."""
    rng = np.random.default_rng(seed)
    prototypes = patterns(rng, len(records.CLASSES))
    for name in records.FILES:
        images, labels = generate(rng, prototypes, records.records_per_file(name, sizes))
        write(folder / name, records.pack(images, labels))
