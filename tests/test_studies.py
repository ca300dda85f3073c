"""The other studies as a user runs them, on generated data, in a clone with a cache of its own; some minutes.

pytest -m slow tests/test_studies.py
"""

import json
import re
import shutil
from pathlib import Path

import pandas as pd
import pytest
from conftest import clone, commit, run_dvc, sh
from test_pipeline import MAKE, page, visit  # noqa: F401 (page is a fixture)

from pipeline.analysis import claims
from pipeline.settings import params

pytestmark = pytest.mark.slow

DATA = {
    "batchnorm": ("synthetic_flowers17", 170),
    "cifar100": ("synthetic_cifar100", 200),
    "epochs200": ("synthetic", 200),
    "networks": ("synthetic", 200),
    "pretraining": ("synthetic", 200),
    "resnet18": ("synthetic", 200),
    "transfer": ("synthetic_flowers17", 170),
}
REPORTED = ("batchnorm", "cifar100", "epochs200", "resnet18", "transfer")
SEEDS = {"transfer": 2}  # of the others one


def shrink(folder: Path) -> None:
    """Small parameters and generated data for all studies."""
    for study, (dataset, size) in DATA.items():
        path = folder / f"studies/{study}/params.yaml"
        text = path.read_text()
        changes = {
            "dataset": dataset,
            "train_size": size,
            "epochs": 5,
            "precision": "fp32",
            "threads": 1,
            "device": "cpu",
        }
        for key, value in changes.items():
            text = re.sub(rf"(?m)^{key}: \S+", f"{key}: {value}", text)
        seeds = "".join(f"  - {seed}\n" for seed in range(SEEDS.get(study, 1)))
        text = re.sub(r"(?m)^seeds:\n(  - \d+\n)+", f"seeds:\n{seeds}", text)
        path.write_text(text.replace("image_size: 64", "image_size: 32"))


