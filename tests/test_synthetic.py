"""Generated data: the right format, the same bytes each time, and something to learn."""

import numpy as np

from pipeline import flowers, records, synthetic
from pipeline.catalogue import DATASETS


def test_the_same_bytes_each_time(tmp_path, generated):
    synthetic.write_set(tmp_path)
    assert records.content_sha256(tmp_path) == records.content_sha256(generated)


def test_sizes_and_classes_are_as_declared(generated):
    sizes = DATASETS["synthetic"]
    for name in records.FILES:
        _, labels = records.read(generated / name, records.records_per_file(name, sizes))
        assert set(np.bincount(labels)) == {len(labels) // 10}


def test_classes_can_be_told_apart_by_their_mean_image(generated):
    sizes = DATASETS["synthetic"]
    images, labels = records.read(generated / records.TRAIN_FILES[0], sizes.train // 5)
    means = np.stack([images[labels == c].mean(0) for c in range(10)])
    test, actual = records.read(generated / records.TEST_FILE, sizes.test)
    distances = ((test[:, None] - means[None]) ** 2.0).sum((2, 3, 4))
    assert (distances.argmin(1) == actual).mean() > 0.9


def test_generated_flowers_are_learnable_and_the_same_bytes_each_time(tmp_path):
    for name in ("one", "two"):
        synthetic.write_flowers(tmp_path / name, 33)
    images, labels = flowers.read(tmp_path / "one")
    assert (images == flowers.read(tmp_path / "two")[0]).all()
    train, test = flowers.split(labels, 0)
    means = np.stack([images[train][labels[train] == c].mean(0) for c in range(17)])
    distances = ((images[test][:, None] - means[None]) ** 2.0).sum((2, 3, 4))
    assert (distances.argmin(1) == labels[test]).mean() > 0.9
