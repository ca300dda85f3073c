"""Results against those of another commit: differences against SciPy's own, and everything that cannot be paired."""

import json
import re
from pathlib import Path

import numpy as np
import pytest
from conftest import SESSION, change_params, commit, refused, run, sh, write_run
from scipy import stats

from pipeline import stage
from pipeline.analysis import intervals
from pipeline.settings import params
from pipeline.settings.schedule import learning_rate
from pipeline.tools import compare

BEFORE = {"plain8": [20.0, 24.0, 31.0], "resnet8": [10.0, 12.0, 17.0]}
AFTER = {"plain8": [22.0, 23.0, 35.0], "resnet8": [10.0, 12.0, 17.0]}
SEEDS = [3, 1, 2]


@pytest.fixture
def study(workspace: Path, settings, monkeypatch) -> Path:
    """A repository with the runs of BEFORE on main and those of AFTER in the working tree, made up."""
    monkeypatch.setattr(stage, "TOP", workspace)
    monkeypatch.setattr(intervals, "RESAMPLES", 20_000)
    change_params(workspace, seeds=SEEDS)
    put(workspace, BEFORE, "bf16", {"one": "reproduced", "two": "inconclusive", "gone": "not run"})
    sh(workspace, "git init -q -b main && git config user.email a@b.c && git config user.name N && git add -A")
    commit(workspace, "Before")
    put(workspace, AFTER, "fp32", {"one": "reproduced", "two": "not reproduced"})
    return workspace


def put(folder: Path, errors: dict[str, list[float]], precision: str, verdicts: dict[str, str]) -> None:
    for variant, row in errors.items():
        for seed, error in zip(SEEDS, row, strict=True):
            write(folder, f"{variant}-{seed}", error, precision)
    rows = "".join(f"{name},{verdict}\n" for name, verdict in verdicts.items())
    (folder / "reports/claims.csv").write_text(f"id,verdict\n{rows}")


def write(folder: Path, name: str, error: float, precision: str = "fp32") -> None:
    rates = [learning_rate(params.load(folder / "params.yaml"), epoch) for epoch in range(3)]
    write_run(folder / "reports/runs" / name, [60.0, 50.0, error], rates)
    content = {"sessions": [SESSION | {"precision": precision}] * 2}
    (folder / "reports/runs" / name / "environment.json").write_text(json.dumps(content))


def cells(output: str, network: str) -> list[str]:
    line = next(line for line in output.splitlines() if line.startswith(f"| {network} |"))
    return [cell.strip() for cell in line.strip("|").split("|")]


def test_differences_are_paired_by_seed(study):
    output = run("tools.compare", "main").stdout
    found = stats.ttest_rel(AFTER["plain8"], BEFORE["plain8"])
    low, high = found.confidence_interval()
    predicted = 100 * np.mean([abs(a - b) for a, b in zip(AFTER["plain8"], BEFORE["plain8"], strict=True)]) / 100
    assert cells(output, "plain8") == [
        "plain8",
        "26.67 ± 7.23 (3)",
        "25.00 ± 5.57 (3)",
        "1.67",
        f"−{-low:.2f} to {high:.2f}",
        "4.00",
        f"{predicted:.2f} %",
    ]
    assert cells(output, "resnet8")[3:] == ["0.00", "same predictions", "0.00", "0.00 %"]


def test_machines_and_verdicts_are_named(study):
    output = run("tools.compare", "main").stdout
    assert "**main study**: the working tree (here) and main (there)" in output
    assert "- Parameters: the same\n" in output
    assert "- Intervals: Student's t over seeds\n" in output
    assert "Not in both" not in output
    assert output.count("Trained here on: Some CPU, AVX2, fp32, threads 2, torch 2.11.0\n") == 1
    assert output.count("Trained there on: Some CPU, AVX2, bf16, threads 2, torch 2.11.0\n") == 1
    assert "the same on 1 of 2 claims; not on\n\n- two: not reproduced here, inconclusive there" in output
    (study / "reports/claims.csv").unlink()
    assert "No claim was judged in both." in run("tools.compare", "main").stdout


