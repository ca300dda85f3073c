"""Parameters: the committed file is study A's; a wrong one is refused with its key, its value and what is allowed."""

import re

import pytest
from conftest import ROOT

from pipeline.settings import params
from pipeline.stage import StageError

STUDY_A = {
    "lr": 0.1, "momentum": 0.9, "nesterov": False, "weight_decay": 1e-4, "label_smoothing": 0, "batch_size": 128,
    "warmup_epochs": 0, "lr_gamma": 0.1, "crop_padding": 4, "horizontal_flip": True, "val_size": 0, "train_size": 50000,
    "lr_milestones": [0.4, 0.6], "dataset": "cifar10", "precision": "auto", "device": "auto", "threads": 1,
    "processes": 1,
}  # fmt: skip


def test_the_committed_parameters_are_those_of_study_a():
    content = params.load(ROOT / "params.yaml").model_dump()
    assert {key: content[key] for key in STUDY_A} == STUDY_A
    assert content["variants"] == ["plain20", "resnet20", "plain56", "resnet56"]


@pytest.mark.parametrize(
    ("changes", "sentence"),
    [
        ({"lr": "fast"}, "lr is 'fast'; allowed: a number above 0"),
        ({"lr": 0.0}, "lr is 0.0; allowed: a number above 0"),
        ({"lr": float("nan")}, "lr is nan; allowed: a number above 0"),
        ({"leraning_rate": 1}, "there is no such key"),
        ({"epoch": 3}, "epoch is 3, but there is no such key; did you mean epochs?"),
        ({"epochs": 2.5}, "epochs is 2.5; allowed: a whole number from 1 up"),
        ({"epochs": "2"}, "epochs is '2'; allowed: a whole number from 1 up"),
        ({"epochs": True}, "epochs is True; allowed: a whole number from 1 up"),
        ({"momentum": 1.0}, "momentum is 1.0; allowed: a number from 0 to below 1"),
        ({"nesterov": 1}, "nesterov is 1; allowed: true or false"),
        ({"nesterov": True, "momentum": 0.0}, "nesterov is true; allowed: only with momentum above 0"),
        ({"dataset": "mnist"}, "dataset is 'mnist'; allowed: cifar10, cifar100, flowers17, synthetic"),
        ({"precision": "fp16"}, "precision is 'fp16'; allowed: auto, bf16 or fp32"),
        ({"device": "tpu"}, "device is 'tpu'; allowed: auto, cpu, cuda or cuda:0"),
        ({"threads": -1}, "threads is -1; allowed: a whole number from 1 up, or 0"),
        ({"seeds": [0, 1, 0]}, "seeds names 0 twice"),
        ({"seeds": []}, "seeds is []; allowed: a list of at least one seed"),
        ({"seeds": [-1]}, "seeds.0 is -1; allowed: whole numbers from 0"),
        ({"variants": ["plain8", "plain8"]}, "variants names plain8 twice"),
        ({"variants": ["vgg"]}, "variants names vgg, which arch lacks; allowed: plain8, resnet8"),
        ({"lr_milestones": [0.6, 0.4]}, "allowed: increasing fractions"),
        ({"lr_milestones": [80, 120]}, "lr_milestones.0 is 80; allowed: fractions of the epochs between 0 and 1"),
        ({"train_size": 2001}, "train_size 2001 and val_size 0 do not fit the 2000 training images of synthetic"),
        ({"train_size": 1900, "val_size": 101}, "train_size 1900 and val_size 101 do not fit"),
        ({"warmup_epochs": 3}, "warmup_epochs is 3; allowed: below epochs, 3"),
        ({"arch": {"plain8": {"depth": 21}}}, "arch.plain8.depth is 21; allowed: a whole number 6n+2 (8, 14, 20"),
        ({"arch": {"plain8": {"depth": 2}}}, "arch.plain8.depth is 2; allowed"),
        ({"arch": {"plain8": {"depth": 8, "shortcut": "skip"}}}, "arch.plain8.shortcut is 'skip'; allowed: none"),
        (
            {"arch": {"plain8": {"layers": 8}}},
            "arch.plain8.layers is 8, but there is no such key; allowed: depth, blocks",
        ),
        ({"arch": {"plain8": {}}}, "arch.plain8 has neither of depth and blocks; allowed: one of them"),
        ({"arch": {"plain8": {"depth": 8, "blocks": [1]}}}, "arch.plain8 has both of depth and blocks"),
        ({"arch": {"plain8": {"depth": 8, "block": "bottleneck"}}}, "arch.plain8.depth is 8; allowed:"),
        ({"arch": {"plain8": {"blocks": [1, 0]}}}, "arch.plain8.blocks.1 is 0; allowed: a list of blocks a stage"),
        ({"arch": {"plain8": {"blocks": [1, 1]}}}, "arch.plain8.widths is [16, 32, 64]; allowed: 2, one a stage"),
        ({"arch": {"plain8": {"depth": 8, "groups": 2}}}, "arch.plain8.groups is 2 with basic blocks; allowed: 1"),
        (
            {"arch": {"plain8": {"blocks": [1, 1], "widths": [32, 16], "shortcut": "identity"}}},
            "arch.plain8.shortcut is identity and widths fall, [32, 16]; allowed: widths that do not",
        ),
        (
            {
                "arch": {
                    "plain8": {"depth": 11, "block": "bottleneck", "groups": 2, "group_width": 1, "widths": [4, 6, 8]}
                }
            },
            "arch.plain8.groups is 2; allowed: divisors",
        ),
        (
            {"variants": ["a"], "arch": {"a": {"depth": 8, "classes": 17}}},
            "arch.a.classes is 17; allowed: 10, the classes",
        ),
        ({"dataset": "cifar100"}, "arch.plain8.classes is 10; allowed: 100, the classes of cifar100"),
        ({"image_size": 64}, "image_size is 64; allowed: 32, the size of synthetic"),
        ({"image_size": 8}, "image_size is 8; allowed: a whole number of pixels from 32 to 500"),
        (
            {"dataset": "flowers17", "variants": ["a"], "arch": {"a": {"depth": 8, "classes": 17}}, "train_size": 1089},
            "train_size 1089 and val_size 0 do not fit the 1088 training images of flowers17",
        ),
        (
            {"variants": ["a"], "arch": {"a": {"depth": 8, "start": "cifar10"}}},
            "arch.a.start is cifar10; allowed with synthetic: random",
        ),
        (
            {"arch": {"plain8": {"depth": 8, "frozen": True}}},
            "arch.plain8.frozen is true with start: random; allowed: false, or weights to start from",
        ),
        (
            {"arch": {"plain8": {"depth": 8, "start": "here"}}},
            "arch.plain8.start is 'here'; allowed: random, cifar10 or",
        ),
        (
            {"arch": {"plain8": {"depth": 41, "block": "dense"}}},
            "arch.plain8.depth is 41; allowed: a whole number 6n+2",
        ),
        (
            {"arch": {"plain8": {"depth": 40, "block": "dense", "shortcut": "projection"}}},
            "arch.plain8.shortcut is given with block: dense; allowed only with basic and bottleneck",
        ),
        (
            {"arch": {"plain8": {"depth": 8, "growth": 12}}},
            "arch.plain8.growth is given with block: basic; allowed only with dense and dense_bottleneck",
        ),
        (
            {"arch": {"plain8": {"depth": 8, "group_width": 4}}},
            "arch.plain8.group_width is given without groups; allowed only with groups from 2 up",
        ),
        (
            {"arch": {"plain8": {"depth": 8, "order": "pre", "stem": "imagenet"}}},
            "arch.plain8.order is pre with stem: imagenet; allowed: post, or stem: cifar",
        ),
        ({"arch": {"plain8": {"depth": 8, "order": "mid"}}}, "arch.plain8.order is 'mid'; allowed: post"),
        (
            {"arch": {"plain8": {"depth": 7, "block": "dense", "compression": 0.0}}},
            "arch.plain8.compression is 0.0; allowed: a number above 0, at most 1",
        ),
        (
            {"arch": {"plain8": {"depth": 7, "block": "dense", "compression": 0.03}}},
            "arch.plain8.compression is 0.03; allowed: a share that leaves at least one channel",
        ),
        (
            {"arch": {"plain8": {"blocks": [1] * 7, "block": "dense"}}},
            "arch.plain8 has 7 stages; allowed: fewer, since each after the first halves the images, 32 pixels a side",
        ),
        ({"arch": {"plain8": 8}}, "arch.plain8 is 8; allowed: an entry {depth, shortcut, ...}"),
    ],
)
def test_a_wrong_value_is_refused_with_key_value_and_what_is_legal(settings, changes, sentence):
    with pytest.raises(StageError, match=re.escape(sentence)):
        settings(**changes)


