"""Tables: against numbers worked out by hand, and never without saying that a run is missing."""

import json
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from conftest import change_params, refused, run, write_run

from pipeline.analysis import intervals
from pipeline.settings.schedule import learning_rate

ERRORS = {  # test error by epoch
    "plain20-0": [60.0, 30.0, 20.0],
    "plain20-1": [70.0, 40.0, 24.0],
    "resnet20-0": [50.0, 18.0, 19.0],
    "resnet20-1": [45.0, 25.0, 17.0],
    "plain56-0": [80.0, 60.0, 40.0],
    "plain56-1": [85.0, 70.0, 44.0],
    "resnet56-0": [55.0, 20.0, 10.0],
    "resnet56-1": [52.0, 22.0, 12.0],
}


@pytest.fixture
def grid(workspace: Path, committed: dict, settings, monkeypatch) -> Path:
    """A workspace with the runs of ERRORS, made up."""
    monkeypatch.setattr(intervals, "RESAMPLES", 20_000)
    declared = Path("data/claims.yaml").read_text()
    assert "\nshort_from: 10\n" in declared
    Path("data/claims.yaml").write_text(declared.replace("\nshort_from: 10\n", "\nshort_from: 3\n"))
    networks = {"variants": committed["variants"], "arch": committed["arch"]}
    change_params(workspace, dataset="cifar10", precision="auto", seeds=[0, 1], **networks)
    (workspace / "reports/initial").mkdir(parents=True)
    for variant in committed["variants"]:  # before training, over seeds of its own
        reach = pd.DataFrame(
            {"seed": range(8), "gradient_reach": [2.0 + 0.01 * seed for seed in range(8)], "images": 500}
        )
        reach.to_csv(workspace / f"reports/initial/{variant}.csv", index=False)
    given = settings(variants=committed["variants"], arch=committed["arch"])
    for name, errors in ERRORS.items():
        write_run(workspace / "reports/runs" / name, errors, [learning_rate(given, e) for e in range(3)])
    return workspace


def aggregated() -> tuple[pd.DataFrame, pd.DataFrame, dict]:
    result = run("aggregate")
    assert result.returncode == 0, result.stderr
    tables = (pd.read_csv(f"reports/{name}.csv") for name in ("results", "claims"))
    return *tables, json.loads(Path("reports/metrics.json").read_text())


def test_means_and_spreads_are_as_worked_out(grid):
    results, _, metrics = aggregated()
    row = results.set_index("variant").loc["plain20"]
    assert row["test_error"] == 22
    assert row["test_error_sd"] == pytest.approx(8**0.5, abs=1e-6)  # of 20 and 24
    assert row["test_error_se"] == pytest.approx((22 * 78 / 100) ** 0.5, abs=1e-6)
    assert row["runs"] == 2
    assert row["best_test_error"] == 22
    best = results.set_index("variant").loc["resnet20"]
    assert (best["best_test_error"], best["test_error"], best["best_epoch"]) == (17.5, 18.0, 2.5)
    assert metrics["plain20"] == {"test_error": 22.0, "train_error": 21.0}


def at_one_rate(grid: Path) -> None:
    """The runs of ERRORS at one rate, so that all of their epochs are at the first."""
    change_params(grid, lr_milestones=[])
    for name, errors in ERRORS.items():
        write_run(grid / "reports/runs" / name, errors, [0.1] * 3)


def test_epochs_to_a_fixed_error_are_means_and_empty_where_a_run_never_gets_there(grid):
    at_one_rate(grid)
    results, _, _ = aggregated()
    rows = results.set_index("variant")
    assert rows.loc["resnet20", "epochs_to_50"] == 1
    assert rows.loc["resnet20", "epochs_to_20"] == 2.5
    assert rows.loc["plain20", "epochs_to_30"] == 2.5
    assert np.isnan(rows.loc["plain20", "epochs_to_20"])


