"""The Python version: the makers' pickles become the binary version, and no other pickle is opened."""

import os
import pickle
from pathlib import Path

import pytest
from torchvision.datasets import CIFAR10, CIFAR100

from pipeline.acquire import cifar_batches
from pipeline.stage import StageError


@pytest.mark.parametrize(("dataset", "theirs"), [("cifar10", CIFAR10), ("cifar100", CIFAR100)])
def test_the_hashes_are_those_that_torchvision_has(dataset, theirs):
    assert dict((*theirs.train_list, *theirs.test_list)) == cifar_batches.MD5[dataset]


@pytest.mark.parametrize(
    ("dataset", "pickles", "original"),
    [("cifar10", "batches", "generated"), ("cifar100", "batches100", "generated100")],
)
def test_the_binary_version_comes_out(request, dataset, pickles, original):
    """Byte by byte, so with CIFAR-100's coarse labels."""
    folder, binary = request.getfixturevalue(pickles), request.getfixturevalue(original)
    cifar_batches.to_binary(folder, dataset)
    expected = {path.name: path.read_bytes() for path in binary.glob("*.bin")}
    assert {path.name: path.read_bytes() for path in folder.iterdir()} == expected


class Evil:
    def __reduce__(self):
        return os.mkdir, ("opened",)


@pytest.mark.parametrize(
    ("dataset", "pickles", "file"), [("cifar10", "batches", "test_batch"), ("cifar100", "batches100", "test")]
)
def test_no_other_pickle_is_opened(request, monkeypatch, dataset, pickles, file):
    folder = request.getfixturevalue(pickles)
    monkeypatch.chdir(folder.parent)
    (folder / file).write_bytes(pickle.dumps(Evil()))
    with pytest.raises(StageError, match=rf"^{file} is not the official file and was not opened, .*; allowed: \w+$"):
        cifar_batches.to_binary(folder, dataset)
    assert not Path("opened").exists()
    pickle.loads((folder / file).read_bytes())
    assert Path("opened").exists()  # it would have been