def test_one_seed_has_an_interval_over_images_and_the_declared_spread(study):
    change_params(study, seeds=[3])
    (study / "data/claims.yaml").unlink()
    assert cells(run("tools.compare", "main").stdout, "plain8")[4] == "–"  # nothing is declared
    (study / "data/claims.yaml").write_text("spread: 1.5\nprotocol: {}\nclaims: []\n")
    ours = cells(run("tools.compare", "main").stdout, "plain8")
    assert ours[1:4] == ["22.00 (1)", "20.00 (1)", "2.00"]
    low, high = (float(end.replace("−", "-")) for end in ours[4].split(" to "))
    # two of 100 images changed, all in one direction: a bootstrap's 0 to 5, and 1.96 * 1.5 * 2 ** 0.5 either way
    assert low == pytest.approx(2 - np.hypot(2, 4.158), abs=0.3)
    assert high == pytest.approx(2 + np.hypot(3, 4.158), abs=0.3)


def test_runs_shorter_than_the_claims_ask_for_have_the_spread_of_such(study, settings):
    claim = "{id: a, statement: s, source: t, measure: test_error, of: {plain8: 1}, published: null, epochs: 100}"
    (study / "data/claims.yaml").write_text(f"spread: 0.4\nshort_spread: 1.5\nprotocol: {{}}\nclaims: [{claim}]\n")
    full, short = (settings(epochs=epochs, dataset="cifar10", train_size=50_000) for epochs in (100, 30))
    spreads = [compare.declared_spread(Path(), each) for each in ([full, full], [full, short], [short, full])]
    assert spreads == [0.4, 1.5, 1.5]
    (study / "data/claims.yaml").write_text(f"spread: 0.4\nprotocol: {{}}\nclaims: [{claim}]\n")
    assert np.isnan(compare.declared_spread(Path(), [full, short]))


def test_other_parameters_are_named_and_what_both_have_is_compared(study):
    change_params(
        study,
        weight_decay=5e-4,
        seeds=[2, 7],
        variants=["resnet8", "plain14"],
        arch={"resnet8": {"depth": 8, "bn_eps": 1e-3}, "plain14": {"depth": 14, "shortcut": "none"}},
    )
    for name in ("resnet8-7", "plain14-2", "plain14-7"):
        write(study, name, 30.0)
    output = run("tools.compare", "main").stdout
    assert "- Parameters: weight_decay is 0.0005 here, 0.0001 there; arch.resnet8.bn_eps is 0.001 here" in output
    assert cells(output, "resnet8")[1:3] == ["17.00 (1)", "17.00 (1)"]
    assert "- Not in both: variants plain14 only here; variants plain8 only there; seeds 7 only here; " in output
    assert "; seeds 3, 1 only there\n" in output
    assert "| plain14 |" not in output


def test_other_weights_to_start_from_are_named(study):
    (study / "reports/starts").mkdir()
    (study / "reports/starts/plain8.json").write_text("{}")
    assert "Parameters: plain8 starts from other weights\n" in run("tools.compare", "main").stdout


@pytest.mark.parametrize(
    ("changes", "said"),
    [
        (
            {"seeds": [5]},
            r"nothing to compare: plain8, resnet8 with seeds \[5\] here, plain8, resnet8 with seeds \[3, 1, 2\]",
        ),
        ({"seeds": [9]}, "the working tree: run plain8-9 of the grid is missing"),
    ],
)
def test_what_cannot_be_paired_is_refused(study, changes, said):
    for name in ("plain8-5", "resnet8-5"):
        write(study, name, 30.0)
    change_params(study, **changes)
    result = run("tools.compare", "main")
    assert re.search(said, refused(result)), result.stderr


def test_the_tree_that_lacks_a_file_is_named(study):
    path = "reports/runs/plain8-3/environment.json"
    (study / path).unlink()
    assert "error: the working tree: run plain8-3 of the grid is missing" in refused(run("tools.compare", "main"))
    commit(study, "Lose a file")
    sh(study, f"git checkout -q HEAD~1 -- {path}")
    assert f"error: main: run plain8-3 of the grid is missing ({path})" in refused(run("tools.compare", "main"))


def test_other_test_images_are_refused(study):
    for path in (study / "reports/runs").glob("*/metrics.json"):
        content = json.loads(path.read_text())
        path.write_text(json.dumps(content | {"data": {"dataset": "cifar100", "identity": "something else"}}))
    assert "on other images: cifar100 (something else, sha256 None) here, cifar10 (None, " in refused(
        run("tools.compare", "main")
    )


def test_a_wrong_commit_or_study_is_named(study):
    assert "BASE is nowhere, and git says: " in refused(run("tools.compare", "nowhere"))
    assert "studies/none is no study; allowed: ." in refused(run("tools.compare", "main", "studies/none"))
    (study / "studies/new").mkdir(parents=True)
    (study / "studies/new/params.yaml").write_text((study / "params.yaml").read_text())
    assert "main has no study in studies/new" in refused(run("tools.compare", "main", "studies/new"))