def test_claims_are_judged_by_the_means_with_the_published_ones_beside(grid):
    _, claims, metrics = aggregated()
    rows = claims.set_index("id")
    expected = {  # by hand: ours, published
        "a1_test": (20.0, 4.13),
        "a1_train": (20.0, np.nan),
        "a2": (7.0, 1.30),
        "a3_gain20": (4.0, 1.11),
        "a3_gain56": (31.0, 6.54),
        "a3_growth": (27.0, 5.43),
        "a3_factor": (31 / 4, 6.0),
        "p1_test": (20.0, 3.57),
        "p3_resnet56": (11.0, 6.97),
    }
    for name, values in expected.items():
        assert rows.loc[name, ["ours", "published"]].tolist() == pytest.approx(values, nan_ok=True), name
    assert rows.loc["a1_test", "verdict"] == "direction agrees in two runs"
    assert rows.loc["p3_resnet110", "verdict"] == "not run"
    # by hand: 100 test images, of which the first `error` are wrong; 0.9 points a network, or the seeds' own spread
    signs = {"plain56": 1, "resnet56": -1, "plain20": -1, "resnet20": 1}
    parts = [
        sign * (np.arange(100) < ERRORS[f"{name}-{seed}"][-1]) / 2 for name, sign in signs.items() for seed in (0, 1)
    ]
    sums = [sum(sign * ERRORS[f"{name}-{seed}"][-1] for name, sign in signs.items()) for seed in (0, 1)]
    half = 1.96 * np.sqrt(np.var(sum(parts)) * 100**2 / 100 + max(4 * 0.9**2, np.var(sums, ddof=1)) / 2)
    assert rows.loc["a3_growth", ["low", "high"]].tolist() == pytest.approx([27 - half, 27 + half], abs=0.5)
    assert rows.loc["p5_level_initial", ["n", "verdict"]].tolist() == [8, "not reproduced"]
    assert rows.loc["p5_vanish_initial", "verdict"] == "reproduced"
    assert metrics["residual_gain"] == {"resnet20": 4.0, "resnet56": 31.0}
    counts = [count for kind in metrics["claims"].values() for count in kind.values()]
    assert sum(counts) == len(claims) == len(metrics["verdicts"])
    assert metrics["claims"]["count"] == {"reproduced": 2, "not_reproduced": 4}  # the made-up networks are of one size
    assert metrics["verdicts"]["a1_test"] == "direction agrees in two runs"


def test_a_claim_that_flips_is_seen_in_the_metrics(grid, settings, committed):
    before = aggregated()[2]
    given = settings(variants=committed["variants"], arch=committed["arch"])
    for seed in (0, 1):
        rates = [learning_rate(given, epoch) for epoch in range(3)]
        write_run(grid / f"reports/runs/plain56-{seed}", [50.0, 30.0, 3.0 + seed], rates)
        write_run(grid / f"reports/runs/plain20-{seed}", [60.0, 30.0, 20.0 + seed], rates)
    after = aggregated()[2]
    assert after["verdicts"]["a1_test"] == "direction disagrees in two runs"
    assert before["claims"] != after["claims"]


def test_gains_and_convergence_have_a_row_a_pair(grid):
    at_one_rate(grid)
    aggregated()
    gains = pd.read_csv("reports/gains.csv")
    assert gains[["plain", "residual"]].to_numpy().tolist() == [["plain20", "resnet20"], ["plain56", "resnet56"]]
    assert gains["paper"].tolist() == pytest.approx([0.94, 6.29])
    assert gains["study_a"].tolist() == pytest.approx([1.11, 6.54])
    rows = pd.read_csv("reports/convergence.csv").set_index(["residual", "error"])
    assert rows.loc[("resnet20", 30), ["epochs_plain", "epochs_residual"]].tolist() == [2.5, 2]
    assert rows.loc[("resnet56", 20), ["ratio", "censored"]].tolist() == [pytest.approx(3 / 2.5), True]
    assert np.isnan(rows.loc[("resnet56", 10), "ratio"])  # only one of its runs gets there


def test_held_out_images_are_a_column_of_their_own_to_tune_on(grid):
    for path in grid.glob("reports/runs/*/history.csv"):
        pd.read_csv(path).assign(val_loss=1.0, val_error=33.0).to_csv(path, index=False)
    results, _, metrics = aggregated()
    assert (results["val_error"] == 33).all()
    assert metrics["resnet56"]["val_error"] == 33


def test_a_single_run_is_judged_with_the_declared_spread_and_what_is_left_out_is_not_run(grid):
    change_params(grid, variants=["plain20", "resnet20"], seeds=[1])
    results, claims, metrics = aggregated()
    assert results["test_error_sd"].isna().all()
    rows = claims.set_index("id")
    assert rows.loc["a3_gain20", "test"] == "bootstrap over images, declared spread over seeds"
    gain = pd.read_csv("reports/gains.csv").iloc[0]  # the figure has the same interval, that of short runs
    assert gain[["low", "high"]].tolist() == rows.loc["a3_gain20", ["low", "high"]].tolist()
    images = intervals.same_images((np.arange(100) < 24) * 1 - (np.arange(100) < 17))
    assert gain["high"] == pytest.approx(intervals.widened(images, 0.9 * np.sqrt(2)).high, abs=0.01)
    assert (rows.loc["a1_test", "verdict"], rows.loc["a1_test", "reason"]) == ("not run", "plain56 not in the grid")
    assert metrics["residual_gain"] == {"resnet20": 7.0}


