"""Oxford Flowers-17: its file, read and written, and its split into training and test images.

One safetensors file holds `images`, uint8 (1360, side, side, 3), and `labels`, int64 (1360,), in the makers' order: 80
images of each of 17 classes in turn. The makers' own three splits have 40, 20 and 20 images a class; study B has 80/20.
"""

from pathlib import Path

import numpy as np
from safetensors import SafetensorError, safe_open
from safetensors.numpy import save

from pipeline.settings.datasets import DATASETS, FLOWERS17_FILES
from pipeline.stage import StageError, write

SIZES = DATASETS["flowers17"]
IMAGES = SIZES.train + SIZES.test
PER_CLASS = IMAGES // len(SIZES.classes)


def write_images(folder: Path, images: np.ndarray, labels: np.ndarray) -> None:
    """Write images, uint8 (1360, side, side, 3), and labels (1360,) to `folder`."""
    write(folder / FLOWERS17_FILES[0], save({"images": images, "labels": labels.astype(np.int64)}))


def read(folder: Path) -> tuple[np.ndarray, np.ndarray]:
    """Images, uint8 (1360, side, side, 3), and labels, int64 (1360,).

    Raises StageError if the file is missing, damaged, or does not hold 80 images of each class.
    """
    path = folder / FLOWERS17_FILES[0]
    try:
        with safe_open(path, "np") as file:
            images, labels = file.get_tensor("images"), file.get_tensor("labels")
    except FileNotFoundError:
        raise StageError(f"{path} is missing: run `dvc repro` to make it") from None
    except SafetensorError as error:
        raise StageError(f"{path} is damaged ({error}): run `dvc repro --force` on its download stage") from None
    if len(images) != IMAGES or np.bincount(labels).tolist() != [PER_CLASS] * len(SIZES.classes):
        raise StageError(f"{path} is not Flowers-17: it must hold {PER_CLASS} images of {len(SIZES.classes)} classes")
    return images, labels


def split(labels: np.ndarray, seed: int) -> tuple[np.ndarray, np.ndarray]:
    """Indices of training and test images, 1,088 and 272, each in order: of every class 64 and 16, by `seed`."""
    order = np.random.default_rng(seed).permutation(len(labels))
    test = [order[labels[order] == label][: SIZES.test // len(SIZES.classes)] for label in range(len(SIZES.classes))]
    chosen = np.isin(np.arange(len(labels)), np.concatenate(test))
    return np.flatnonzero(~chosen), np.flatnonzero(chosen)
