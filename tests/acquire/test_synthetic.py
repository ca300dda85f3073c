"""Generated data: the right format, the same bytes each time, and something to learn."""

import numpy as np

from pipeline.acquire import synthetic
from pipeline.data import cifar10, flowers17
from pipeline.settings.datasets import DATASETS


def test_the_same_bytes_each_time(tmp_path, generated):
    synthetic.write_set(tmp_path)
    assert cifar10.content_sha256(tmp_path) == cifar10.content_sha256(generated)


def test_sizes_and_classes_are_as_declared(generated):
    sizes = DATASETS["synthetic"]
    for name in cifar10.FILES:
        _, labels = cifar10.read(generated / name, cifar10.records_per_file(name, sizes))
        assert set(np.bincount(labels)) == {len(labels) // 10}


def test_classes_can_be_told_apart_by_their_mean_image(generated):
    sizes = DATASETS["synthetic"]
    images, labels = cifar10.read(generated / cifar10.TRAIN_FILES[0], sizes.train // 5)
    means = np.stack([images[labels == c].mean(0) for c in range(10)])
    test, actual = cifar10.read(generated / cifar10.TEST_FILE, sizes.test)
    distances = ((test[:, None] - means[None]) ** 2.0).sum((2, 3, 4))
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
