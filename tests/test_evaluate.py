"""Evaluation: the same as training's last test, and the same as NumPy's count over the predictions."""

import json
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
import torch
from conftest import ROOT, change_params, refused, run

from pipeline import evaluate
from pipeline.analysis.measures import class_errors
from pipeline.data import cifar
from pipeline.settings.datasets import DATASETS

RUN = Path("reports/runs/resnet8-0")
METRICS = "reports/runs/*/metrics.json"
COMMITTED = sorted(path.parent for path in (*ROOT.glob(METRICS), *ROOT.glob(f"studies/*/{METRICS}")))


def test_evaluation_agrees_with_training_and_with_numpy(workspace):
    assert run("train", "resnet8", 0).returncode == 0
    result = run("evaluate", "resnet8", 0)
    assert result.returncode == 0, result.stderr
    metrics = json.loads((RUN / "metrics.json").read_text())
    history = pd.read_csv(RUN / "history.csv")
    assert metrics["test_error"] == history["test_error"].iloc[-1]
    assert metrics["test_loss"] == history["test_loss"].iloc[-1]
    assert (RUN / "history.csv").read_bytes() == Path("data/models/resnet8-0/history.csv").read_bytes()

    _, actual = cifar.read(Path("data/cifar10/test_batch.bin"), DATASETS["synthetic"])
    predictions = pd.read_csv(RUN / "predictions.csv")
    predicted = predictions["predicted"].to_numpy()
    assert (predictions["actual"] == actual).all()
    assert metrics["test_error"] == pytest.approx(100 * np.mean(predicted != actual))
    for index, name in enumerate(DATASETS["synthetic"].classes):
        wrong = np.mean(predicted[actual == index] != index)
        assert metrics["class_error"][name] == pytest.approx(100 * wrong)
    counts = pd.read_csv(RUN / "confusion.csv")
    assert counts["count"].sum() == 1000
    cats_as_dogs = counts[(counts["actual"] == "cat") & (counts["predicted"] == "dog")]["count"].item()
    assert cats_as_dogs == np.sum((actual == 3) & (predicted == 5))
    assert max(map(len, (RUN / "predictions.csv").read_text().splitlines()[1:])) == 3
    assert metrics["data"]["dataset"] == "synthetic"
    assert 10 < metrics["confidence"] < 100
    assert 0 <= metrics["calibration_error"] < 100


def test_a_hundred_classes_are_counted_without_pairs_never_confused(workspace100):
    change_params(workspace100, epochs=1)
    (workspace100 / "data/cifar10").rename(workspace100 / "data/cifar100")
    for module in ("train", "evaluate"):
        result = run(module, "resnet8", 0, "--data", "data/cifar100")
        assert result.returncode == 0, result.stderr
    data = DATASETS["synthetic_cifar100"]
    _, actual = cifar.read(Path("data/cifar100/test.bin"), data)
    predictions = pd.read_csv(RUN / "predictions.csv")
    assert (predictions["actual"] == actual).all()
    assert predictions["predicted"].max() > 9
    counts = pd.read_csv(RUN / "confusion.csv")
    named = predictions.map(data.classes.__getitem__).value_counts()
    confused = counts[counts["count"] > 0].set_index(["actual", "predicted"])["count"]
    assert confused.to_dict() == named.to_dict()
    assert (counts["actual"] == counts["predicted"]).sum() == 100
    assert 100 <= len(counts) < 1100
    errors = class_errors(counts.assign(variant="resnet8", seed=0))
    metrics = json.loads((RUN / "metrics.json").read_text())
    assert metrics["class_error"] == dict(zip(data.classes, errors["error"], strict=True))
    assert list(errors["actual"]) == list(data.classes)


def test_weights_score_alike_in_the_precision_of_training_and_in_fp32(workspace):
    """The history's last row is in bf16, evaluation in fp32: a few images may change sides, no more."""
    change_params(workspace, precision="bf16", epochs=1)
    assert run("train", "resnet8", 0).returncode == 0
    assert run("evaluate", "resnet8", 0).returncode == 0
    metrics, history = json.loads((RUN / "metrics.json").read_text()), pd.read_csv(RUN / "history.csv")
    assert metrics["test_error"] == pytest.approx(history["test_error"].iloc[-1], abs=1)
    assert metrics["test_loss"] == pytest.approx(history["test_loss"].iloc[-1], abs=0.02)
    assert metrics["test_loss"] != history["test_loss"].iloc[-1]


@pytest.mark.parametrize("folder", COMMITTED, ids=lambda folder: "/".join(folder.relative_to(ROOT).parts[-5:]))
def test_the_committed_errors_are_near_the_last_row_of_their_history(folder):
    """Evaluation is in fp32, training perhaps in bf16, and perhaps on another machine."""
    metrics, history = json.loads((folder / "metrics.json").read_text()), pd.read_csv(folder / "history.csv")
    images = metrics["test_images"]
    assert metrics["test_error"] == pytest.approx(history["test_error"].iloc[-1], abs=max(0.2, 200 / images))


def test_an_infinite_test_loss_ends_no_run_and_an_infinite_training_loss_is_divergence(workspace):
    assert run("train", "resnet8", 0).returncode == 0
    path = Path("data/models/resnet8-0/history.csv")
    history = pd.read_csv(path)
    for column, verdict in (("test_loss", False), ("train_loss", True)):
        history.assign(**{column: [1.0, 1.0, np.inf]}).to_csv(path, index=False)
        assert run("evaluate", "resnet8", 0).returncode == 0
        assert json.loads((RUN / "metrics.json").read_text())["diverged"] is verdict


def test_the_calibration_error_is_that_of_a_loop_over_bins():
    rng = np.random.default_rng(0)
    confidence, correct = rng.uniform(0.1, 1, 5000), rng.random(5000) < 0.6
    slow = 0.0
    for low in np.arange(15) / 15:
        inside = (confidence > low) & (confidence <= low + 1 / 15)
        if inside.any():
            slow += inside.mean() * abs(confidence[inside].mean() - correct[inside].mean())
    found = evaluate.calibration_error(torch.from_numpy(confidence), torch.from_numpy(correct))
    assert found == pytest.approx(100 * slow)
    sure = torch.ones(10, dtype=torch.float64)
    assert evaluate.calibration_error(sure, sure > 0) == 0


def test_missing_and_damaged_weights_are_refused(workspace):
    assert "weights.safetensors is missing" in refused(run("evaluate", "resnet8", 0))
    path = Path("data/models/resnet8-0/weights.safetensors")
    path.parent.mkdir(parents=True)
    path.write_bytes(b"no weights")
    assert "weights.safetensors is damaged" in refused(run("evaluate", "resnet8", 0))
    assert not RUN.exists()
