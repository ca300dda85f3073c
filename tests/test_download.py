"""Download: known bytes are taken, everything else is refused. Where they come from is test_sources.py's."""

import hashlib
import json
import shutil
import tarfile
from pathlib import Path

import pytest
from conftest import change_params, refused, run

from pipeline import download, records
from pipeline.catalogue import DATASETS
from pipeline.stage import StageError


@pytest.fixture
def known(generated: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A folder of .bin files that counts as a known copy."""
    monkeypatch.setitem(download.COPIES, records.content_sha256(generated), "a copy for tests")
    return generated


@pytest.fixture
def archive(known: Path, tmp_path: Path) -> Path:
    path = tmp_path / "cifar-10-binary.tar.gz"
    with tarfile.open(path, "w:gz") as tar:
        for name in records.FILES:
            tar.add(known / name, f"cifar-10-batches-bin/{name}")
    return path


@pytest.fixture
def target(tmp_path: Path) -> Path:
    folder = tmp_path / "parent" / "cifar10"
    folder.mkdir(parents=True)
    return folder


def test_a_folder_of_known_bytes_is_taken(known, target):
    assert download.fetch(str(known), target) == "a copy for tests"
    assert records.content_sha256(target) == records.content_sha256(known)


def test_an_archive_of_known_bytes_is_taken(known, archive, target):
    assert download.fetch(str(archive), target) == "a copy for tests"
    assert records.content_sha256(target) == records.content_sha256(known)


def test_the_official_archive_is_known_by_its_md5(archive, target, monkeypatch):
    monkeypatch.setattr(download, "ARCHIVE_MD5", hashlib.md5(archive.read_bytes()).hexdigest())
    monkeypatch.setattr(download, "COPIES", {})
    assert download.fetch(str(archive), target) == download.OFFICIAL


def test_unknown_bytes_are_refused(generated, target):
    with pytest.raises(
        StageError, match=r"holds unknown bytes \(content sha256 [0-9a-f]{64}\); legal are the official"
    ):
        download.fetch(str(generated), target)


def test_one_changed_pixel_is_refused(known, tmp_path, target):
    changed = tmp_path / "changed"
    shutil.copytree(known, changed)
    data = bytearray((changed / records.TEST_FILE).read_bytes())
    data[100] ^= 1
    (changed / records.TEST_FILE).write_bytes(data)
    with pytest.raises(StageError, match="holds unknown bytes"):
        download.fetch(str(changed), target)


def test_what_is_refused_leaves_the_data_as_it_was(workspace):
    change_params(workspace, dataset="cifar10")
    (workspace / "data/cifar10/mark").touch()
    for source, words in (("/nowhere", "is not there"), (str(workspace / "data/cifar10"), "unknown bytes")):
        assert words in refused(run("download", CIFAR10_SOURCE=source))
    assert (workspace / "data/cifar10/mark").exists()
    assert sorted(path.name for path in (workspace / "data").iterdir()) == ["cifar10", "claims.yaml", "published.csv"]


def test_an_address_that_cannot_be_reached_is_named(workspace):
    change_params(workspace, dataset="cifar10")
    sentence = refused(run("download", CIFAR10_SOURCE="http://127.0.0.1:9/cifar-10-binary.tar.gz"))
    assert "http://127.0.0.1:9/cifar-10-binary.tar.gz cannot be fetched" in sentence
    assert "set CIFAR10_SOURCE" in sentence


def test_the_whole_stage_on_real_bytes(workspace, known, monkeypatch):
    """Real but for their number: as many as the generated set has."""
    monkeypatch.setitem(DATASETS, "cifar10", DATASETS["synthetic"])
    monkeypatch.setenv("CIFAR10_SOURCE", str(known))
    change_params(workspace, dataset="cifar10")
    (workspace / "data/.download-killed").mkdir()
    download.main()
    provenance = json.loads((workspace / "data/cifar10/provenance.json").read_text())
    sha256 = records.content_sha256(known)
    assert provenance == {"dataset": "cifar10", "identity": "a copy for tests", "content_sha256": sha256}
    assert sorted(path.name for path in (workspace / "data").iterdir()) == ["cifar10", "claims.yaml", "published.csv"]


def test_synthetic_data_says_what_it_is(workspace):
    shutil.rmtree(workspace / "data/cifar10")
    result = run("download")
    assert result.returncode == 0, result.stderr
    provenance = json.loads((workspace / "data/cifar10/provenance.json").read_text())
    assert provenance["dataset"] == "synthetic"
    assert "not CIFAR-10" in provenance["identity"]
    assert sorted(path.name for path in (workspace / "data/cifar10").iterdir()) == sorted(
        [*records.FILES, "provenance.json"]
    )
