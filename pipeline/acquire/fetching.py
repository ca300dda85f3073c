"""Where data comes from: files out of a URL, an archive or a folder, put in place whole or not at all."""

import errno
import os
import shutil
import tarfile
import tempfile
import zlib
from collections.abc import Iterator, Sequence, Set
from contextlib import contextmanager
from pathlib import Path

import pooch

from pipeline.stage import StageError

ATTEMPTS = 3
TIMEOUT = 60  # seconds without a byte
SCHEMES = ("https", "http")


def located(variable: str, default: str) -> str:
    """Where the environment `variable` says that data is, or `default`; a relative path begins at the repository's top.

    (DVC runs a study's stages in its folder, and those of a temporary experiment in a copy of the repository.)
    """
    given = os.environ.get(variable)
    if not given:
        return default
    return given if "://" in given else str(Path(os.environ.get("DVC_ROOT", "."), Path(given).expanduser()))


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


def collect(
    source: str, forms: Sequence[Sequence[str]], folder: Path, variable: str, inside: Sequence[str] = ()
) -> Sequence[str]:
    """Fill `folder` with the files of one of `forms` from a URL (https, http, file), an archive or a folder.

    The form, a list of file names, is the one of which the source lacks fewest. A folder may also hold a folder or
    archive with them, by one of the names `inside`; what is complete is taken first. Raises StageError if they cannot
    be had, and names the environment `variable` that says where they are.
    """
    source = source.removeprefix("file://")
    path = Path(source).expanduser()
    scheme, separator, _ = source.partition("://")
    if separator:
        if scheme.lower() not in SCHEMES:
            allowed = ", ".join(f"{name}://" for name in (*SCHEMES, "file"))
            raise StageError(f"{variable} {source} cannot be fetched; allowed: {allowed} or a path")
        path = folder.parent / "archive"
        download(source, path, variable)
    elif path.is_dir():
        places = [path, *(path / name for name in inside if (path / name).exists())]
        place = min(places, key=lambda one: lacking(one, forms))
        if place != path:
            return collect(str(place), forms, folder, variable)
        form = fullest(forms, held(path, forms))
        for name in form:
            _copy(path / name, folder / name, form)
        return form
    elif not path.is_file():
        raise StageError(f"{variable} {source} is not there; allowed: a URL, an archive or a folder of its files")
    return extract(path, forms, folder, source)


def held(folder: Path, forms: Sequence[Sequence[str]]) -> set[str]:
    """Which files of any of the forms are in `folder`."""
    return {name for form in forms for name in form if (folder / name).is_file()}


def lacking(place: Path, forms: Sequence[Sequence[str]]) -> int:
    """How many files the fullest form lacks in a folder; none in an archive, which shows when it is read."""
    if place.is_file():
        return 0
    names = held(place, forms)
    return len({*fullest(forms, names)} - names)


def fullest(forms: Sequence[Sequence[str]], names: Set[str]) -> Sequence[str]:
    """The form of which fewest files are not among `names`; the first, if equally many of several are not."""
    return min(forms, key=lambda form: len({*form} - names))


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


def extract(archive: Path, forms: Sequence[Sequence[str]], folder: Path, source: str) -> Sequence[str]:
    """Copy the files of the fullest of `forms`, and nothing else, out of a tar archive; that form.

    Raises StageError if it is no whole tar archive, or lacks one of them.
    """
    try:
        with tarfile.open(archive) as tar:
            members = {Path(member.name).name: member for member in tar if member.isfile()}
            form = fullest(forms, members.keys())
            for name in form:
                if name not in members:
                    raise StageError(f"{source} lacks {name}: it is another archive")
                with tar.extractfile(members[name]) as data, open(folder / name, "wb") as file:
                    shutil.copyfileobj(data, file)
            return form
    except (tarfile.TarError, EOFError, zlib.error, OSError) as error:
        if isinstance(error, OSError) and error.errno is not None:
            raise
        raise StageError(f"{source} is no whole tar archive ({error}): fetch it again") from None


def _copy(source: Path, target: Path, names: Sequence[str]) -> None:
    try:
        shutil.copyfile(source, target)
    except FileNotFoundError:
        raise StageError(f"{source} is missing: a folder needs {len(names)} files, {names[0]} to {names[-1]}") from None
