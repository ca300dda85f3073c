"""The Python version of CIFAR-10 and CIFAR-100, as torchvision leaves it, made into the binary version.

The makers pickled it, and opening a pickle runs whatever is in it. So each file is read whole and hashed first, and one
whose md5 is not the published one is never opened.
"""

import hashlib
import pickle
from pathlib import Path

import numpy as np

from pipeline.data import cifar
from pipeline.settings.datasets import DATASETS
from pipeline.stage import StageError

MD5 = {  # as torchvision.datasets lists them; the files in the order of the binary version's
    "cifar10": {
        "data_batch_1": "c99cafc152244af753f735de768cd75f",
        "data_batch_2": "d4bba439e000b95fd0a9bffe97cbabec",
        "data_batch_3": "54ebc095f3ab1f0389bbae665268c751",
        "data_batch_4": "634d18415352ddfa80567beed471001a",
        "data_batch_5": "482c414d41f54cd18b22e5b47cb7c3cb",
        "test_batch": "40351d587109b95175f43aff81a1287e",
    },
    "cifar100": {"train": "16019d7e3df5f24257cddd939b257f8d", "test": "f0ef6b0ae62326f3e7ffdfab6717acfc"},
}
LABELS = {"cifar10": ("labels",), "cifar100": ("coarse_labels", "fine_labels")}  # as the bytes of a record


def files(dataset: str) -> tuple[str, ...]:
    """The names of the pickled files."""
    return tuple(MD5[dataset])


def to_binary(folder: Path, dataset: str) -> None:
    """Replace the pickled files of `dataset` in `folder` by the .bin files with the same images and labels.

    Raises StageError, before any is opened, if one is not the makers' file.
    """
    contents = {name: (folder / name).read_bytes() for name in files(dataset)}
    for name, content in contents.items():
        md5, published = hashlib.md5(content).hexdigest(), MD5[dataset][name]
        if md5 != published:
            raise StageError(
                f"{name} is not the official file and was not opened, since a pickle can run code (its md5 is {md5}); "
                f"allowed: {published}"
            )
    for name, binary in zip(contents, DATASETS[dataset].files, strict=True):
        batch = pickle.loads(contents[name], encoding="latin1")
        images = batch["data"].reshape(-1, 3, cifar.SIDE, cifar.SIDE).transpose(0, 2, 3, 1)
        (folder / binary).write_bytes(cifar.pack(images, *(np.asarray(batch[key]) for key in LABELS[dataset])))
        (folder / name).unlink()
