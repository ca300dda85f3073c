"""Tables: against numbers worked out by hand, and never without saying that a run is missing."""

import json
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from conftest import change_params, refused, run

from pipeline.schedule import learning_rate

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
def grid(workspace: Path, committed: dict, settings) -> Path:
    """A workspace with the runs of ERRORS, made up."""
    change_params(workspace, dataset="cifar10", variants=committed["variants"], arch=committed["arch"], seeds=[0, 1])
    given = settings(variants=committed["variants"], arch=committed["arch"])
    for name, errors in ERRORS.items():
        write_run(workspace / "reports/runs" / name, errors, [learning_rate(given, e) for e in range(3)])
    return workspace


def write_run(folder: Path, errors: list[float], rates: list[float], diverged: bool = False) -> None:
    folder.mkdir(parents=True, exist_ok=True)
    history = pd.DataFrame({"epoch": range(1, len(errors) + 1), "lr": np.round(rates[: len(errors)], 12)})
    history = history.assign(train_loss=1.0, train_error=np.array(errors) - 1, test_loss=1.5, test_error=errors)
    history.to_csv(folder / "history.csv", index=False)
    metrics = {"test_error": errors[-1], "test_loss": 1.5, "diverged": diverged, "parameters": 1000}
    metrics |= {"test_images": 10_000, "class_error": {}, "data": {"dataset": "cifar10"}}
    (folder / "metrics.json").write_text(json.dumps(metrics))
    pd.DataFrame({"actual": ["cat"], "predicted": ["dog"], "count": [3]}).to_csv(folder / "confusion.csv", index=False)


def aggregated() -> tuple[pd.DataFrame, pd.DataFrame, dict]:
    result = run("aggregate")
    assert result.returncode == 0, result.stderr
    tables = (pd.read_csv(f"reports/{name}.csv") for name in ("results", "effects"))
    return *tables, json.loads(Path("reports/metrics.json").read_text())


def test_means_and_spreads_are_as_worked_out(grid):
    results, _, metrics = aggregated()
    row = results.set_index("variant").loc["plain20"]
    assert row["test_error"] == 22
    assert row["test_error_sd"] == pytest.approx(8**0.5, abs=1e-6)  # of 20 and 24
    assert row["test_error_se"] == pytest.approx((22 * 78 / 10_000) ** 0.5, abs=1e-6)
    assert row["runs"] == 2
    assert row["best_test_error"] == 22
    best = results.set_index("variant").loc["resnet20"]
    assert (best["best_test_error"], best["test_error"], best["best_epoch"]) == (17.5, 18.0, 2.5)
    assert metrics["plain20"] == {"test_error": 22.0, "train_error": 21.0}


def test_epochs_to_a_fixed_error_are_means_and_empty_where_a_run_never_gets_there(grid):
    results, _, _ = aggregated()
    rows = results.set_index("variant")
    assert rows.loc["resnet20", "epochs_to_50"] == 1
    assert rows.loc["resnet20", "epochs_to_20"] == 2.5
    assert rows.loc["plain20", "epochs_to_30"] == 2.5
    assert np.isnan(rows.loc["plain20", "epochs_to_20"])


def test_effects_are_differences_of_means_with_the_published_ones_beside(grid):
    _, effects, metrics = aggregated()
    rows = effects.set_index(["effect", "of"])
    expected = {  # by hand: ours, He et al. 2016, study A
        ("depth_effect", "plain56"): (20.0, 3.57, 4.13),
        ("depth_effect", "resnet56"): (-7.0, -1.78, -1.30),
        ("residual_gain", "resnet20"): (4.0, 0.94, 1.11),
        ("residual_gain", "resnet56"): (31.0, 6.29, 6.54),
        ("gain_growth", "resnet56"): (27.0, 5.35, 5.43),
        ("amplification", "resnet56"): (31 / 4, 6.29 / 0.94, 6.54 / 1.11),
    }
    assert set(rows.index) == set(expected)
    for key, values in expected.items():
        assert rows.loc[key, ["ours", "paper", "study_a"]].tolist() == pytest.approx(values, abs=1e-5), key
    assert set(effects["verdict"]) == {"same direction (short schedule)"}
    assert rows.loc[("gain_growth", "resnet56"), "measure"] == "(plain56 − resnet56) − (plain20 − resnet20)"
    # binomial, by hand: the errors are 22 and 18 % of 10,000 images, two runs each
    expected_se = ((22 * 78 + 18 * 82) / 10_000 / 2) ** 0.5
    assert rows.loc[("residual_gain", "resnet20"), "se"] == pytest.approx(expected_se, abs=1e-6)
    assert metrics["residual_gain"] == {"resnet20": 4.0, "resnet56": 31.0}


