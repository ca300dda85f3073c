"""What runs start from: our own network, torchvision's ResNet-50 (its weights filled at random), or nothing."""

import hashlib
import json
from pathlib import Path

import pytest
import torch
import torchvision
from conftest import change_params, make, refused, run

from pipeline import stage
from pipeline.acquire import synthetic
from pipeline.networks.network import Network, build
from pipeline.networks.weights import load_weights, save_weights
from pipeline.settings import params
from pipeline.settings.architecture import Arch
from pipeline.transfer import start

IMAGENET = {"blocks": [3, 4, 6, 3], "widths": [64, 128, 256, 512], "block": "bottleneck", "stem": "imagenet"}
ARCH = {
    "scratch": {"depth": 8, "classes": 17},
    "own": {"depth": 8, "classes": 17, "start": "cifar10"},
    "imagenet": IMAGENET | {"classes": 17, "start": "imagenet"},
    "frozen": IMAGENET | {"classes": 17, "start": "imagenet", "frozen": True},
}
SMALL = {"dataset": "synthetic_flowers17", "image_size": 32, "train_size": 34, "batch_size": 17, "epochs": 1}


@pytest.fixture
def here(workspace: Path) -> Path:
    change_params(workspace, **SMALL, variants=list(ARCH), arch=ARCH)
    synthetic.write_flowers(workspace / "data/flowers17", 32)
    (workspace / "data/flowers17/provenance.json").write_text('{"dataset": "synthetic_flowers17"}')
    network = build(Arch(depth=8), seed=3)
    (workspace / "metrics.json").write_text('{"data": {"dataset": "cifar10"}}')
    save_weights(network.state_dict(), workspace / "own-0" / stage.WEIGHTS, [0.4] * 3, [0.2] * 3)
    return workspace


@pytest.fixture(scope="module")
def resnet50(tmp_path_factory) -> Path:
    """A file like torchvision's, of the right names and shapes."""
    torch.manual_seed(0)
    path = tmp_path_factory.mktemp("weights") / "resnet50.pth"
    torch.save(torchvision.models.resnet50().state_dict(), path)
    return path


def begin(variant: str, **environment: str):
    return run("transfer.start", variant, "--model", "own-0", "--record", "metrics.json", **environment)


def test_our_own_weights_are_taken_but_for_the_classifier(here):
    result = begin("own")
    assert result.returncode == 0, result.stderr
    ours, own = Network(Arch(depth=8)), build(Arch(depth=8, classes=17), seed=0)
    load_weights(ours, here / "own-0" / stage.WEIGHTS)
    classifier = own.fc.weight.clone()
    assert load_weights(own, here / "data/starts/own" / stage.WEIGHTS, False) == ([0.4] * 3, [0.2] * 3)
    for name, tensor in own.state_dict().items():
        assert torch.equal(tensor, classifier if name == "fc.weight" else ours.state_dict()[name]) or name == "fc.bias"
    source = json.loads((here / "reports/starts/own.json").read_text())
    sha256 = hashlib.sha256((here / "own-0" / stage.WEIGHTS).read_bytes()).hexdigest()
    assert source == {"start": "cifar10", "identity": "our own own-0, trained on cifar10", "sha256": sha256}


def test_another_network_is_refused(here):
    change_params(here, arch=ARCH | {"own": {"depth": 14, "classes": 17, "start": "cifar10"}})
    assert "holds another network" in refused(begin("own"))
    sentence = refused(run("transfer.start", "own", "--model", "own-1", "--record", "metrics.json"))
    assert "own-1/weights.safetensors is missing" in sentence


def test_a_network_that_learned_from_generated_images_is_none_to_start_from(here):
    (here / "metrics.json").write_text('{"data": {"dataset": "synthetic"}}')
    assert begin("own").returncode == 0  # nor are these images real
    assert "trained on synthetic" in json.loads((here / "reports/starts/own.json").read_text())["identity"]
    change_params(here, dataset="flowers17")
    assert "own-0 was trained on synthetic, generated images; allowed here: cifar10" in refused(begin("own"))
    (here / "metrics.json").unlink()
    assert "metrics.json is missing or damaged: it says what own-0 was trained on" in refused(begin("own"))
    assert "--model and --record are needed" in run("transfer.start", "own").stderr


