"""What a report says about itself: what a reader must know first, and parameters in words."""

import dataclasses
import re
from pathlib import Path

import pandas as pd
import pytest
from conftest import SESSION

from pipeline import stage
from pipeline.reporting import sections
from pipeline.reporting.study import Study
from pipeline.settings.datasets import MANY_CLASSES


@pytest.fixture
def study(settings, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)

    def make(
        diverged: bool = False,
        identity: str = "generated",
        precisions: tuple[str, ...] = ("fp32",),
        tested: str = "bootstrap over images; declared spread over seeds",
        **changes: object,
    ) -> Study:
        results = pd.DataFrame({"variant": ["plain8"], "depth": [8], "shortcut": ["none"], "test_error_se": [0.3]})
        data = {"dataset": "synthetic", "identity": identity, "content_sha256": "0"}
        stage.write(Path("reports/claims.csv"), f"id,test\na,{tested}\n")
        names = [f"plain8-{seed}" for seed in range(len(precisions))]
        for name, precision in zip(names, precisions, strict=True):
            stage.write_json(stage.RUNS / name / "environment.json", {"sessions": [SESSION | {"precision": precision}]})
        runs = {name: {"diverged": diverged, "data": data, "test_images": 1000} for name in names}
        return Study(settings(**changes), results, pd.DataFrame(), pd.DataFrame(), runs, {"": ["plain8"]}, "")

    return make


def opening(s: Study, epochs: int = 3) -> str:
    return re.sub(r"<[^>]+>", "", sections.opening(s, "Heading", "Question?", epochs).data)


def test_what_a_reader_must_know_comes_first(study):
    assert "These images were generated; nothing here says anything about CIFAR-10." in opening(study())
    assert "one run of each network, and other seeds might disagree" in opening(study())
    spread = "0.30 points) and a spread over seeds that is declared with the claims"
    assert f"{spread}." in opening(study(dataset="cifar10", train_size=50_000))
    for short in (opening(study(dataset="cifar10", train_size=50_000), 200), opening(study(dataset="cifar10"))):
        assert f"{spread} for runs with fewer epochs or training images than a claim asks for." in short
    for tested in ("Wilson's interval over images", ""):  # of which alone a table has no text in that column
        assert "The intervals cover" not in opening(study(tested=tested))
    assert "for 3 of the study's 200 epochs" in opening(study(), 200)
    assert "These runs diverged and count with their last error: plain8-0." in opening(study(diverged=True))
    shown = opening(study(dataset="cifar10", seeds=[0, 1], identity="a copy of <b>"))
    assert "The data is not the official archive, but a copy of &lt;b&gt;." in shown
    assert "of the study's" not in shown
    assert "There are two runs of each network, and other seeds might disagree." in shown
    assert "of each network" not in opening(study(seeds=[0, 1, 2]))


def test_a_grid_of_mixed_precision_is_shown_as_such(study):
    assert "differ in hardware or precision" not in opening(study(precisions=("fp32", "fp32")))
    shown = opening(study(precisions=("fp32", "bf16", "fp32")))
    assert "The runs differ in hardware or precision, so they differ in more than the network" in shown
    assert "Some CPU AVX2 fp32: plain8-0, plain8-2; Some CPU AVX2 bf16: plain8-1." in shown


def test_what_all_sessions_share_is_said_once(study):
    shown = sections.hardware(study(precisions=("fp32", "fp32", "fp32"))).data
    assert "The same in all: hardware Some CPU AVX2, processes 1, threads 2, precision fp32, software" in shown
    assert shown.count("Some CPU") == shown.count("fp32") == 1
    shown = sections.hardware(study(precisions=("fp32", "bf16", "fp32"))).data
    assert (shown.count("Some CPU"), shown.count("fp32"), shown.count("bf16")) == (1, 2, 1)


def test_the_rate_in_words(study):
    assert sections.rate(study()) == "learning rate 0.1, times 0.1 after epochs 1 and 2"
    words = sections.rate(study(lr=0.05, epochs=20, warmup_epochs=2, lr_milestones=[0.5]))
    assert words == "learning rate 0.05, times 0.1 after epoch 10, rising to it over 2 epochs"


def test_what_was_run_follows_the_parameters(study):
    text = sections.what_was_run(study(label_smoothing=0.1, horizontal_flip=False, nesterov=True), "dvc repro x").data
    for words in (
        "200 training images",
        "3 epochs of SGD",
        "Nesterov momentum",
        "Label smoothing is 0.1",
        "random crops out of 4 pixels of padding. ",
    ):
        assert words in text
    assert "<code>dvc repro x</code>" in text


def counted(classes: int) -> pd.DataFrame:
    """Counts in which class i of `classes` is wrong i times of 100."""
    rows = []
    for i in range(classes):
        rows += [(f"class{i}", f"class{i}", 100 - i), (f"class{i}", f"class{(i + 1) % classes}", i)]
    counts = pd.DataFrame(rows, columns=["actual", "predicted", "count"])
    return counts[counts["count"] > 0].assign(variant="plain8", seed=0)


@pytest.mark.parametrize(
    ("classes", "confusion"), [(MANY_CLASSES - 1, "confusion"), (MANY_CLASSES, "confused"), (100, "confused")]
)
def test_many_classes_are_shown_otherwise_and_the_words_fit(study, tmp_path, classes, confusion):
    s = dataclasses.replace(study(), confusion=counted(classes), figures=str(tmp_path))
    pairs, errors = sections.confusion(s).data, sections.class_error(s).data
    assert {path.stem for path in tmp_path.glob("*.png")} == {confusion, "class_error"}
    assert ("Confusion matrices of plain8" in pairs) == (classes < MANY_CLASSES)
    assert ("The 20 pairs of classes that plain8 confuse" in pairs) == (classes >= MANY_CLASSES)
    assert f"Test error on each of the {classes} classes" in errors
    for words in (
        "in rising order, one curve a network",
        "hardest classes are",
        "and the easiest class0 (0.0 %), class1",
    ):
        assert (words in errors) == (classes >= MANY_CLASSES)
    if classes == 100:
        assert "hardest classes are class99 (99.0 %), class98 (98.0 %), class97" in errors
    for text in (pairs, errors):
        assert "{" not in re.sub(r'src="[^"]*"', "", text)


def test_classes_that_are_never_right_are_counted(study, tmp_path):
    counts = counted(100).assign(predicted="class0")
    s = dataclasses.replace(study(), confusion=counts, figures=str(tmp_path))
    assert "99 classes are never right. On the mean over the networks the easiest are class0 (" in sections.extremes(s)


@pytest.mark.parametrize(
    ("padding", "flip", "words"),
    [
        (4, True, "random crops out of 4 pixels of padding and horizontal flips"),
        (4, False, "random crops out of 4 pixels of padding"),
        (0, True, "horizontal flips"),
        (0, False, "no augmentation"),
    ],
)
def test_augmentation_in_words(settings, padding, flip, words):
    assert sections.augmentation(settings(crop_padding=padding, horizontal_flip=flip)) == words


def test_an_edited_commit_is_shown_as_such():
    commit = "a62ebcd5043e60d37a986aec38d3ac270c44b762"
    shown = [sections.short(one) for one in (commit, f"{commit}-dirty", None)]
    assert shown == ["a62ebcd", "a62ebcd-dirty", "–"]
