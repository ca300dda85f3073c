"""Flowers-17: read as written, damage refused, split by class and seed."""

import numpy as np
import pytest

from pipeline.acquire import synthetic
from pipeline.data import flowers17, loading
from pipeline.stage import StageError


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    folder = tmp_path_factory.mktemp("flowers17")
    synthetic.write_flowers(folder, 36)
    return folder


def test_what_is_read_is_what_was_written(folder, tmp_path):
    images, labels = flowers17.read(folder)
    assert (images.shape, images.dtype, labels.dtype) == ((1360, 36, 36, 3), np.uint8, np.int64)
    assert labels.tolist() == [number // 80 for number in range(1360)]
    flowers17.write_images(tmp_path, images, labels)
    assert (tmp_path / "images.safetensors").read_bytes() == (folder / "images.safetensors").read_bytes()


@pytest.mark.parametrize("seed", [0, 1, 2**32 - 1])
def test_a_split_is_stratified_and_complete(folder, seed):
    _, labels = flowers17.read(folder)
    train, test = flowers17.split(labels, seed)
    assert sorted([*train, *test]) == list(range(1360))
    assert np.bincount(labels[train]).tolist() == [64] * 17
    assert np.bincount(labels[test]).tolist() == [16] * 17
    again = flowers17.split(labels, seed)
    assert [part.tolist() for part in again] == [train.tolist(), test.tolist()]


def test_seeds_have_splits_of_their_own(folder):
    _, labels = flowers17.read(folder)
    one, other = (set(flowers17.split(labels, seed)[1]) for seed in (0, 1))
    assert 20 < len(one & other) < 90  # a fifth of 272 by chance, 54


def test_loading_gives_the_parts(folder):
    train, test = loading.load(folder, "synthetic_flowers17", 3)
    images, labels = flowers17.read(folder)
    at_train, at_test = flowers17.split(labels, 3)
    assert (train.images.numpy() == images[at_train]).all()
    assert (test.images.numpy() == images[at_test]).all()
    assert test.labels.tolist() == labels[at_test].tolist()


def test_images_of_another_size_than_asked_for_are_refused(folder):
    side = flowers17.read(folder)[0].shape[1]
    assert len(loading.load(folder, "synthetic_flowers17", 3, side)[1]) == 272
    with pytest.raises(StageError, match=f"image_size is 64; allowed: {side}, as the images in"):
        loading.load(folder, "synthetic_flowers17", 3, 64)


def test_a_file_that_is_missing_damaged_or_another_is_refused(folder, tmp_path):
    with pytest.raises(StageError, match=r"images\.safetensors is missing"):
        flowers17.read(tmp_path)
    whole = (folder / "images.safetensors").read_bytes()
    (tmp_path / "images.safetensors").write_bytes(whole[:1000])
    with pytest.raises(StageError, match="is damaged"):
        flowers17.read(tmp_path)
    images, labels = flowers17.read(folder)
    flowers17.write_images(tmp_path, images[:80], labels[:80])
    with pytest.raises(StageError, match="must hold 80 images of 17 classes"):
        flowers17.read(tmp_path)
