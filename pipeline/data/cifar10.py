"""CIFAR-10's binary format, read and written.

A file is a row of records of 3,073 bytes: one label byte (0-9), then the 32 x 32 red, green and blue planes, row by row
(https://www.cs.toronto.edu/~kriz/cifar.html, "Binary version").
"""

import hashlib
from collections.abc import Iterable
from pathlib import Path

import numpy as np

from pipeline.settings.datasets import CIFAR10_CLASSES as CLASSES
from pipeline.settings.datasets import CIFAR10_FILES as FILES
from pipeline.settings.datasets import DataSet
from pipeline.stage import StageError

*TRAIN_FILES, TEST_FILE = FILES
SIDE = 32
RECORD = 1 + 3 * SIDE * SIDE


def records_per_file(name: str, sizes: DataSet) -> int:
    return sizes.test if name == TEST_FILE else sizes.train // len(TRAIN_FILES)


def read(path: Path, count: int) -> tuple[np.ndarray, np.ndarray]:
    """Images, uint8 (count, 32, 32, 3), and labels, int64 (count,), of one file.

    Raises StageError if the file is missing, does not hold `count` records, or has a label above 9.
    """
    try:
        raw = np.fromfile(path, np.uint8)
    except FileNotFoundError:
        raise StageError(f"{path} is missing: run `dvc repro download`") from None
    if raw.size != count * RECORD:
        state = "truncated" if raw.size < count * RECORD else "too long"
        raise StageError(f"{path} is {state}: {raw.size} bytes, where {count} records take {count * RECORD}")
    raw = raw.reshape(count, RECORD)
    labels = raw[:, 0]
    if labels.max() >= len(CLASSES):
        at = int(np.argmax(labels >= len(CLASSES)))
        raise StageError(f"{path} is mislabelled: record {at} has label {labels[at]}, allowed: 0 to 9")
    planes = raw[:, 1:].reshape(count, 3, SIDE, SIDE)
    return np.ascontiguousarray(planes.transpose(0, 2, 3, 1)), labels.astype(np.int64)


def pack(images: np.ndarray, labels: np.ndarray) -> bytes:
    """The records of images, uint8 (N, 32, 32, 3), and labels (N,): the inverse of `read`."""
    planes = images.transpose(0, 3, 1, 2).reshape(len(images), -1)
    return np.concatenate([labels.astype(np.uint8)[:, None], planes], axis=1).tobytes()


def content_sha256(folder: Path, files: Iterable[str] = FILES) -> str:
    """Hex digest over the bytes of `files` in order, which identifies the data however it was packed.

    Raises StageError if one is missing.
    """
    digest = hashlib.sha256()
    for name in files:
        try:
            digest.update((folder / name).read_bytes())
        except FileNotFoundError:
            raise StageError(f"{folder / name} is missing: a full set is {', '.join(files)}") from None
    return digest.hexdigest()