def test_a_missing_key_is_named(tmp_path):
    text = (ROOT / "params.yaml").read_text()
    path = tmp_path / "params.yaml"
    path.write_text(text.replace("lr_gamma: 0.1", ""))
    with pytest.raises(StageError, match="lr_gamma is missing; allowed: a number above 0"):
        params.load(path)


@pytest.mark.parametrize("content", ["lr: [", "- 1\n- 2\n", ""])
def test_a_file_that_is_no_mapping_is_refused(tmp_path, content):
    path = tmp_path / "params.yaml"
    path.write_text(content)
    with pytest.raises(StageError, match=r"params\.yaml"):
        params.load(path)


def test_the_number_that_dvc_writes_for_1e_5_is_a_number(tmp_path):
    path = tmp_path / "params.yaml"
    path.write_text((ROOT / "params.yaml").read_text().replace("lr: 0.1", "lr: 1e-05"))
    assert params.load(path).lr == 1e-5


def test_a_residual_network_has_projections_unless_told_otherwise(settings):
    assert settings(variants=["r"], arch={"r": {"depth": 8}}).arch["r"].shortcut == "projection"


def test_a_network_that_arch_lacks_is_refused(settings):
    with pytest.raises(StageError, match="arch has no entry resnet9; allowed: plain8, resnet8"):
        settings().network("resnet9")
