"""The report, of runs that are out of the ordinary, and the committed ones against the files beside them.

test_pipeline.py opens one in a browser.
"""

import html
import re
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from conftest import ROOT, change_params, refused, run

from pipeline.analysis import tables


def test_a_diverged_run_goes_through_to_the_report_and_is_shown(workspace):
    (workspace / "pipeline").symlink_to(ROOT / "pipeline")
    change_params(workspace, lr=1e30, variants=["plain8"], epochs=2)
    for stage in (
        ("train", "plain8", 0),
        ("evaluate", "plain8", 0),
        ("probe", "plain8", 0),
        ("initial", "plain8"),
        ("aggregate",),
        ("report",),
    ):
        result = run(*stage)
        assert result.returncode == 0, result.stderr
    page = Path("reports/report.html").read_text()
    assert "These runs diverged and count with their last error: <strong>plain8-0</strong>" in page
    assert "plain8 (diverged)" in page
    checklist = Path("reports/CHECKLIST.md").read_text()
    assert checklist.splitlines()[0].endswith("Checklist: Plain and residual networks on CIFAR-10")
    assert "Diverged, and counted: plain8-0." in checklist


def test_a_cell_that_fails_is_named(workspace):
    (workspace / "pipeline").symlink_to(ROOT / "pipeline")
    assert "report.ipynb, cell " in refused(run("report"))
    assert not Path("reports/report.html").exists()
    assert not Path("reports/CHECKLIST.md").exists()


def rows_of(page: str, beginning: str) -> dict[str, list[str]]:
    """The cells of the table whose caption begins so, by the text of each row's heading."""
    tables = re.findall(r"<table.*?</table>", page, re.S)
    (table,) = [one for one in tables if plain(one.partition("<caption>")[2]).startswith(beginning)]
    rows = (re.findall(r"<t[hd][^>]*>(.*?)</t[hd]>", row, re.S) for row in re.findall(r"<tr.*?</tr>", table, re.S))
    return {plain(cells[0]): [plain(cell) for cell in cells[1:]] for cells in rows}


def plain(text: str) -> str:
    return html.unescape(re.sub(r"<[^>]+>", "", text)).strip()


def numbers(text: str) -> list[float]:
    text = text.replace("−", "-").replace(",", "").replace("∞", "inf")
    return [float(one) for one in re.findall(r"-?(?:inf|\d+(?:\.\d+)?(?:e[-+]?\d+)?)", text)]


def same(shown: str, *values: float) -> bool:
    """Whether what is shown are these numbers, as far as it is written; a dash, or nothing, stands for none."""
    values = [value for value in values if not np.isnan(value)]
    return np.allclose(numbers(shown.replace("–", "")), values, atol=0.00501, rtol=0.006)


@pytest.mark.parametrize("folder", [".", "studies/resnet18", "studies/transfer"])
def test_the_claims_of_a_committed_report_are_those_of_its_file(folder):
    reports = ROOT / folder / "reports"
    shown = rows_of((reports / "report.html").read_text(), "Each claim was declared")
    claims = pd.read_csv(reports / "claims.csv")
    for claim in claims.itertuples():
        measured, ours, interval, published, verdict, reason = shown[claim.statement]
        assert measured == f"{claim.measured}, {claim.unit}"
        assert same(ours, claim.ours, claim.sd, claim.n if claim.n else np.nan), claim.id
        assert same(interval, *((claim.low, claim.high) if claim.n else ())), claim.id
        assert same(published, claim.published), claim.id
        assert verdict.endswith(f" {claim.verdict}")
        assert reason == claim.reason


@pytest.mark.parametrize("folder", [".", "studies/resnet18", "studies/transfer"])
def test_the_networks_of_a_committed_report_are_those_of_its_file(folder):
    reports = ROOT / folder / "reports"
    shown = rows_of((reports / "report.html").read_text(), "Errors of the last epoch")
    for row in pd.read_csv(reports / "results.csv").itertuples():
        error, *published, train, depth, _, parameters = shown[row.variant]
        assert (int(depth), int(parameters.replace(",", ""))) == (row.depth, row.parameters)
        assert same(error, row.test_error, row.test_error_sd, row.runs)
        assert same(train, row.train_error)
        assert len(published) == (2 if folder == "." else 0)
        for text, value in zip(published, (row.paper, row.study_a), strict=False):
            assert same(text, value)


