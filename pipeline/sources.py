"""Where data comes from: files out of a URL, an archive or a folder, put in place whole or not at all."""

import errno
import os
import shutil
import socket
import tarfile
import tempfile
import time
import zlib
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from http.client import HTTPException
from pathlib import Path

from pipeline.stage import StageError

ATTEMPTS = 3
TIMEOUT = 60  # seconds without a byte


def located(variable: str, default: str) -> str:
    """Where the environment `variable` says that data is, or `default`; a relative path begins at the repository's top.

    (DVC runs a study's stages in its folder, and those of a temporary experiment in a copy of the repository.)
    """
    given = os.environ.get(variable)
    if not given:
        return default
    return given if "://" in given else str(Path(os.environ.get("DVC_ROOT", "."), given))


@contextmanager
def replaced(target: Path) -> Iterator[Path]:
    """An empty folder that takes `target`'s place if all goes well; else everything stays as it was."""
    target.parent.mkdir(parents=True, exist_ok=True)
    for left in target.parent.glob(".download-*"):  # by a download that was killed
        shutil.rmtree(left)
    with tempfile.TemporaryDirectory(dir=target.parent, prefix=".download-") as temporary:
        folder = Path(temporary) / target.name
        folder.mkdir()
        yield folder
        shutil.rmtree(target, ignore_errors=True)
        folder.rename(target)


def collect(source: str, names: Sequence[str], folder: Path, variable: str) -> None:
    """Fill `folder` with the files `names` from a URL, an archive or a folder.

    Raises StageError if they cannot be had, and names the environment `variable` that says where they are.
    """
    if Path(source).is_dir():
        for name in names:
            _copy(Path(source) / name, folder / name, names)
    elif "://" in source:
        archive = folder.parent / "archive"
        download(source, archive, variable, lambda: extract(archive, names, folder, source))
    elif Path(source).is_file():
        extract(Path(source), names, folder, source)
    else:
        raise StageError(f"{variable} {source} is not there; legal are a URL, an archive or a folder of its files")


def download(url: str, path: Path, variable: str, use: Callable[[], None] = lambda: None) -> None:
    """Fetch `url` to `path` with a progress bar, and call `use`, which may find that it is not whole.

    Raises StageError if some attempts have failed, with the last one's reason.
    """
    from torchvision.datasets.utils import download_url  # takes over a second to import, which other stages need not

    socket.setdefaulttimeout(TIMEOUT)
    for attempt in range(1, ATTEMPTS + 1):
        path.unlink(missing_ok=True)  # else torchvision takes a part for the whole
        try:
            download_url(url, path.parent, path.name)
            return use()
        except (OSError, HTTPException, RecursionError, ValueError, StageError) as error:
            if isinstance(error, OSError) and error.errno in (errno.ENOSPC, errno.EDQUOT):
                raise
            reason = getattr(error, "reason", error)
            if attempt < ATTEMPTS:
                print(f"attempt {attempt} of {ATTEMPTS} failed ({reason}); trying again")
                time.sleep(2**attempt)
    raise StageError(f"{url} cannot be fetched ({reason}): set {variable} to another place that has it")


def extract(archive: Path, names: Sequence[str], folder: Path, source: str) -> None:
    """Copy the files `names`, and nothing else, out of a tar archive. Raises StageError if it is not one of them."""
    try:
        with tarfile.open(archive) as tar:
            members = {Path(member.name).name: member for member in tar if member.isfile()}
            for name in names:
                if name not in members:
                    raise StageError(f"{source} lacks {name}: it is another archive")
                with tar.extractfile(members[name]) as data, open(folder / name, "wb") as file:
                    shutil.copyfileobj(data, file)
    except (tarfile.TarError, EOFError, zlib.error, OSError) as error:
        if isinstance(error, OSError) and error.errno is not None:
            raise
        raise StageError(f"{source} is no whole tar archive ({error}): fetch it again") from None


def _copy(source: Path, target: Path, names: Sequence[str]) -> None:
    try:
        shutil.copyfile(source, target)
    except FileNotFoundError:
        raise StageError(f"{source} is missing: a folder needs {len(names)} files, {names[0]} to {names[-1]}") from None
