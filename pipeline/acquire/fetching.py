"""Where data comes from: files out of a URL, an archive or a folder, put in place whole or not at all."""

import errno
import os
import shutil
import tarfile
import tempfile
import zlib
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path

import pooch

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
    """Fill `folder` with the files `names` from a URL (https, http, ftp, file), an archive or a folder.

    Raises StageError if they cannot be had, and names the environment `variable` that says where they are.
    """
    source = source.removeprefix("file://")
    if Path(source).is_dir():
        for name in names:
            _copy(Path(source) / name, folder / name, names)
    elif "://" in source:
        archive = folder.parent / "archive"
        download(source, archive, variable)
        extract(archive, names, folder, source)
    elif Path(source).is_file():
        extract(Path(source), names, folder, source)
    else:
        raise StageError(f"{variable} {source} is not there; allowed: a URL, an archive or a folder of its files")


def download(url: str, path: Path, variable: str) -> None:
    """Fetch `url` to `path` with a progress bar.

    Raises StageError if all attempts have failed, with the last one's reason.
    """
    path.unlink(missing_ok=True)  # else pooch takes it for what it is asked for
    fetcher = pooch.create(
        path.parent, base_url="", registry={path.name: None}, urls={path.name: url}, retry_if_failed=ATTEMPTS - 1
    )
    try:
        fetcher.fetch(path.name, downloader=pooch.HTTPDownloader(progressbar=True, timeout=TIMEOUT))
    except (OSError, ValueError) as error:
        if isinstance(error, OSError) and error.errno in (errno.ENOSPC, errno.EDQUOT):
            raise
        raise StageError(f"{url} cannot be fetched ({error}): set {variable} to another place that has it") from None


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