def test_real_images_take_torchvisions_own_file_alone(here, resnet50):
    change_params(here, dataset="flowers17")
    sentence = refused(begin("imagenet", RESNET50_WEIGHTS=str(resnet50)))
    assert "is not torchvision's ResNet50_Weights.IMAGENET1K_V1 (sha256 " in sentence
    assert sentence.endswith("which begins with 0676ba61")
    assert not (here / "data/starts/imagenet").exists()


def test_random_weights_leave_nothing_but_word_of_it(here):
    assert begin("scratch").returncode == 0
    assert [path.name for path in (here / "data/starts/scratch").iterdir()] == ["source.json"]
    assert json.loads((here / "reports/starts/scratch.json").read_text()) == {"start": "random"}


def test_imagenets_are_torchvisions(here, resnet50):
    result = begin("imagenet", RESNET50_WEIGHTS=str(resnet50))
    assert result.returncode == 0, result.stderr
    assert "weights that are not torchvision's" in result.stdout
    network = build(params.load().network("imagenet"), seed=0).eval()
    mean, std = load_weights(network, here / "data/starts/imagenet" / stage.WEIGHTS, classifier=False)
    transforms = start.IMAGENET.transforms()
    assert (mean, std) == (transforms.mean, transforms.std)
    theirs = torchvision.models.resnet50().eval()
    theirs.load_state_dict(torch.load(resnet50, weights_only=True))
    theirs.fc = network.fc
    images = torch.randn(2, 3, 64, 64)
    with torch.no_grad():
        torch.testing.assert_close(network(images), theirs(images), rtol=1e-3, atol=1e-4)  # another memory layout


def test_the_file_that_is_named_is_torchvisions():
    """Its name carries the first digits of its hash, which torchvision checks and we tell."""
    assert start.IMAGENET.url.endswith(f"-{start.IMAGENET_SHA256}.pth")


def test_weights_that_cannot_be_had_are_told(here, tmp_path):
    assert "/nowhere.pth is not there" in refused(begin("imagenet", RESNET50_WEIGHTS="/nowhere.pth"))
    torch.save(torchvision.models.resnet18().state_dict(), tmp_path / "resnet18.pth")
    assert "holds another network" in refused(begin("imagenet", RESNET50_WEIGHTS=str(tmp_path / "resnet18.pth")))
    assert not (here / "data/starts/imagenet").exists()


def test_the_imagenet_arm_trains_frozen_and_fine_tuned(here, resnet50):
    for variant in ("imagenet", "frozen"):
        assert begin(variant, RESNET50_WEIGHTS=str(resnet50)).returncode == 0
        result = run("train", variant, 0, "--data", "data/flowers17")
        assert result.returncode == 0, result.stderr
        before, after = (Network(params.load().network(variant)) for _ in range(2))
        load_weights(before, here / "data/starts" / variant / stage.WEIGHTS, classifier=False)
        load_weights(after, here / "data/models" / f"{variant}-0" / stage.WEIGHTS)
        changed = {
            name.split(".")[0]
            for name, tensor in after.state_dict().items()
            if not torch.equal(tensor, before.state_dict()[name])
        }
        everything = {"conv1", "bn1", "layer1", "layer2", "layer3", "layer4", "fc"}
        assert changed == ({"fc"} if variant == "frozen" else everything)
    assert run("evaluate", "frozen", 0, "--data", "data/flowers17").returncode == 0
    measured = json.loads((here / "reports/runs/frozen-0/metrics.json").read_text())
    assert (measured["test_images"], len(measured["class_error"])) == (272, 17)


def test_what_is_frozen_never_trains(settings, tmp_path):
    synthetic.write_flowers(tmp_path, 32)
    arch = {"frozen": {"depth": 8, "classes": 17, "start": "cifar10", "frozen": True}}
    trainer = make(settings(**SMALL, variants=["frozen"], arch=arch), tmp_path, "frozen")
    assert {name for name in trainer.state() if name.startswith("momentum.")} == {
        "momentum.fc.weight",
        "momentum.fc.bias",
    }
    trainer.network.train()
    assert not any(module.training for module in trainer.network.modules())