def test_one_variant_alone_gains_nothing(grid):
    change_params(grid, variants=["resnet20"])
    _, _, metrics = aggregated()
    assert set(metrics) == {"resnet20", "claims", "verdicts"}
    assert pd.read_csv("reports/gains.csv").empty


def test_diverged_runs_are_counted_with_their_error_and_marked(grid, settings):
    write_run(grid / "reports/runs/plain20-1", [90.0], [0.1], diverged=True)
    results, claims, _ = aggregated()
    row = results.set_index("variant").loc["plain20"]
    assert (row["diverged"], row["test_error"]) == (1, 55.0)
    text = Path("reports/results.md").read_text()
    assert "plain20 (diverged)" in text
    assert set(claims.set_index("id").loc[["a1_test", "a3_gain20"], "verdict"]) == {"not judged"}


FILES = ["history.csv", "metrics.json", "confusion.csv", "predictions.csv", "probe.json", "gradients.csv"]


@pytest.mark.parametrize("file", FILES)
def test_a_missing_run_is_named(grid, file):
    (grid / "reports/runs/resnet56-1" / file).unlink()
    sentence = refused(run("aggregate"))
    assert f"run resnet56-1 of the grid is missing (reports/runs/resnet56-1/{file}): run `dvc repro`" in sentence
    assert not Path("reports/results.csv").exists()


def test_a_run_of_another_schedule_is_refused(grid):
    change_params(grid, epochs=200)
    assert "run plain20-0 was trained for 3 epochs on another schedule" in refused(run("aggregate"))
    change_params(grid, epochs=3, lr=0.05)
    assert "than params.yaml's (3 epochs from lr 0.05)" in refused(run("aggregate"))


def test_a_damaged_file_is_named(grid):
    (grid / "reports/runs/plain56-0/metrics.json").write_text("{")
    assert "reports/runs/plain56-0/metrics.json is damaged" in refused(run("aggregate"))


def test_runs_on_different_data_are_refused(grid):
    path = grid / "reports/runs/plain56-0/metrics.json"
    path.write_text(path.read_text().replace("cifar10", "synthetic"))
    assert "evaluated on different data" in refused(run("aggregate"))


def test_what_lies_in_the_folder_beyond_the_grid_does_not_count(grid):
    before = aggregated()[0]
    write_run(grid / "reports/runs/resnet110-0", [1.0], [0.1])
    assert aggregated()[0].equals(before)


def test_a_study_has_claims_of_its_own_and_needs_no_probe_unless_they_do(grid):
    for path in grid.glob("reports/runs/*/probe.json"):
        path.unlink()
    Path("claims.yaml").write_text(
        "spread: 0.4\nshort_spread: 0.4\nprotocol: {lr: 0.1}\nclaims:\n- {id: gain, statement: s, source: t, "
        "measure: test_accuracy, of: {resnet20: 1, plain20: -1}, published: null}\n- {id: size, statement: s, "
        "source: t, measure: parameters, of: {VGG-16: 1}, published: 138.0, tolerance: 0.5}\n"
    )
    Path("family.csv").write_text("network,parameters\nVGG-16,138357544\n")
    result = run("aggregate", "--claims", "claims.yaml", "--family", "family.csv")
    assert result.returncode == 0, result.stderr
    claims = pd.read_csv("reports/claims.csv").set_index("id")
    assert claims.loc["gain", "ours"] == pytest.approx(22 - 18)
    assert claims.loc["gain", "verdict"] == "inconclusive"
    assert -4 < claims.loc["gain", "low"] < 0  # the two seeds gain 1 and 7
    assert claims.loc["size", "verdict"] == "reproduced"
    metrics = json.loads(Path("reports/metrics.json").read_text())
    assert metrics["claims"] == {"count": {"reproduced": 1}, "trained": {"inconclusive": 1}}
    assert not Path("reports/gradients.csv").exists()
    assert "| claim | measured as |" in Path("reports/results.md").read_text()
    assert "is missing: it declares what is judged" in refused(run("aggregate", "--claims", "nowhere.yaml"))
