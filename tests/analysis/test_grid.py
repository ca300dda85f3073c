"""The grid: what is declared is read, whole or not at all."""

import json
from pathlib import Path

import numpy as np
import pytest
from conftest import write_run

from pipeline.analysis import grid
from pipeline.settings.schedule import learning_rate
from pipeline.stage import StageError


@pytest.fixture
def runs(tmp_path, settings, monkeypatch):
    """Small parameters with their two made-up runs in the current folder."""
    monkeypatch.chdir(tmp_path)
    given = settings()
    for variant, errors in (("plain8", [60.0, 30.0, 20.0]), ("resnet8", [50.0, 18.0, 19.0])):
        write_run(Path("reports/runs") / f"{variant}-0", errors, [learning_rate(given, e) for e in range(3)])
    return given


def test_values_are_of_the_last_epoch_or_of_another(runs):
    one = grid.load(runs, ["probe"])
    assert one.values("test_error", "plain8").tolist() == [20]
    assert one.values("test_accuracy", "plain8", 2).tolist() == [70]
    assert one.values("epochs_to_20", "resnet8").tolist() == [np.inf]  # the first rate lasts one epoch of three
    assert one.values("epochs_to_50", "resnet8").tolist() == [1]
    assert one.values("train_error_eval", "resnet8").tolist() == [17]
    assert one.wrong["plain8-0"].sum() == 20
    assert one.gradients.columns.tolist()[:3] == ["variant", "seed", "when"]


def test_the_last_test_is_evaluates_and_earlier_ones_are_the_historys(runs):
    path = Path("reports/runs/plain8-0/metrics.json")
    path.write_text(json.dumps(json.loads(path.read_text()) | {"test_error": 20.25, "test_loss": None}))
    one = grid.load(runs, ["probe"])
    assert one.values("test_error", "plain8").tolist() == one.values("test_error", "plain8", 3).tolist() == [20.25]
    assert one.values("test_accuracy", "plain8").tolist() == [79.75]
    assert one.values("accuracy_gap", "plain8").tolist() == [20.25 - 19]
    assert one.values("accuracy_gap", "plain8", 2).tolist() == [1]
    assert one.runs["best_test_error"].tolist() == [20, 18]


def test_what_probe_measured_is_read_only_where_it_is_asked_for(runs):
    for path in Path("reports/runs").glob("*/probe.json"):
        path.unlink()
    assert grid.load(runs).responses.empty
    with pytest.raises(StageError, match=r"run plain8-0 of the grid is missing \(reports/runs/plain8-0/probe.json\)"):
        grid.load(runs, ["probe"])


def test_what_was_measured_before_training_has_seeds_of_its_own(runs):
    with pytest.raises(StageError, match=r"plain8 before training of the grid is missing \(reports/initial/plain8.csv"):
        grid.load(runs, initial=True)
    Path("reports/initial").mkdir()
    for variant in ("plain8", "resnet8"):
        Path(f"reports/initial/{variant}.csv").write_text("seed,gradient_reach,images\n0,2.0,500\n1,2.5,500\n")
    one = grid.load(runs, initial=True)
    assert one.values("gradient_reach_initial", "plain8").tolist() == [2, 2.5]
    assert one.initial.columns.tolist()[:2] == ["variant", "seed"]


def test_a_run_that_diverged_has_what_it_had(runs):
    write_run(Path("reports/runs/plain8-0"), [90.0, 90.0], [0.1, 0.01], diverged=True)
    one = grid.load(runs)
    assert one.values("test_error", "plain8").tolist() == [90]
    with pytest.raises(StageError, match="plain8-0 was trained for 2 epochs on another schedule"):
        write_run(Path("reports/runs/plain8-0"), [90.0, 90.0], [0.1, 0.01])
        grid.load(runs)
