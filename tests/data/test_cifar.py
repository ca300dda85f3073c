"""The binary format of CIFAR-10 and CIFAR-100, against records written by hand."""

import hashlib

import numpy as np
import pytest

from pipeline.data import cifar
from pipeline.settings.datasets import DATASETS, DataSet
from pipeline.stage import StageError

LABELS = {"cifar10": [7], "cifar100": [19, 7]}  # the bytes that a record begins with: CIFAR-100's coarse one first


def hand_written(dataset: str = "cifar10") -> bytes:
    """Label 7; red counts up along the rows, green is 5 in the second row's first pixel, blue 9 in the last."""
    red = bytes(range(256)) * 4
    green = bytearray(1024)
    green[32] = 5
    blue = bytearray(1024)
    blue[1023] = 9
    return bytes(LABELS[dataset]) + red + bytes(green) + bytes(blue)


def small(dataset: str, test: int) -> DataSet:
    """The data set with as many test images."""
    return DATASETS[dataset]._replace(test=test)


@pytest.mark.parametrize("dataset", LABELS)
def test_a_hand_written_record_is_read_as_it_was_meant(tmp_path, dataset):
    data = small(dataset, 1)
    path = tmp_path / data.files[-1]
    path.write_bytes(hand_written(dataset))
    images, labels = cifar.read(path, data)
    assert images.shape == (1, 32, 32, 3)
    assert labels.tolist() == [7]
    assert images[0, 0, :3].tolist() == [[0, 0, 0], [1, 0, 0], [2, 0, 0]]
    assert images[0, 1, 0].tolist() == [32, 5, 0]
    assert images[0, 31, 31].tolist() == [255, 0, 9]


@pytest.mark.parametrize("dataset", LABELS)
def test_packing_is_the_inverse_of_reading(tmp_path, dataset):
    data = small(dataset, 3)
    path = tmp_path / data.files[-1]
    path.write_bytes(hand_written(dataset) * 3)
    images, labels = cifar.read(path, data)
    coarse = [np.array([19, 19, 19])] * (dataset == "cifar100")
    assert cifar.pack(images, *coarse, labels) == hand_written(dataset) * 3


@pytest.mark.parametrize(
    ("dataset", "content", "sentence"),
    [
        ("cifar10", hand_written()[:-1], "truncated: 3072 bytes, where 1 records take 3073"),
        ("cifar10", hand_written() + b"\0", "too long: 3074 bytes"),
        ("cifar10", b"", "truncated: 0 bytes"),
        ("cifar10", b"\x0a" + hand_written()[1:], "mislabelled: record 0 has label 10, allowed: 0 to 9"),
        ("cifar100", hand_written(), "truncated: 3073 bytes, where 1 records take 3074"),
        ("cifar100", b"\0\x64" + hand_written()[1:], "mislabelled: record 0 has label 100, allowed: 0 to 99"),
    ],
)
def test_a_damaged_file_is_refused(tmp_path, dataset, content, sentence):
    data = small(dataset, 1)
    path = tmp_path / data.files[-1]
    path.write_bytes(content)
    with pytest.raises(StageError, match=f"{path.name} is {sentence}"):
        cifar.read(path, data)


def test_a_missing_file_is_refused(tmp_path):
    with pytest.raises(StageError, match="run `dvc repro download`"):
        cifar.read(tmp_path / "data_batch_1.bin", DATASETS["cifar10"])


def test_the_content_hash_is_over_the_files_in_order(tmp_path):
    files = DATASETS["cifar10"].files
    for i, name in enumerate(files):
        (tmp_path / name).write_bytes(bytes([i]))
    assert cifar.content_sha256(tmp_path, files) == hashlib.sha256(bytes(range(6))).hexdigest()
    with pytest.raises(StageError, match=r"train\.bin is missing: a full set is train\.bin, test\.bin"):
        cifar.content_sha256(tmp_path, DATASETS["cifar100"].files)


def test_the_declared_sizes_are_those_of_the_makers():
    ten, hundred = DATASETS["cifar10"], DATASETS["cifar100"]
    assert ten[:2] == hundred[:2] == (50_000, 10_000)
    assert [cifar.records_per_file(name, ten) for name in ten.files] == 6 * [10_000]
    assert [cifar.records_per_file(name, hundred) for name in ("train.bin", "test.bin")] == [50_000, 10_000]
    assert (len(ten.classes), len(hundred.classes)) == (10, 100)


def test_the_names_of_the_hundred_classes_are_the_makers():
    """The sha256 of fine_label_names in the official file meta, joined by blanks."""
    digest = hashlib.sha256(" ".join(DATASETS["cifar100"].classes).encode()).hexdigest()
    assert digest == "77827c4c023a75b4a96911073f98319342db3ba589d39f75bec28def799cfea8"
