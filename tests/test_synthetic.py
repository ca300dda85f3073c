"""Generated data: the right format, the same bytes each time, and something to learn."""

import numpy as np

from pipeline import records, synthetic


def test_the_same_bytes_each_time(tmp_path, generated):
    synthetic.write_set(tmp_path)
    assert records.content_sha256(tmp_path) == records.content_sha256(generated)


def test_sizes_and_classes_are_as_declared(generated):
    sizes = records.DATASETS["synthetic"]
    for name in records.FILES:
        _, labels = records.read(generated / name, records.records_per_file(name, sizes))
        assert set(np.bincount(labels)) == {len(labels) // 10}


def test_classes_can_be_told_apart_by_their_mean_image(generated):
    sizes = records.DATASETS["synthetic"]
    images, labels = records.read(generated / records.TRAIN_FILES[0], sizes.train // 5)
    means = np.stack([images[labels == c].mean(0) for c in range(10)])
    test, actual = records.read(generated / records.TEST_FILE, sizes.test)
    distances = ((test[:, None] - means[None]) ** 2.0).sum((2, 3, 4))
    assert (distances.argmin(1) == actual).mean() > 0.9