def test_the_evidence_of_the_committed_report_is_that_of_its_files():
    page = (ROOT / "reports/report.html").read_text()
    results = pd.read_csv(ROOT / "reports/results.csv").set_index("variant")
    for variant, cells in list(rows_of(page, "A deeper network that is also worse").items())[1:]:
        keys = ["train_error", "train_error_eval", "test_error", "instability"]
        assert all(same(cell, results.loc[variant, key]) for cell, key in zip(cells, keys, strict=True)), variant
    for variant, cells in list(rows_of(page, "Gradient norms of the first third").items())[1:]:
        row = results.loc[variant]
        factors = 10 ** row[["gradient_reach_initial", "gradient_reach"]].to_numpy(float)
        assert np.allclose([*map(float, cells[:2])], factors, rtol=0.06), variant
        assert same(cells[2], row["response_std"])
    for variant, cells in list(rows_of(page, "The same in numbers").items())[1:]:
        row = results.loc[variant]
        reached = [name for name in results if name.startswith("epochs_to_")]
        assert all(same(cell, row[key]) for cell, key in zip(cells, reached, strict=False)), variant
        assert same(cells[-2].replace("%, epoch", ""), row["best_test_error"], row["best_epoch"])
    convergence = pd.read_csv(ROOT / "reports/convergence.csv")
    reached = convergence[convergence["ratio"].notna()]
    if len(reached):
        assert (
            len(rows_of(page, "Epochs of the plain network divided")) - 1
            == reached[["plain", "residual"]].drop_duplicates().shape[0]
        )
    for row in pd.read_csv(ROOT / "reports/gains.csv").itertuples():
        assert f"{row.residual} {row.gain:+.2f}".replace("-", "−") in page


def test_the_readme_has_the_gradients_of_the_report():
    results = pd.read_csv(ROOT / "reports/results.csv").set_index("variant")["gradient_reach_initial"]
    readme = " ".join((ROOT / "README.md").read_text().split())
    plain, residual = (tables.factor(10 ** results[name]) for name in ("plain56", "resnet56"))
    assert f"early layers are {plain} times those of late ones in plain56, and {residual} times in resnet56" in readme


FINDINGS = {
    "README": (
        "README.md",
        "## Findings so far",
        "\n## ",
        [".", "studies/cifar100", "studies/epochs200", "studies/resnet18"],
    ),
    "study C": ("docs/studies.md", "**What is here now** are two runs", "\n<!--", ["studies/resnet18"]),
    "study B": ("docs/studies.md", "**What is here now** are ten seeds", "\n<!--", ["studies/transfer"]),
    "study epochs200": ("docs/studies.md", "## Study epochs200", "\n<!--", ["studies/epochs200"]),
    "study cifar100": ("docs/studies.md", "## Study cifar100", "\n<!--", ["studies/cifar100"]),
}


@pytest.mark.parametrize(("page", "begin", "end", "folders"), FINDINGS.values(), ids=FINDINGS)
def test_numbers_with_decimals_in_prose_are_measured_or_published(page, begin, end, folders):
    text = " ".join((ROOT / page).read_text().partition(begin)[2].partition(end)[0].split())
    sentences = [one for one in re.split(r"(?<=[a-z%)]\.) ", text) if "With earlier code" not in one]
    written = re.findall(r"−?\d+\.\d+", " ".join(sentences))
    assert written
    files = [ROOT / folder / "reports" / name for folder in folders for name in ("results.csv", "claims.csv")]
    known = np.concatenate([pd.read_csv(file).select_dtypes("number").to_numpy().ravel() for file in files])
    # accuracies of errors, and factors of logarithms
    known = np.concatenate([known, 100 - known, 10 ** known[np.abs(known) < 10]])
    for number in written:
        decimals = len(number.partition(".")[2])
        error = np.nanmin(np.abs(known - float(number.replace("−", "-"))))
        assert error <= 0.5 * 10.0**-decimals + 1e-9, number
