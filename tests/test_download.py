"""Download: known bytes are taken, everything else is refused. Where they come from is test_sources.py's."""

import hashlib
import json
import shutil
import tarfile
from pathlib import Path

import pytest
from conftest import ROOT, change_params, refused, run
from ruamel.yaml import YAML

from pipeline import download, stage
from pipeline.data import cifar10
from pipeline.settings.datasets import DATASETS
from pipeline.stage import StageError


@pytest.fixture
def known(generated: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A folder of .bin files that counts as the official data."""
    monkeypatch.setattr(download, "OFFICIAL_SHA256", cifar10.content_sha256(generated))
    return generated


@pytest.fixture
def archive(known: Path, tmp_path: Path) -> Path:
    path = tmp_path / "cifar-10-binary.tar.gz"
    with tarfile.open(path, "w:gz") as tar:
        for name in cifar10.FILES:
            tar.add(known / name, f"cifar-10-batches-bin/{name}")
    return path


@pytest.fixture
def target(tmp_path: Path) -> Path:
    folder = tmp_path / "parent" / "cifar10"
    folder.mkdir(parents=True)
    return folder


def test_a_folder_of_the_official_bytes_is_taken(known, target):
    download.fetch(str(known), target)
    assert cifar10.content_sha256(target) == cifar10.content_sha256(known)


def test_an_archive_of_the_official_bytes_is_taken(known, archive, target):
    download.fetch(str(archive), target)
    assert cifar10.content_sha256(target) == cifar10.content_sha256(known)


def test_other_bytes_are_refused(generated, target):
    with pytest.raises(
        StageError, match=r"does not hold the official CIFAR-10 \(the content's sha256 is [0-9a-f]{64}\); allowed:"
    ):
        download.fetch(str(generated), target)


def test_one_changed_pixel_is_refused(known, tmp_path, target):
    changed = tmp_path / "changed"
    shutil.copytree(known, changed)
    data = bytearray((changed / cifar10.TEST_FILE).read_bytes())
    data[100] ^= 1
    (changed / cifar10.TEST_FILE).write_bytes(data)
    with pytest.raises(StageError, match="does not hold the official CIFAR-10"):
        download.fetch(str(changed), target)


def test_what_is_refused_leaves_the_data_as_it_was(workspace):
    change_params(workspace, dataset="cifar10")
    (workspace / "data/cifar10/mark").touch()
    for source, words in (
        ("/nowhere", "is not there"),
        (str(workspace / "data/cifar10"), "does not hold the official CIFAR-10"),
    ):
        assert words in refused(run("download", CIFAR10_SOURCE=source))
    assert (workspace / "data/cifar10/mark").exists()
    assert not list((workspace / "data").glob(".*"))


def test_an_address_that_cannot_be_reached_is_named(workspace):
    change_params(workspace, dataset="cifar10")
    sentence = refused(run("download", CIFAR10_SOURCE="http://127.0.0.1:9/cifar-10-binary.tar.gz"))
    assert "http://127.0.0.1:9/cifar-10-binary.tar.gz cannot be fetched" in sentence
    assert "set CIFAR10_SOURCE" in sentence


def test_the_whole_stage_gives_the_same_bytes_whichever_way_they_came(
    workspace, known, archive, batches, tmp_path, monkeypatch
):
    """On the real thing but for the number of images: as many as the generated set has."""
    python = tmp_path / "cifar-10-python.tar.gz"
    with tarfile.open(python, "w:gz") as tar:
        tar.add(batches, batches.name)
    monkeypatch.setitem(DATASETS, "cifar10", DATASETS["synthetic"])
    change_params(workspace, dataset="cifar10")
    outputs = []
    for source in (known, archive, batches, python, tmp_path):  # the last as torchvision leaves it
        monkeypatch.setenv("CIFAR10_SOURCE", str(source))
        (workspace / "data/.download-killed").mkdir()
        download.main()
        outputs.append({path.name: path.read_bytes() for path in (workspace / "data/cifar10").iterdir()})
    assert all(output == outputs[0] for output in outputs)
    assert sorted(outputs[0]) == sorted([*cifar10.FILES, "provenance.json"])
    assert not list((workspace / "data").glob(".*"))


def test_synthetic_data_says_what_it_is(workspace):
    shutil.rmtree(workspace / "data/cifar10")
    result = run("download")
    assert result.returncode == 0, result.stderr
    provenance = json.loads((workspace / "data/cifar10/provenance.json").read_text())
    assert provenance["dataset"] == "synthetic"
    assert "not CIFAR-10" in provenance["identity"]
    assert sorted(path.name for path in (workspace / "data/cifar10").iterdir()) == sorted(
        [*cifar10.FILES, "provenance.json"]
    )


PUBLISHED = {  # md5 of the files in the official archive, as others list them
    "data_batch_1.bin": "5dd7e06a14cb22eb9f671a540d1b7c25", "data_batch_2.bin": "5ea93a67294ea407fff1d09f752e9692",
    "data_batch_3.bin": "942cd6a4bcdd0dd3c604fbe906cb4421", "data_batch_4.bin": "ae636b3ba5c66a11e91e8cb52e771fcb",
    "data_batch_5.bin": "53f37980c15c3d472c316c40844f3f0d", "test_batch.bin": "803d5f7f4d78ea53de84dbe85f74fb6d",
}  # fmt: skip


def test_who_has_the_official_data_finds_the_committed_results_up_to_date(tmp_path):
    """DVC's hash of data/cifar10 in dvc.lock, from the files' published md5 and the bytes of provenance.json."""
    provenance = {"dataset": "cifar10", "identity": download.IDENTITY["cifar10"]}
    stage.write_json(tmp_path / "provenance.json", provenance | {"content_sha256": download.OFFICIAL_SHA256})
    files = PUBLISHED | {"provenance.json": hashlib.md5((tmp_path / "provenance.json").read_bytes()).hexdigest()}
    listed = [{"md5": md5, "relpath": name} for name, md5 in sorted(files.items())]
    lock = YAML(typ="safe", pure=True).load(ROOT / "dvc.lock")
    expected = hashlib.md5(json.dumps(listed).encode()).hexdigest() + ".dir"
    assert [out["md5"] for out in lock["stages"]["download"]["outs"]] == [expected]
