"""The Python version: the makers' pickles become the binary version, and no other pickle is opened."""

import os
import pickle
from pathlib import Path

import pytest
from torchvision.datasets import CIFAR10

from pipeline.acquire import cifar10_batches
from pipeline.data import cifar10
from pipeline.stage import StageError


def test_the_hashes_are_those_that_torchvision_has():
    assert dict((*CIFAR10.train_list, *CIFAR10.test_list)) == cifar10_batches.MD5


def test_the_binary_version_comes_out(batches, generated):
    cifar10_batches.to_binary(batches)
    assert sorted(path.name for path in batches.iterdir()) == sorted(cifar10.FILES)
    assert cifar10.content_sha256(batches) == cifar10.content_sha256(generated)


class Evil:
    def __reduce__(self):
        return os.mkdir, ("opened",)


def test_no_other_pickle_is_opened(batches, monkeypatch):
    monkeypatch.chdir(batches.parent)
    (batches / "test_batch").write_bytes(pickle.dumps(Evil()))
    with pytest.raises(StageError, match=r"^test_batch is not the official file and was not opened, .*; allowed: \w+$"):
        cifar10_batches.to_binary(batches)
    assert not Path("opened").exists()
    pickle.loads((batches / "test_batch").read_bytes())
    assert Path("opened").exists()  # it would have been
