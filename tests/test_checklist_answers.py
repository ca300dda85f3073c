"""The checklist on models, theory, data and code: what the parameters and the data's record decide."""

import pytest
from conftest import ROOT

from pipeline import checklist_answers, download
from pipeline.checklist_facts import NO, NOT_APPLICABLE, PARTLY, YES

FLOWERS = {
    "dataset": "flowers17",
    "image_size": 64,
    "train_size": 1088,
    "variants": ["scratch", "pretrained"],
    "arch": {
        "scratch": {"depth": 8, "classes": 17},
        "pretrained": {"depth": 8, "classes": 17, "start": "cifar10"},
    },
}
STARTS = {"pretrained": {"start": "cifar10", "identity": "our own net-0", "sha256": "fe9e7e"}}
OFFICIAL = download.IDENTITY["cifar10"]
CIFAR10 = {"dataset": "cifar10", "train_size": 45_000, "val_size": 5_000}


def test_networks_are_told_with_depth_shortcut_and_parameters(facts):
    description, _, complexity = checklist_answers.models(facts())
    assert "plain8 (8 layers, shortcut none), resnet8 (16 layers, shortcut projection)" in description.text
    assert "Parameters: plain8 1,000,000, resnet8 2,000,000." in complexity.text
    assert (description.answer, complexity.answer) == (YES, PARTLY)


def test_there_is_no_theory(facts):
    assert [answer.answer for answer in checklist_answers.theory(facts())] == [NOT_APPLICABLE, NOT_APPLICABLE]
    assert "[claims.csv](claims.csv)" in checklist_answers.theory(facts())[0].text


def test_official_data_has_an_address_and_its_parts_are_told(facts):
    statistics, splits, left_out, address, collected = checklist_answers.datasets(facts(OFFICIAL, **CIFAR10))
    assert statistics.text.startswith(
        "CIFAR-10: 50,000 training and 10,000 test images of 32 x 32 pixels in 10 classes"
    )
    assert "each with 1,000 of the test images" in statistics.text
    assert f"These are {OFFICIAL}. Content sha256: `5ba256`." in statistics.text
    assert "45,000 of the 50,000 training images are trained on and 5,000 held out" in splits.text
    assert "the same ones for every seed; 10,000 images are tested on" in splits.text
    assert left_out.text.startswith("No image was left out. ")
    assert "pipeline/flowers.py" not in splits.text
    assert (address.answer, collected.answer) == (YES, NOT_APPLICABLE)


def test_a_copy_is_not_what_the_address_gives(facts):
    address = checklist_answers.address(facts("a copy of some kind", **FLOWERS))
    assert address.answer == PARTLY
    assert "made with the copy of item 6" in address.text


def test_generated_data_is_told_as_such(facts):
    statistics, _, left_out, address, collected = checklist_answers.datasets(facts())
    assert statistics.text.startswith(
        "Generated images in the format of CIFAR-10: 2,000 training and 1,000 test images"
    )
    assert left_out.text.startswith("1,800 training images were left out")
    assert address.answer == YES
    assert "pipeline/synthetic.py" in address.text
    assert "makers" not in address.text
    assert collected.text == "No data was collected; the images were generated."


def test_flowers_are_parted_by_seed_shrunk_and_normalised_as_their_start_was(facts):
    statistics, splits, left_out, *_ = checklist_answers.datasets(facts("an archive", STARTS, **FLOWERS))
    assert "64 x 64 pixels in 17 classes, each with 16 of the test images" in statistics.text
    assert "Every seed draws its test images anew" in splits.text
    assert "for every seed" not in splits.text
    assert "the middle of each was shrunk to 64 pixels a side" in left_out.text
    assert "(of pretrained: those that its start was trained on)" in left_out.text
    generated = checklist_answers.preprocessing(facts(**FLOWERS | {"dataset": "synthetic_flowers17"}))
    assert "shrunk" not in generated
    assert "its start" not in generated


@pytest.mark.parametrize(("flip", "words"), [(True, "and horizontal flips"), (False, "without flips")])
def test_augmentation_follows_the_parameters(facts, flip, words):
    text = checklist_answers.preprocessing(facts(horizontal_flip=flip, crop_padding=7))
    assert f"7 pixels of black padding and random crops {words}" in text


def test_weights_are_not_shared_and_the_command_makes_them(facts):
    weights = checklist_answers.code(facts("an archive", STARTS, "studies/some", **FLOWERS))[3]
    assert weights.answer == NO
    assert "`dvc repro studies/some/dvc.yaml` makes them, in `studies/some/data/models`." in weights.text
    assert weights.text.endswith(" pretrained starts from our own net-0 (sha256 `fe9e7e`).")
    assert checklist_answers.code(facts())[3].text.endswith("in `data/models`.")


def test_what_is_said_of_the_repository_is_so():
    """No remote holds the weights, and requirements name one version of each package."""
    assert "remote" not in (ROOT / ".dvc/config").read_text()
    lines = [line for line in (ROOT / "requirements.txt").read_text().splitlines() if not line.startswith("#")]
    assert all(line.count("==") == 1 for line in lines)
