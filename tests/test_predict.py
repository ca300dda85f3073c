"""Images to classes, with the committed weights; what is no image is refused."""

import numpy as np
import pytest
import torch
from conftest import ROOT, change_params, refused, run
from PIL import Image

from pipeline import predict
from pipeline.data import cifar
from pipeline.pretrained import classifier
from pipeline.settings.datasets import DATASETS


@pytest.fixture(autouse=True)
def _at_the_top(monkeypatch):
    monkeypatch.chdir(ROOT)


def picture(path, size=(60, 40)):
    Image.fromarray(np.random.default_rng(0).integers(0, 256, (size[1], size[0], 3), np.uint8)).save(path)
    return path


@pytest.mark.parametrize("ending", ["png", "jpg", "gif", "webp"])
def test_five_classes_of_each_image_are_shown_likeliest_first(tmp_path, ending):
    files = [picture(tmp_path / f"{name}.{ending}") for name in "ab"]
    result = run("predict", *files, "--network", "resnet20")
    assert result.returncode == 0, result.stderr
    lines = result.stdout.splitlines()
    assert lines[0].startswith("resnet20-0, trained on cifar10")
    assert [lines[1], lines[7]] == [str(file) for file in files]
    shares = [float(line.split()[-2]) for line in lines[2:7]]
    assert shares == sorted(shares, reverse=True)
    assert sum(shares) <= 100.01


def test_one_of_a_hundred_classes_is_named_by_its_name(workspace100, generated100):
    change_params(workspace100, epochs=1)
    assert run("train", "resnet8", 0).returncode == 0
    pixels = cifar.read(generated100 / "test.bin", DATASETS["synthetic_cifar100"])[0][0]
    Image.fromarray(pixels).save("a.png")
    result = run("predict", "a.png")
    assert result.returncode == 0, result.stderr
    lines = result.stdout.splitlines()
    assert lines[0] == "resnet8-0, trained on synthetic_cifar100"
    assert len(lines) == 7
    assert {line.split()[0] for line in lines[2:]} < set(DATASETS["synthetic_cifar100"].classes)


def test_they_are_those_of_the_committed_network(tmp_path):
    path = picture(tmp_path / "a.png", (32, 32))  # as it is
    pixels = torch.from_numpy(np.asarray(Image.open(path)).copy()).permute(2, 0, 1)[None] / 255
    network = classifier.committed("resnet20")
    best = network.classes[network(pixels).argmax().item()]
    assert run("predict", path, "--network", "resnet20").stdout.splitlines()[2].split()[0] == best


def test_the_middle_is_taken_upright(tmp_path):
    stripes = np.zeros((30, 90, 3), np.uint8)
    stripes[:, 30:60] = 255
    stripes[:15, 30:60, 1:] = 0  # the middle's upper half is red
    exif = Image.Exif()
    exif[0x0112] = 3  # upside down
    Image.fromarray(stripes[::-1, ::-1]).save(tmp_path / "turned.png", exif=exif)
    tensor = predict.read(tmp_path / "turned.png", 32)
    assert tensor[0].min() > 0.95
    assert tensor[1, :14].max() < 0.05
    assert tensor[1, 18:].min() > 0.95


def test_what_is_no_image_is_refused(tmp_path):
    (tmp_path / "text.png").write_text("no image")
    assert "text.png cannot be read as an image" in refused(run("predict", tmp_path / "text.png"))
    assert "nowhere.png is not there" in refused(run("predict", tmp_path / "nowhere.png"))
    picture(tmp_path / "a.png")
    assert "arch has no entry vgg16" in refused(run("predict", tmp_path / "a.png", "--network", "vgg16"))
    assert "records no run resnet20-7" in refused(
        run("predict", tmp_path / "a.png", "--network", "resnet20", "--seed", 7)
    )
