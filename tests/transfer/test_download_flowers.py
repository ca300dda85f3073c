"""Download of Flowers-17: the layout is checked, the hash recorded, images shrunk; the rest is test_download.py's."""

import io
import json
import tarfile
from pathlib import Path

import numpy as np
import pytest
from conftest import change_params, refused, run
from PIL import Image

from pipeline.data import flowers17
from pipeline.stage import StageError
from pipeline.transfer import download_flowers

NAMES = download_flowers.NAMES


@pytest.fixture
def archive(tmp_path: Path) -> Path:
    """An archive of the makers' layout, images 48 x 40, each class of another grey."""
    path = tmp_path / "17flowers.tgz"
    with tarfile.open(path, "w:gz") as tar:
        for index, name in enumerate(NAMES):
            data = io.BytesIO()
            Image.new("RGB", (48, 40), (10 * (index // 80),) * 3).save(data, "JPEG")
            member = tarfile.TarInfo(f"jpg/{name}")
            member.size = data.tell()
            data.seek(0)
            tar.addfile(member, data)
    return path


@pytest.fixture
def here(workspace: Path) -> Path:
    arch = {"small": {"depth": 8, "classes": 17}}
    change_params(workspace, dataset="flowers17", image_size=32, variants=["small"], arch=arch)
    return workspace


def test_an_archive_of_the_layout_is_taken_and_its_hash_recorded(here, archive):
    result = run("transfer.download_flowers", FLOWERS17_SOURCE=str(archive))
    assert result.returncode == 0, result.stderr
    images, labels = flowers17.read(here / "data/flowers17")
    assert images.shape == (1360, 32, 32, 3)
    assert np.abs(images.mean((1, 2, 3)) - 10 * labels).max() < 2
    provenance = json.loads((here / "data/flowers17/provenance.json").read_text())
    assert "they publish no checksum" in provenance["identity"]
    assert len(provenance["content_sha256"]) == 64

    with tarfile.open(archive) as tar:
        tar.extraction_filter = getattr(tarfile, "data_filter", None)  # from Python 3.11.4 on
        tar.extractall(here / "unpacked")
    assert run("transfer.download_flowers", FLOWERS17_SOURCE=str(here / "unpacked/jpg")).returncode == 0
    assert json.loads((here / "data/flowers17/provenance.json").read_text()) == provenance


def test_a_missing_or_damaged_image_is_named_and_nothing_is_lost(here, archive):
    folder = here / "images"
    with tarfile.open(archive) as tar:
        tar.extraction_filter = getattr(tarfile, "data_filter", None)
        tar.extractall(here)
    (here / "jpg").rename(folder)
    (here / "data/flowers17").mkdir(parents=True)
    (here / "data/flowers17/mark").touch()
    (folder / NAMES[700]).write_bytes(b"\xff\xd8 no image")
    sentence = refused(run("transfer.download_flowers", FLOWERS17_SOURCE=str(folder)))
    assert "image_0701.jpg cannot be read as an image" in sentence
    (folder / NAMES[3]).unlink()
    sentence = refused(run("transfer.download_flowers", FLOWERS17_SOURCE=str(folder)))
    assert "image_0004.jpg is missing: a folder needs 1360 files, image_0001.jpg to image_1360.jpg" in sentence
    assert (here / "data/flowers17/mark").exists()


def test_another_data_set_is_refused(here, workspace):
    change_params(workspace, dataset="cifar10", arch={"small": {"depth": 8}})
    assert "dataset is cifar10; allowed here: flowers17 and synthetic_flowers17" in refused(
        run("transfer.download_flowers")
    )
    change_params(workspace, dataset="synthetic_flowers17", train_size=100, arch={"small": {"depth": 8, "classes": 17}})
    assert "dataset is synthetic_flowers17; allowed here: cifar10, synthetic, cifar100," in refused(run("download"))


def test_shrinking_keeps_the_middle(tmp_path):
    pixels = np.zeros((60, 120, 3), np.uint8)
    pixels[:, 30:90] = 255  # the middle square is white
    Image.fromarray(pixels).save(tmp_path / "wide.png")
    small = download_flowers.shrink(tmp_path / "wide.png", 30)
    assert small.shape == (30, 30, 3)
    assert small[:, 1:-1].min() > 250
    with pytest.raises(StageError, match=r"image_size is 61; allowed: up to 60, the size of wide\.png"):
        download_flowers.shrink(tmp_path / "wide.png", 61)
    with pytest.raises(StageError, match="cannot be read as an image"):
        (tmp_path / "text.jpg").write_text("no image")
        download_flowers.shrink(tmp_path / "text.jpg", 30)


def test_generated_flowers_say_what_they_are(here):
    change_params(here, dataset="synthetic_flowers17")
    assert run("transfer.download_flowers").returncode == 0
    provenance = json.loads((here / "data/flowers17/provenance.json").read_text())
    assert "not Flowers-17" in provenance["identity"]
