"""The binary format of CIFAR-10 and CIFAR-100, read and written.

A file is a row of records: one label byte (CIFAR-10) or two, the coarse and the fine label (CIFAR-100), then the
32 x 32 red, green and blue planes, row by row (https://www.cs.toronto.edu/~kriz/cifar.html, "Binary version").
"""

import hashlib
from collections.abc import Iterable
from pathlib import Path

import numpy as np

from pipeline.settings.datasets import DataSet
from pipeline.stage import StageError

SIDE = 32
PIXELS = 3 * SIDE * SIDE


def record_bytes(data: DataSet) -> int:
    return data.label_bytes + PIXELS


def records_per_file(name: str, data: DataSet) -> int:
    *train_files, test_file = data.files
    return data.test if name == test_file else data.train // len(train_files)


def read(path: Path, data: DataSet) -> tuple[np.ndarray, np.ndarray]:
    """Images, uint8 (N, 32, 32, 3), and labels, int64 (N,), of one file of `data`; the fine labels of CIFAR-100.

    Raises StageError if the file is missing, is too short or too long, or has a label that is no class.
    """
    try:
        raw = np.fromfile(path, np.uint8)
    except FileNotFoundError:
        raise StageError(f"{path} is missing: run `dvc repro download`") from None
    count, record, classes = records_per_file(path.name, data), record_bytes(data), len(data.classes)
    if raw.size != count * record:
        state = "truncated" if raw.size < count * record else "too long"
        raise StageError(f"{path} is {state}: {raw.size} bytes, where {count} records take {count * record}")
    raw = raw.reshape(count, record)
    labels = raw[:, data.label_bytes - 1]
    if labels.max() >= classes:
        at = int(np.argmax(labels >= classes))
        raise StageError(f"{path} is mislabelled: record {at} has label {labels[at]}, allowed: 0 to {classes - 1}")
    planes = raw[:, data.label_bytes :].reshape(count, 3, SIDE, SIDE)
    return np.ascontiguousarray(planes.transpose(0, 2, 3, 1)), labels.astype(np.int64)


def pack(images: np.ndarray, *labels: np.ndarray) -> bytes:
    """The records of images, uint8 (N, 32, 32, 3), and labels (N,), one array a label byte: the inverse of `read`."""
    planes = images.transpose(0, 3, 1, 2).reshape(len(images), -1)
    return np.concatenate([np.stack(labels, axis=1).astype(np.uint8), planes], axis=1).tobytes()


def content_sha256(folder: Path, files: Iterable[str]) -> str:
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
