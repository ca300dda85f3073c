"""CIFAR-10's Python version, `cifar-10-batches-py` as torchvision leaves it, made into the binary version.

The makers pickled it, and opening a pickle runs whatever is in it. So each file is read whole and hashed first, and one
whose md5 is not the published one is never opened.
"""

import hashlib
import pickle
from pathlib import Path

import numpy as np

from pipeline.data import cifar10
from pipeline.stage import StageError

MD5 = {  # as torchvision.datasets.CIFAR10 lists them
    "data_batch_1": "c99cafc152244af753f735de768cd75f",
    "data_batch_2": "d4bba439e000b95fd0a9bffe97cbabec",
    "data_batch_3": "54ebc095f3ab1f0389bbae665268c751",
    "data_batch_4": "634d18415352ddfa80567beed471001a",
    "data_batch_5": "482c414d41f54cd18b22e5b47cb7c3cb",
    "test_batch": "40351d587109b95175f43aff81a1287e",
}
FILES = tuple(MD5)  # in the order of the binary version's


def to_binary(folder: Path) -> None:
    """Replace the six pickled files in `folder` by the six .bin files with the same images and labels.

    Raises StageError, before any is opened, if one is not the makers' file.
    """
    contents = {name: (folder / name).read_bytes() for name in FILES}
    for name, content in contents.items():
        md5 = hashlib.md5(content).hexdigest()
        if md5 != MD5[name]:
            raise StageError(
                f"{name} is not the official file and was not opened, since a pickle can run code (its md5 is {md5}); "
                f"allowed: {MD5[name]}"
            )
    for name, binary in zip(FILES, cifar10.FILES, strict=True):
        batch = pickle.loads(contents[name], encoding="latin1")
        planes = batch["data"].reshape(-1, 3, cifar10.SIDE, cifar10.SIDE)
        (folder / binary).write_bytes(cifar10.pack(planes.transpose(0, 2, 3, 1), np.asarray(batch["labels"])))
        (folder / name).unlink()
