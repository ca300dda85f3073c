"""A reviewer's clone: the weights come out of it, give the committed numbers, and whatever was changed is named."""

import json
import shutil
import sys
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from conftest import quiet, sh

from pipeline import stage
from pipeline.compute import confusion
from pipeline.pretrained import recorded
from pipeline.settings.datasets import DATASETS
from pipeline.tools import verify

pytestmark = pytest.mark.slow

MODEL = "data/models/resnet8-0"
PREDICTIONS = "reports/runs/resnet8-0/predictions.csv"


@pytest.fixture(scope="module")
def fresh(with_weights: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A fresh clone of that, without data, and without DVC's cache."""
    folder = tmp_path_factory.mktemp("fresh") / "clone"
    sh(folder.parent, f"git clone -q {with_weights} {folder}")
    return folder


def run_verify(folder: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> tuple[bool, str]:
    """Whether all could be confirmed in `folder`, and what was said; in this process, which saves a start each."""
    store = folder / "weights/files/md5"
    monkeypatch.setattr(stage, "TOP", folder)
    monkeypatch.setattr(recorded, "REMOTE", store)
    monkeypatch.setattr(recorded, "STORES", (store, folder / ".dvc/cache/files/md5"))
    monkeypatch.setattr(sys, "argv", ["verify"])
    monkeypatch.chdir(folder)
    capsys.readouterr()
    said = ""
    with quiet():
        try:
            verify.main()
        except SystemExit as end:
            said = str(end.code)
    return not said, capsys.readouterr().out + said


def flip(path: Path) -> None:
    """Change one bit of a file."""
    content = bytearray(path.read_bytes())
    content[len(content) // 2] ^= 1
    path.chmod(0o644)
    path.write_bytes(content)


def test_a_fresh_clone_confirms_every_run(fresh):
    output = sh(fresh, "python -m pipeline.tools.verify")
    for name in ("plain8-0", "resnet8-0"):
        assert f"yes main study, {name}: " in output
        assert "0 of 1,000 predictions differ" in output
    assert "yes main study, 10 tables, verdicts among them, made anew" in output
    assert "are as committed" in output
    assert not sh(fresh, "git status --porcelain")
    assert "Running stage" not in sh(fresh, "dvc repro --pull")
    assert not list(fresh.rglob(".scratch/*.lock")), "nothing was trained"


CHANGES = {
    "a bit of a weight": (
        lambda folder: flip(folder / MODEL / "weights.safetensors"),
        [f"{MODEL}/weights.safetensors is not what dvc.lock records"],
    ),
    "a prediction": (
        lambda folder: edit_predictions(folder, 1),
        [
            f"{PREDICTIONS} is not what dvc.lock records",
            "confusion.csv does not count what predictions.csv has",
            "test_error is ",
        ],
    ),
    "predictions, with the counts made to fit": (
        lambda folder: edit_predictions(folder, 20),
        ["the weights predict 20 of 1,000 images otherwise than predictions.csv has it"],
    ),
    "a number in results.csv": (
        lambda folder: edit(folder / "reports/results.csv", ",78042,", ",78043,"),
        ["reports/results.csv is not what dvc.lock records", "reports/results.csv: parameters of row "],
    ),
    "a line of results.md": (
        lambda folder: edit(folder / "reports/results.md", "| resnet8 ", "| resnet9 "),
        ["reports/results.md is not what dvc.lock records", "reports/results.md: line "],
    ),
    "the parameter count": (
        lambda folder: edit(folder / "reports/runs/plain8-0/metrics.json", '"parameters": ', '"parameters": 1'),
        ["parameters is 1", "by the weights"],
    ),
    "the names of confusion.csv": (
        lambda folder: edit(
            folder / "reports/runs/resnet8-0/confusion.csv", "airplane,automobile", "automobile,airplane"
        ),
        ["confusion.csv is not what dvc.lock records", "confusion.csv does not count what predictions.csv has"],
    ),
    "the end of a line": (
        lambda folder: (folder / "reports/results.md").write_text((folder / "reports/results.md").read_text().rstrip()),
        ["reports/results.md: line "],
    ),
    "a file in weights/": (
        lambda folder: flip(folder / "weights/files/md5" / stored_weights(folder)),
        ["weights/ lacks weights.safetensors of data/models/resnet8-0"],
    ),
    "a figure": (lambda folder: flip(folder / "reports/figures/test_error.png"), ["reports/figures is not what"]),
    "the data": (
        lambda folder: flip(folder / "data/cifar10/test_batch.bin"),
        [
            "data/cifar10/test_batch.bin is not what dvc.lock records",
            f"?   main study, resnet8-0: not evaluated\n      {verify.OTHER_DATA}",
            "error: not confirmed: 1 difference, listed above; 2 runs could not be evaluated",
        ],
    ),
}


def stored_weights(folder: Path) -> str:
    """Where the weights of resnet8-0 lie in the remote."""
    model = recorded.of_run("resnet8-0", folder)
    listed = json.loads((folder / "weights/files/md5" / model[:2] / model[2:]).read_text())
    digest = next(entry["md5"] for entry in listed if entry["relpath"] == "weights.safetensors")
    return f"{digest[:2]}/{digest[2:]}"


def edit(path: Path, old: str, new: str) -> None:
    text = path.read_text()
    assert old in text
    path.write_text(text.replace(old, new, 1))


def edit_predictions(folder: Path, count: int) -> None:
    """Predict the next class for the first `count` images that are right."""
    table = pd.read_csv(folder / PREDICTIONS)
    rows = table.index[table["actual"] == table["predicted"]][:count]
    table.loc[rows, "predicted"] = (table.loc[rows, "predicted"] + 1) % 10
    table.to_csv(folder / PREDICTIONS, index=False)


@pytest.mark.parametrize("change", CHANGES)
def test_what_was_changed_is_named(fresh, tmp_path, monkeypatch, capsys, change):
    folder = shutil.copytree(fresh, tmp_path / "clone")
    if not (folder / MODEL).exists():
        sh(folder, "python -m pipeline.tools.verify")
    make, sentences = CHANGES[change]
    make(folder)
    confirmed, output = run_verify(folder, monkeypatch, capsys)
    assert not confirmed
    for sentence in sentences:
        assert sentence in output
    assert "error: not confirmed: " in output


def test_counts_of_a_hundred_classes_are_compared_pair_by_pair():
    classes = DATASETS["cifar100"].classes
    actual = np.repeat(np.arange(100), 10)
    table = pd.DataFrame({"actual": actual, "predicted": np.where(actual % 7 == 0, actual // 2, actual)})
    counts = confusion.confusion(table["actual"].to_numpy(), table["predicted"].to_numpy(), 100)
    committed = confusion.confusion_table(counts, classes)
    error = 100 * (table["actual"] != table["predicted"]).mean()
    metrics = {"test_error": round(error, 6), "test_images": 1000}
    metrics["class_error"] = dict(zip(classes, confusion.class_error(counts).round(6).tolist(), strict=True))
    assert list(verify.recount(table, committed, metrics, classes)) == []
    said = ["confusion.csv does not count what predictions.csv has"]
    for changed in (committed[1:], committed.assign(predicted=committed["predicted"].to_numpy()[::-1])):
        assert list(verify.recount(table, changed, metrics, classes)) == said
    metrics["class_error"]["worm"] = 1.0
    (fault,) = verify.recount(table, committed, metrics, classes)
    assert fault == "class_error of worm is 1.0 in metrics.json, and 0 by predictions.csv"


def test_damaged_weights_in_git_are_not_taken(with_weights, tmp_path, monkeypatch, capsys):
    folder = tmp_path / "clone"
    sh(tmp_path, f"git clone -q {with_weights} {folder}")
    lock = recorded.of_run("resnet8-0", folder)
    with monkeypatch.context() as patch:
        patch.setattr(recorded, "STORES", (folder / "weights/files/md5",))
        flip(recorded.stored(recorded.files(lock)["weights.safetensors"]))
    confirmed, output = run_verify(folder, monkeypatch, capsys)
    assert not confirmed
    assert f"{MODEL} is missing, and could not be pulled" in output
    assert "yes main study, plain8-0" in output


def test_without_data_nothing_is_confirmed(fresh, tmp_path, monkeypatch, capsys):
    folder = shutil.copytree(fresh, tmp_path / "clone")
    shutil.rmtree(folder / "data/cifar10", ignore_errors=True)
    monkeypatch.setattr(verify, "fetch", lambda repo, needed: None)
    confirmed, output = run_verify(folder, monkeypatch, capsys)
    assert not confirmed
    assert "data/cifar10 is missing" in output
    assert "NO  main study, plain8-0: not evaluated" in output


def test_a_name_that_is_no_study_is_refused(fresh):
    output = sh(fresh, "python -m pipeline.tools.verify studies/vgg", code=1)
    assert "error: studies/vgg is no study; allowed: ." in output
