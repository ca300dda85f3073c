"""Generated data: the right format, the same bytes each time, and something to learn."""

import numpy as np
import pytest

from pipeline.acquire import synthetic
from pipeline.data import cifar, flowers17
from pipeline.settings.datasets import DATASETS

FOLDERS = {"synthetic": "generated", "synthetic_cifar100": "generated100"}  # fixtures


@pytest.mark.parametrize("dataset", FOLDERS)
def test_the_same_bytes_each_time(request, tmp_path, dataset):
    folder, files = request.getfixturevalue(FOLDERS[dataset]), DATASETS[dataset].files
    synthetic.write_set(tmp_path, DATASETS[dataset])
    assert cifar.content_sha256(tmp_path, files) == cifar.content_sha256(folder, files)


@pytest.mark.parametrize("dataset", FOLDERS)
def test_sizes_and_classes_are_as_declared(request, dataset):
    folder, data = request.getfixturevalue(FOLDERS[dataset]), DATASETS[dataset]
    for name in data.files:
        _, labels = cifar.read(folder / name, data)
        assert set(np.bincount(labels)) == {len(labels) // len(data.classes)}


def test_five_fine_labels_share_a_coarse_one(generated100):
    labels = np.fromfile(generated100 / "test.bin", np.uint8).reshape(-1, 3074)[:, :2]
    assert {tuple(pair) for pair in labels.tolist()} == {(fine // 5, fine) for fine in range(100)}


@pytest.mark.parametrize("dataset", FOLDERS)
def test_classes_can_be_told_apart_by_their_mean_image(request, dataset):
    folder, data = request.getfixturevalue(FOLDERS[dataset]), DATASETS[dataset]
    images, labels = cifar.read(folder / data.files[0], data)
    means = np.stack([images[labels == c].mean(0) for c in range(len(data.classes))]).reshape(len(data.classes), -1)
    test, actual = cifar.read(folder / data.files[-1], data)
    distances = (means**2).sum(1) - 2 * test.reshape(len(test), -1).astype(float) @ means.T
    assert (distances.argmin(1) == actual).mean() > 0.9


def test_generated_flowers_are_learnable_and_the_same_bytes_each_time(tmp_path):
    for name in ("one", "two"):
        synthetic.write_flowers(tmp_path / name, 33)
    images, labels = flowers17.read(tmp_path / "one")
    assert (images == flowers17.read(tmp_path / "two")[0]).all()
    train, test = flowers17.split(labels, 0)
    means = np.stack([images[train][labels[train] == c].mean(0) for c in range(17)])
    distances = ((images[test][:, None] - means[None]) ** 2.0).sum((2, 3, 4))
    assert (distances.argmin(1) == labels[test]).mean() > 0.9
