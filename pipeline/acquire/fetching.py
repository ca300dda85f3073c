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
    """Fill `folder` with the files of one of `forms` from a URL (https, http, ftp, file), an archive or a folder.

    The form, a list of file names, is the one of which the source has most. A folder may also hold the archive or the
    folder with them, by one of the names `inside`. Raises StageError if they cannot be had, and names the environment
    `variable` that says where they are.
    """
    source = source.removeprefix("file://")
    path = Path(source).expanduser()
    if "://" in source:
        path = folder.parent / "archive"
        download(source, path, variable)
    elif path.is_dir():
        held = [path / name for name in inside if (path / name).exists()]
        form = fullest(forms, {name for form in forms for name in form if (path / name).exists()})
        if held and not (path / form[0]).exists():
            return collect(str(held[0]), forms, folder, variable)
        for name in form:
            _copy(path / name, folder / name, form)
        return form
    elif not path.is_file():
        raise StageError(f"{variable} {source} is not there; allowed: a URL, an archive or a folder of its files")
    return extract(path, forms, folder, source)


def fullest(forms: Sequence[Sequence[str]], names: Set[str]) -> Sequence[str]:
    """The form of which most files are among `names`; the first, if equally many of several are."""
    return max(forms, key=lambda form: len(names & {*form}))


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