def test_an_effect_in_the_other_direction_is_called_so(grid, settings, committed):
    given = settings(variants=committed["variants"], arch=committed["arch"])
    for seed in (0, 1):
        rates = [learning_rate(given, epoch) for epoch in range(3)]
        write_run(grid / f"reports/runs/plain56-{seed}", [50.0, 30.0, 12.0], rates)
    _, effects, metrics = aggregated()
    rows = effects.set_index(["effect", "of"])
    assert rows.loc[("depth_effect", "plain56"), "verdict"] == "opposite direction (short schedule)"
    assert rows.loc[("gain_growth", "resnet56"), "verdict"] == "opposite direction (short schedule)"
    assert metrics["amplification"]["resnet56"] == 0.25


def test_held_out_images_are_a_column_of_their_own_to_tune_on(grid):
    for path in grid.glob("reports/runs/*/history.csv"):
        pd.read_csv(path).assign(val_loss=1.0, val_error=33.0).to_csv(path, index=False)
    results, _, metrics = aggregated()
    assert (results["val_error"] == 33).all()
    assert metrics["resnet56"]["val_error"] == 33


def test_a_single_run_has_no_spread_and_part_of_the_grid_has_the_effects_it_can(grid):
    change_params(grid, variants=["plain20", "resnet20"], seeds=[1])
    results, effects, metrics = aggregated()
    assert results["test_error_sd"].isna().all()
    assert effects["effect"].tolist() == ["residual_gain"]
    assert metrics["residual_gain"] == {"resnet20": 7.0}
    assert "± " not in Path("reports/results.md").read_text()


def test_one_variant_alone_has_no_effects(grid):
    change_params(grid, variants=["resnet20"])
    _, effects, metrics = aggregated()
    assert effects.empty
    assert set(metrics) == {"resnet20"}


def test_diverged_runs_are_counted_with_their_error_and_marked(grid, settings):
    write_run(grid / "reports/runs/plain20-1", [90.0], [0.1], diverged=True)
    results, _, _ = aggregated()
    row = results.set_index("variant").loc["plain20"]
    assert (row["diverged"], row["test_error"]) == (1, 55.0)
    text = Path("reports/results.md").read_text()
    assert "plain20 (diverged)" in text
    assert "not judged: a run diverged" in text


@pytest.mark.parametrize("file", ["history.csv", "metrics.json", "confusion.csv"])
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


def test_a_study_with_claims_of_its_own_has_them_judged_in_place_of_the_effects(grid):
    Path("claims.yaml").write_text(
        "- {id: gain, statement: s, source: t, measure: test_accuracy, of: {resnet20: 1, plain20: -1}, published: null,"
        " tolerance: null}\n"
        "- {id: size, statement: s, source: t, measure: parameters, of: {VGG-16: 1}, published: 138.0,"
        " tolerance: 0.5}\n"
    )
    Path("family.csv").write_text("network,parameters\nVGG-16,138357544\n")
    result = run("aggregate", "--claims", "claims.yaml", "--family", "family.csv")
    assert result.returncode == 0, result.stderr
    claims = pd.read_csv("reports/claims.csv").set_index("id")
    assert claims.loc["gain", "ours"] == pytest.approx(22 - 18)
    assert claims.loc["gain", "verdict"] == "inconclusive"  # sd 4.24 over two seeds
    assert claims.loc["size", "verdict"] == "reproduced"
    metrics = json.loads(Path("reports/metrics.json").read_text())
    assert metrics["claims"] == {"inconclusive": 1, "reproduced": 1}
    assert not Path("reports/effects.csv").exists()
    assert "| claim | measured as |" in Path("reports/results.md").read_text()
