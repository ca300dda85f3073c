"""CIFAR-10's binary format, against a record written by hand."""

import hashlib

import numpy as np
import pytest

from pipeline.data import cifar10
from pipeline.settings.datasets import DATASETS
from pipeline.stage import StageError


def hand_written() -> bytes:
    """Label 7; red counts up along the rows, green is 5 in the second row's first pixel, blue 9 in the last."""
    red = bytes(range(256)) * 4
    green = bytearray(1024)
    green[32] = 5
    blue = bytearray(1024)
    blue[1023] = 9
    return bytes([7]) + red + bytes(green) + bytes(blue)


def test_a_hand_written_record_is_read_as_it_was_meant(tmp_path):
    path = tmp_path / "one.bin"
    path.write_bytes(hand_written())
    images, labels = cifar10.read(path, 1)
    assert images.shape == (1, 32, 32, 3)
    assert labels.tolist() == [7]
    assert images[0, 0, :3].tolist() == [[0, 0, 0], [1, 0, 0], [2, 0, 0]]
    assert images[0, 1, 0].tolist() == [32, 5, 0]
    assert images[0, 31, 31].tolist() == [255, 0, 9]


def test_packing_is_the_inverse_of_reading(tmp_path):
    path = tmp_path / "one.bin"
    path.write_bytes(hand_written() * 3)
    assert cifar10.pack(*cifar10.read(path, 3)) == hand_written() * 3


@pytest.mark.parametrize(
    ("content", "sentence"),
    [
        (hand_written()[:-1], "truncated: 3072 bytes, where 1 records take 3073"),
        (hand_written() + b"\0", "too long: 3074 bytes"),
        (b"", "truncated: 0 bytes"),
        (b"\x0a" + hand_written()[1:], "mislabelled: record 0 has label 10, allowed: 0 to 9"),
    ],
)
def test_a_damaged_file_is_refused(tmp_path, content, sentence):
    path = tmp_path / "data_batch_1.bin"
    path.write_bytes(content)
    with pytest.raises(StageError, match=f"data_batch_1.bin is {sentence}"):
        cifar10.read(path, 1)


def test_a_missing_file_is_refused(tmp_path):
    with pytest.raises(StageError, match="run `dvc repro download`"):
        cifar10.read(tmp_path / "data_batch_1.bin", 1)


def test_the_content_hash_is_over_the_six_files_in_order(tmp_path):
    for i, name in enumerate(cifar10.FILES):
        (tmp_path / name).write_bytes(bytes([i]))
    assert cifar10.content_sha256(tmp_path) == hashlib.sha256(bytes(range(6))).hexdigest()


def test_the_declared_sizes_are_those_of_cifar10():
    sizes = DATASETS["cifar10"]
    assert sizes[:2] == (50_000, 10_000)
    assert {cifar10.records_per_file(name, sizes) for name in cifar10.FILES} == {10_000}
    assert np.unique(cifar10.CLASSES).size == 10