@pytest.fixture(scope="module")
def studied(reproduced_once: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A clone in which study A has run, then both others, and their results are committed."""
    folder = clone(tmp_path_factory.mktemp("studied"), studies=True)
    for part in ("reports", "data", ".dvc/cache"):
        shutil.rmtree(folder / part, ignore_errors=True)
        shutil.copytree(reproduced_once / part, folder / part)
    shutil.copy(reproduced_once / "dvc.lock", folder)
    assert "Data and pipelines are up to date" in sh(folder, "dvc repro")
    shrink(folder)
    for study in DATA:
        shutil.rmtree(folder / f"studies/{study}/reports", ignore_errors=True)
    for study in ("networks", *REPORTED):
        run_dvc(folder, f"repro studies/{study}/dvc.yaml")
    assert "Data and pipelines are up to date" in sh(folder, f"{MAKE} study NAME=resnet18")
    commit(folder, "Results")
    return folder


def test_each_study_makes_its_results_and_then_has_nothing_to_do(studied):
    for study in REPORTED:
        output = sh(studied, f"dvc repro studies/{study}/dvc.yaml")
        assert "Data and pipelines are up to date" in output
        made = {path.name for path in (studied / f"studies/{study}/reports").iterdir()}
        common = {"claims.csv", "confusion.csv", "convergence.csv", "curves.csv", "gains.csv", "metrics.json"}
        common |= {"CHECKLIST.md", "figures", "report.html", "results.csv", "results.md", "runs"}
        assert common == made - {"family.csv", "gradients.csv", "initial", "responses.csv", "starts"}
    assert "Data and pipelines are up to date" in sh(studied, "dvc repro")
    assert sh(studied, "git status --short") == ""


def test_everything_under_reports_is_in_git_and_the_check_covers_it(studied, tmp_path):
    sh(tmp_path, f"git clone -q {studied} copy")
    assert "dvc.lock matches" in sh(tmp_path / "copy", "python -m pipeline.tools.check")
    with (tmp_path / "copy/studies/transfer/claims.yaml").open("a") as file:
        file.write("# an edit\n")
    output = sh(tmp_path / "copy", "python -m pipeline.tools.check", code=1)
    assert "studies/transfer/dvc.yaml:aggregate" in output
    sh(tmp_path / "copy", "git checkout -q . && sed -i 's/^lr: .*/lr: 0.2/' studies/resnet18/params.yaml")
    assert "studies/resnet18/dvc.yaml:train@plain18-0" in sh(
        tmp_path / "copy", "python -m pipeline.tools.check", code=1
    )


def test_the_report_is_rebuilt_from_git_alone_to_the_same_bytes(studied, tmp_path):
    sh(tmp_path, f"git clone -q {studied} copy")
    sh(tmp_path / "copy", f"{MAKE} report")
    assert sh(tmp_path / "copy", "git status --short") == ""


def test_claims_have_the_verdicts_that_they_should(studied):
    """On generated images only counts of parameters are judged, and only those of networks in the grid."""
    for study in REPORTED:
        folder = studied / f"studies/{study}"
        judged = pd.read_csv(folder / "reports/claims.csv").set_index("id")
        counts = json.loads((folder / "reports/metrics.json").read_text())["claims"]
        assert sum(sum(kind.values()) for kind in counts.values()) == len(judged)
        known, family = set(params.load(folder / "params.yaml").variants), folder / "reports/family.csv"
        sized = known | (set(pd.read_csv(family)["network"]) if family.exists() else set())
        declared = claims.load(folder / "claims.yaml").claims
        assert [one.id for one in declared] == list(judged.index)
        for one in declared:
            kind, verdict = judged.loc[one.id, ["kind", "verdict"]]
            expected = "reproduced" if kind == "count" else "not judged"
            there = set(one.variants) <= (sized if kind == "count" else known)
            assert verdict == (expected if there else "not run"), one.id
    text = (studied / "docs/studies.md").read_text()
    assert "| – not run | imagenet not in the grid |" in text


def test_a_network_starts_from_our_own_weights_and_no_other(studied):
    sources = {
        path.stem: json.loads(path.read_text()) for path in (studied / "studies/transfer/reports/starts").iterdir()
    }
    assert sources["scratch"] == {"start": "random"}
    assert sources["cifar10"]["identity"] == "our own resnet14-0, trained on synthetic"
    first = pd.read_csv(studied / "studies/transfer/reports/curves.csv").query("epoch == 1 and seed == 0")
    assert first["train_loss"].nunique() == 2


@pytest.mark.parametrize("study", REPORTED)
def test_the_report_opens_offline_and_its_numbers_are_those_of_the_files(studied, page, study):  # noqa: F811
    reports = studied / f"studies/{study}/reports"
    visit(page, reports / "report.html")
    text = page.inner_text("main")
    assert "These images were generated" in text
    for row in pd.read_csv(reports / "results.csv").itertuples():
        spread = f" ± {row.test_error_sd:.2f} (2)" if study == "transfer" else " (1)"
        assert f"{row.test_error:.2f}{spread}" in text
    for statement in pd.read_csv(reports / "claims.csv")["statement"]:
        assert statement in text
    assert page.evaluate("[...document.images].every(image => image.naturalWidth > 0 && image.alt)")
    for width in (1280, 390):
        page.set_viewport_size({"width": width, "height": 800})
        assert page.evaluate("document.documentElement.scrollWidth") <= width
    for link in page.locator("nav a").all():
        assert page.locator(f'[id="{link.get_attribute("href")[1:]}"]').count() == 1, link
    if study == "transfer":
        assert "Not run: imagenet" in text
        assert "138,357,544" in text


def test_an_experiment_varies_a_study_and_study_a_stays(studied):
    file = "studies/resnet18/params.yaml"
    changes = f"-S {file}:lr=0.01 -S '{file}:variants=[resnet18]'"
    own = studied / "reports/runs/resnet8-0/environment.json"
    before = own.stat().st_mtime_ns
    run_dvc(studied, f"exp run studies/resnet18/dvc.yaml {changes} -n slow")
    assert "lr: 0.01" in sh(studied, "git diff HEAD studies/resnet18/dvc.lock")
    assert own.stat().st_mtime_ns == before, "study A was not trained"
    changed = json.loads(sh(studied, "dvc metrics diff --json"))
    assert set(changed) == {"studies/resnet18/reports/metrics.json"}
    sh(studied, "git checkout -q . && dvc checkout -q")


def test_data_that_study_a_has_otherwise_is_refused_with_a_sentence(studied):
    """Study C's data is study A's: one cannot be generated and the other real."""
    sh(studied, "sed -i 's/^dataset: synthetic/dataset: cifar10/' studies/resnet18/params.yaml")
    output = sh(studied, "dvc repro -s studies/resnet18/dvc.yaml:train@resnet18-0", code=255)
    assert "dataset is cifar10; allowed: synthetic, which is what ../../data/cifar10 holds" in output
    sh(studied, "git checkout -q . && dvc checkout -q")


def test_a_clone_that_ran_study_a_alone_goes_back_as_the_docs_say(studied, reproduced_once, tmp_path):
    sh(tmp_path, f"git clone -q {studied} copy")
    shutil.copytree(reproduced_once / ".dvc/cache", tmp_path / "copy/.dvc/cache")
    sh(tmp_path / "copy", "dvc repro -q && git checkout HEAD . && dvc checkout --allow-missing")
    assert "Data and pipelines are up to date" in sh(tmp_path / "copy", "dvc repro")


def test_a_study_that_there_is_not_is_refused(studied):
    assert 'NAME is "vgg"; allowed:' in sh(studied, f"{MAKE} study NAME=vgg", code=2)
