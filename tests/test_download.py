"""Download: known bytes are taken, everything else is refused. Where they come from is test_fetching.py's."""

import hashlib
import json
import shutil
import tarfile
from pathlib import Path

import pytest
from conftest import ROOT, change_params, refused, run
from ruamel.yaml import YAML

from pipeline import download, stage
from pipeline.data import cifar
from pipeline.settings.datasets import DATASETS
from pipeline.stage import StageError

GENERATED = {"cifar10": "generated", "cifar100": "generated100"}  # fixtures: what counts as the official data
BATCHES = {"cifar10": "batches", "cifar100": "batches100"}  # the same, pickled


@pytest.fixture(params=GENERATED)
def dataset(request: pytest.FixtureRequest) -> str:
    return request.param


@pytest.fixture
def known(request: pytest.FixtureRequest, dataset: str, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A folder of .bin files that counts as the official data."""
    folder = request.getfixturevalue(GENERATED[dataset])
    sha256 = cifar.content_sha256(folder, DATASETS[dataset].files)
    monkeypatch.setitem(download.SOURCES, dataset, download.SOURCES[dataset]._replace(sha256=sha256))
    return folder


@pytest.fixture
def archive(dataset: str, known: Path, tmp_path: Path) -> Path:
    source = download.SOURCES[dataset]
    path = tmp_path / Path(source.url).name
    with tarfile.open(path, "w:gz") as tar:
        for name in DATASETS[dataset].files:
            tar.add(known / name, f"{source.inside[0]}/{name}")
    return path


@pytest.fixture
def target(tmp_path: Path) -> Path:
    folder = tmp_path / "parent" / "data"
    folder.mkdir(parents=True)
    return folder


def same(dataset: str, folder: Path, other: Path) -> bool:
    return all((folder / name).read_bytes() == (other / name).read_bytes() for name in DATASETS[dataset].files)


def test_a_folder_of_the_official_bytes_is_taken(dataset, known, target):
    download.fetch(dataset, str(known), target)
    assert same(dataset, target, known)


def test_an_archive_of_the_official_bytes_is_taken(dataset, known, archive, target):
    download.fetch(dataset, str(archive), target)
    assert same(dataset, target, known)


def test_other_bytes_are_refused(request, dataset, target):
    folder, title = request.getfixturevalue(GENERATED[dataset]), DATASETS[dataset].title
    with pytest.raises(
        StageError, match=rf"does not hold the official {title} \(the content's sha256 is [0-9a-f]{{64}}\); allowed:"
    ):
        download.fetch(dataset, str(folder), target)


def test_one_changed_byte_is_refused(dataset, known, tmp_path, target):
    """Of an image, or of a coarse label, which nothing reads."""
    for place in (100, 0):
        changed = tmp_path / f"changed-{place}"
        shutil.copytree(known, changed)
        path = changed / DATASETS[dataset].files[-1]
        data = bytearray(path.read_bytes())
        data[place] ^= 1
        path.write_bytes(data)
        with pytest.raises(StageError, match="does not hold the official CIFAR-10"):
            download.fetch(dataset, str(changed), target)


def test_what_is_refused_leaves_the_data_as_it_was(workspace):
    change_params(workspace, dataset="cifar10")
    before = (workspace / "data/cifar10").stat().st_ino
    for source, words in (
        ("/nowhere", "is not there"),
        (str(workspace / "data/cifar10"), "does not hold the official CIFAR-10"),
    ):
        assert words in refused(run("download", CIFAR10_SOURCE=source))
    assert (workspace / "data/cifar10").stat().st_ino == before
    assert not list((workspace / "data").glob(".*"))


def test_a_folder_of_other_things_is_not_replaced(workspace, generated):
    (workspace / "mine").mkdir()
    assert run("download", "--data", "mine").returncode == 0  # empty
    assert run("download", "--data", "mine").returncode == 0  # what it wrote itself
    (workspace / "mine/provenance.json").unlink()
    for folder in ("mine", "data", ".", "params.yaml"):
        assert f"error: {folder} holds other things; allowed: a new or" in refused(run("download", "--data", folder))
    assert same("synthetic", workspace / "mine", generated)


@pytest.mark.parametrize("found", ["mine.txt", "images.safetensors"])
def test_a_data_set_with_other_things_or_of_another_stage_is_not_replaced(workspace, found):
    folder = workspace / "data/cifar10"
    (folder / found).touch()
    if found == "images.safetensors":
        (folder / "provenance.json").write_text(json.dumps({"dataset": "synthetic_flowers17"}))
    assert "error: data/cifar10 holds other things; allowed: a new or" in refused(run("download"))
    assert (folder / found).exists() and (folder / "test_batch.bin").exists()


def test_an_address_that_cannot_be_reached_is_named(workspace):
    change_params(workspace, dataset="cifar10")
    sentence = refused(run("download", CIFAR10_SOURCE="http://127.0.0.1:9/cifar-10-binary.tar.gz"))
    assert "http://127.0.0.1:9/cifar-10-binary.tar.gz cannot be fetched" in sentence
    assert "set CIFAR10_SOURCE" in sentence


def test_the_whole_stage_gives_the_same_bytes_whichever_way_they_came(
    request, workspace, dataset, known, archive, tmp_path, monkeypatch
):
    """On the real thing but for the number of images: as many as the generated set has."""
    batches = request.getfixturevalue(BATCHES[dataset])
    python = tmp_path / archive.name.replace("binary", "python")
    with tarfile.open(python, "w:gz") as tar:
        tar.add(batches, batches.name)
    size = DATASETS["synthetic"]
    data = DATASETS[dataset]._replace(train=size.train, test=size.test)
    monkeypatch.setitem(DATASETS, dataset, data)
    arch = {"net": {"depth": 8, "classes": len(data.classes)}}
    change_params(workspace, dataset=dataset, variants=["net"], arch=arch)
    folder, outputs = workspace / "data" / dataset, []
    for source in (known, archive, batches, python, tmp_path):  # the last as torchvision leaves it
        (workspace / "data/.download-killed").mkdir()
        place = {download.SOURCES[dataset].variable: str(source)}
        result = run("download", "--data", f"data/{dataset}", **place)
        assert result.returncode == 0, result.stderr
        outputs.append({path.name: path.read_bytes() for path in folder.iterdir()})
    assert all(output == outputs[0] for output in outputs)
    assert sorted(outputs[0]) == sorted([*data.files, "provenance.json"])
    assert json.loads(outputs[0]["provenance.json"])["identity"] == download.IDENTITY[dataset]
    assert not list((workspace / "data").glob(".*"))


@pytest.mark.parametrize(
    ("form", "dataset", "title"),
    [("workspace", "synthetic", "CIFAR-10:"), ("workspace100", "synthetic_cifar100", "CIFAR-100:")],
)
def test_synthetic_data_says_what_it_is(request, form, dataset, title):
    here = request.getfixturevalue(form)
    generated = {path.name: path.read_bytes() for path in (here / "data/cifar10").glob("*.bin")}
    shutil.rmtree(here / "data/cifar10")
    result = run("download")
    assert result.returncode == 0, result.stderr
    provenance = json.loads((here / "data/cifar10/provenance.json").read_text())
    assert provenance["dataset"] == dataset
    assert f"not {title}" in provenance["identity"]
    written = {path.name: path.read_bytes() for path in (here / "data/cifar10").iterdir()}
    assert sorted(written) == sorted([*generated, "provenance.json"])
    assert all(written[name] == content for name, content in generated.items())


def test_what_generated_data_is_said_to_be_never_changes():
    """It is in DVC's hash of the data, as is that of the official CIFAR-10, which is below."""
    assert download.IDENTITY["synthetic"] == "generated images, not CIFAR-10: results on them mean nothing"


PUBLISHED = {  # md5 of the files in the official archive, as others list them
    "data_batch_1.bin": "5dd7e06a14cb22eb9f671a540d1b7c25", "data_batch_2.bin": "5ea93a67294ea407fff1d09f752e9692",
    "data_batch_3.bin": "942cd6a4bcdd0dd3c604fbe906cb4421", "data_batch_4.bin": "ae636b3ba5c66a11e91e8cb52e771fcb",
    "data_batch_5.bin": "53f37980c15c3d472c316c40844f3f0d", "test_batch.bin": "803d5f7f4d78ea53de84dbe85f74fb6d",
}  # fmt: skip


def test_who_has_the_official_data_finds_the_committed_results_up_to_date(tmp_path):
    """DVC's hash of data/cifar10 in dvc.lock, from the files' published md5 and the bytes of provenance.json."""
    provenance = {"dataset": "cifar10", "identity": download.IDENTITY["cifar10"]}
    stage.write_json(tmp_path / "provenance.json", provenance | {"content_sha256": download.SOURCES["cifar10"].sha256})
    files = PUBLISHED | {"provenance.json": hashlib.md5((tmp_path / "provenance.json").read_bytes()).hexdigest()}
    listed = [{"md5": md5, "relpath": name} for name, md5 in sorted(files.items())]
    lock = YAML(typ="safe", pure=True).load(ROOT / "dvc.lock")
    expected = hashlib.md5(json.dumps(listed).encode()).hexdigest() + ".dir"
    assert [out["md5"] for out in lock["stages"]["download"]["outs"]] == [expected]
