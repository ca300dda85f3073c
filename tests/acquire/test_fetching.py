"""Sources: files come whole out of a URL, an archive or a folder, or not at all."""

import http.server
import shutil
import tarfile
import threading
from pathlib import Path

import pooch
import pytest

from pipeline.acquire import fetching
from pipeline.stage import StageError

NAMES = ("one.bin", "two.bin")


@pytest.fixture
def files(tmp_path: Path) -> Path:
    folder = tmp_path / "files"
    folder.mkdir()
    for name in NAMES:
        (folder / name).write_bytes(name.encode() * 100_000)
    return folder


@pytest.fixture
def archive(files: Path, tmp_path: Path) -> Path:
    path = tmp_path / "files.tar.gz"
    with tarfile.open(path, "w:gz", compresslevel=0) as tar:
        for name in NAMES:
            tar.add(files / name, f"some/where/{name}")
    return path


@pytest.fixture
def target(tmp_path: Path) -> Path:
    folder = tmp_path / "parent" / "data"
    folder.mkdir(parents=True)
    return folder


def same(target: Path, files: Path) -> bool:
    return all((target / name).read_bytes() == (files / name).read_bytes() for name in NAMES)


def collect(source: object, target: Path) -> None:
    fetching.collect(str(source), (NAMES,), target, "SOURCE")


def test_a_folder_or_an_archive_is_taken(files, archive, target):
    (files / "other").touch()
    collect(files, target)
    assert same(target, files)
    for source in (archive, archive.as_uri()):
        collect(source, target)
        assert same(target, files)
    assert sorted(path.name for path in target.iterdir()) == sorted(NAMES)


def test_of_several_forms_that_is_taken_which_is_there(files, archive, target):
    forms = (("other.txt", "more.txt"), NAMES)
    for source in (files, archive):
        assert fetching.collect(str(source), forms, target, "SOURCE") == NAMES
        assert same(target, files)


def test_a_folder_may_hold_the_archive_or_the_folder(files, archive, target, tmp_path, monkeypatch):
    monkeypatch.setenv("HOME", str(tmp_path))
    for inside in (["nowhere", files.name], [archive.name], [files.name, archive.name]):
        assert fetching.collect("~", (NAMES,), target, "SOURCE", inside) == NAMES
        assert same(target, files)


def test_what_is_complete_is_taken_before_what_is_not(files, archive, target, tmp_path):
    """A partly unpacked folder beside the archive, or beside a whole one; else it is said what the fullest lacks."""
    part = tmp_path / "part"
    part.mkdir()
    (part / "one.bin").write_bytes(b"partly")
    (tmp_path / "two.bin").mkdir()  # a folder of a file's name
    for inside in ([part.name, archive.name], [part.name, files.name]):
        assert fetching.collect(str(tmp_path), (NAMES,), target, "SOURCE", inside) == NAMES
        assert same(target, files)
    with pytest.raises(StageError, match=r"part/two\.bin is missing"):
        fetching.collect(str(tmp_path), (NAMES,), target, "SOURCE", [part.name])


def test_a_whole_form_is_taken_before_another_that_is_not(files, target, tmp_path):
    mixed = tmp_path / "mixed"
    mixed.mkdir()
    for name in ("a.txt", "b.txt"):
        (mixed / name).touch()
    forms = ((*NAMES, "three.bin"), ("a.txt", "b.txt"))
    assert fetching.collect(str(mixed), forms, target, "SOURCE") == forms[1]
    for name in NAMES:
        shutil.copy(files / name, mixed)
    assert fetching.collect(str(mixed), forms, target, "SOURCE") == forms[1]  # though two of the first are there


def test_other_addresses_are_refused(target):
    for source in ("ftp://127.0.0.1/a.tgz", "s3://a/b.tgz"):
        with pytest.raises(
            StageError,
            match=rf"^SOURCE {source} cannot be fetched; allowed: https://, http://, file:// or a path$",
        ):
            collect(source, target)


@pytest.mark.parametrize("fault", ["error 503", "half the file"])
def test_a_mirror_is_asked_again_when_it_fails(files, archive, target, monkeypatch, fault):
    content = archive.read_bytes()
    faulty = [True]

    class Flaky(http.server.BaseHTTPRequestHandler):
        def do_GET(self):
            fails = bool(faulty and faulty.pop())
            if fails and fault == "error 503":
                self.send_error(503)
                return
            self.send_response(200)
            self.send_header("Content-Length", str(len(content)))
            self.end_headers()
            self.wfile.write(content[: len(content) // 2] if fails else content)

        def log_message(self, *args):
            pass

    monkeypatch.setattr(pooch.core.time, "sleep", lambda seconds: None)
    with http.server.ThreadingHTTPServer(("127.0.0.1", 0), Flaky) as server:
        threading.Thread(target=server.serve_forever, daemon=True).start()
        collect(f"http://127.0.0.1:{server.server_port}/{archive.name}", target)
        server.shutdown()
    assert same(target, files)
    assert not faulty
    assert len(list(target.parent.iterdir())) == 2  # the archive and the folder: nothing half


def test_an_address_that_cannot_be_reached_is_named_with_the_way_out(target, monkeypatch):
    monkeypatch.setattr(pooch.core.time, "sleep", lambda seconds: None)
    with pytest.raises(
        StageError, match=r"http://127\.0\.0\.1:9/a\.tgz cannot be fetched \(.*\): set SOURCE to another"
    ):
        collect("http://127.0.0.1:9/a.tgz", target)


def test_what_is_not_whole_or_another_is_refused(files, archive, target, tmp_path):
    with pytest.raises(StageError, match="SOURCE /nowhere is not there; allowed: a URL, an archive or a folder"):
        collect("/nowhere", target)
    (files / "two.bin").unlink()
    with pytest.raises(StageError, match=r"two\.bin is missing: a folder needs 2 files, one\.bin to two\.bin"):
        collect(files, target)
    with tarfile.open(tmp_path / "other.tar", "w") as tar:
        tar.add(files / "one.bin", "one.bin")
    with pytest.raises(StageError, match=r"lacks two\.bin: it is another archive"):
        collect(tmp_path / "other.tar", target)
    archive.write_bytes(archive.read_bytes()[: archive.stat().st_size // 2])
    with pytest.raises(StageError, match="is no whole tar archive"):
        collect(archive, target)


def test_a_folder_is_replaced_whole_or_not_at_all(tmp_path):
    target = tmp_path / "data/set"
    (tmp_path / "data/.download-killed").mkdir(parents=True)
    with fetching.replaced(target) as folder:
        (folder / "first").touch()
    assert [path.name for path in target.iterdir()] == ["first"]
    with pytest.raises(StageError), fetching.replaced(target) as folder:
        (folder / "second").touch()
        raise StageError("no")
    assert [path.name for path in target.iterdir()] == ["first"]
    assert [path.name for path in target.parent.iterdir()] == ["set"]


def test_a_relative_path_begins_at_the_top_of_the_repository(monkeypatch):
    monkeypatch.delenv("SOURCE", raising=False)
    assert fetching.located("SOURCE", "https://example.org/a") == "https://example.org/a"
    for given, place in (("a.tgz", "/top/a.tgz"), ("/b/a.tgz", "/b/a.tgz"), ("http://c/a.tgz", "http://c/a.tgz")):
        monkeypatch.setenv("SOURCE", given)
        monkeypatch.setenv("DVC_ROOT", "/top")
        assert fetching.located("SOURCE", "") == place
