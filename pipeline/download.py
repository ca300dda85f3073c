"""Stage download: fetch CIFAR-10's binary archive, verify it, and put its six files under data/cifar10.

    python -m pipeline.download
    CIFAR10_SOURCE=cifar-10-binary.tar.gz python -m pipeline.download

$CIFAR10_SOURCE says where the same bytes are: a mirror's URL, an archive, or a folder of .bin files. It cannot change
what is accepted: the official archive by its md5, or a known copy by the sha256 of its content. The archive has 170 MB.
data/cifar10/provenance.json tells which bytes these are. With `dataset: synthetic` a small set is generated instead.
"""

import errno
import os
import shutil
import socket
import tarfile
import tempfile
import time
import zlib
from http.client import HTTPException
from pathlib import Path

from torchvision.datasets.utils import check_md5, download_url

from pipeline import params, records, stage, synthetic
from pipeline.stage import StageError

URL = "https://www.cs.toronto.edu/~kriz/cifar-10-binary.tar.gz"
ARCHIVE_MD5 = "c32a1d4ab5d03f1284b67883e8d87530"
OFFICIAL = "the official binary archive, by its md5"
COPIES = {  # content sha256 of the six files in order: how the copy differs from the official files
    "3e1124923a00edf4ddf52b3abba91412d38caf6336ae1aadced7776a1bbeddf3": (
        "a copy in which 59,907 of the 60,000 images are bit-identical to the official files and 93 (73 training, "
        "20 test) were recovered from JPEG, about 6 grey levels off on average; labels and order are official"
    ),
}
ATTEMPTS = 3
TIMEOUT = 60  # seconds without a byte


def main() -> None:
    settings = params.load()
    stage.DATA.parent.mkdir(exist_ok=True)
    for left in stage.DATA.parent.glob(".download-*"):  # by a download that was killed
        shutil.rmtree(left)
    with tempfile.TemporaryDirectory(dir=stage.DATA.parent, prefix=".download-") as temporary:
        folder = Path(temporary) / "cifar10"
        folder.mkdir()
        if settings.dataset == "synthetic":
            synthetic.write_set(folder)
            identity = "generated images, not CIFAR-10: results on them mean nothing"
        else:
            identity = fetch(os.environ.get("CIFAR10_SOURCE") or URL, folder)
        sizes = records.DATASETS[settings.dataset]
        for name in records.FILES:
            records.read(folder / name, records.records_per_file(name, sizes))
        sha256 = records.content_sha256(folder)
        stage.write_json(
            folder / "provenance.json", {"dataset": settings.dataset, "identity": identity, "content_sha256": sha256}
        )
        shutil.rmtree(stage.DATA, ignore_errors=True)
        folder.rename(stage.DATA)
    print(f"{stage.DATA}: {sizes.train} training and {sizes.test} test images, {identity}")


def fetch(source: str, folder: Path) -> str:
    """Fill `folder` with the six .bin files from a URL, an archive or a folder; a sentence on what they are.

    Raises StageError if the source cannot be had, or its bytes are none that are known.
    """
    if Path(source).is_dir():
        for name in records.FILES:
            copy_file(Path(source) / name, folder / name)
        return known_copy(folder, source)
    archive = Path(source)
    if "://" in source:
        archive = folder.parent / "archive"
        download(source, archive, folder)
    elif archive.is_file():
        extract(archive, folder, source)
    else:
        raise StageError(f"CIFAR10_SOURCE {source} is not there; legal are a URL, an archive or a folder of .bin files")
    return OFFICIAL if check_md5(archive, ARCHIVE_MD5) else known_copy(folder, source)


def download(url: str, path: Path, folder: Path) -> None:
    """Fetch `url` to `path` with a progress bar, and unpack it into `folder`.

    Raises StageError if some attempts have failed, with the last one's reason.
    """
    socket.setdefaulttimeout(TIMEOUT)
    for attempt in range(1, ATTEMPTS + 1):
        path.unlink(missing_ok=True)  # else torchvision takes a part for the whole
        try:
            download_url(url, path.parent, path.name)
            return extract(path, folder, url)
        except (OSError, HTTPException, RecursionError, ValueError, StageError) as error:
            if isinstance(error, OSError) and error.errno in (errno.ENOSPC, errno.EDQUOT):
                raise
            reason = getattr(error, "reason", error)
            if attempt < ATTEMPTS:
                print(f"attempt {attempt} of {ATTEMPTS} failed ({reason}); trying again")
                time.sleep(2**attempt)
    raise StageError(
        f"{url} cannot be fetched ({reason}): set CIFAR10_SOURCE to another place that has it, as data/README.md says"
    )


def extract(archive: Path, folder: Path, source: str) -> None:
    """Copy the six .bin files, and nothing else, out of a tar archive. Raises StageError if it is not one."""
    try:
        with tarfile.open(archive) as tar:
            members = {Path(member.name).name: member for member in tar if member.isfile()}
            for name in records.FILES:
                if name not in members:
                    raise StageError(f"{source} lacks {name}: it is not CIFAR-10's binary archive")
                with tar.extractfile(members[name]) as data, open(folder / name, "wb") as file:
                    shutil.copyfileobj(data, file)
    except (tarfile.TarError, EOFError, zlib.error, OSError) as error:
        if isinstance(error, OSError) and error.errno is not None:
            raise
        raise StageError(f"{source} is no whole tar archive ({error}): fetch it again") from None


def copy_file(source: Path, target: Path) -> None:
    """Copy one file. Raises StageError if it is missing."""
    try:
        shutil.copyfile(source, target)
    except FileNotFoundError:
        raise StageError(f"{source} is missing: a folder needs {', '.join(records.FILES)}") from None


def known_copy(folder: Path, source: str) -> str:
    """How the copy in `folder` differs from the official files. Raises StageError if its bytes are not known."""
    sha256 = records.content_sha256(folder)
    if sha256 not in COPIES:
        raise StageError(
            f"{source} holds unknown bytes (content sha256 {sha256}); legal are the official archive "
            f"(md5 {ARCHIVE_MD5}) or a copy that pipeline/download.py lists"
        )
    return COPIES[sha256]


if __name__ == "__main__":
    stage.run(main)
