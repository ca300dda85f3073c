"""The whole pipeline as a user runs it, on generated data, in clones with a cache of their own; some minutes.

pytest -m slow tests/test_pipeline.py
"""

import contextlib
import json
import os
import re
import shutil
import signal
import subprocess
import time
from pathlib import Path

import pytest
from conftest import ENVIRONMENT, clone, commit, kill_what_runs_in, quiet, run, run_dvc, sh, working_in
from playwright.sync_api import Page, sync_playwright

pytestmark = pytest.mark.slow

BROWSERS = ("chromium", "chromium-browser", "google-chrome", "chrome")
FLAGS = [
    "--no-sandbox", "--disable-gpu", "--disable-quic", "--no-first-run", "--disable-background-networking",
    "--disable-component-update", "--disable-sync",
]  # fmt: skip
MAKE = "make -o .venv/ready -o .venv/ray"  # with the environment that the tests run in, instead of installing another
TIMES = {  # what of the report may differ between runs
    "reports/report.html": r'<h2 id="Hardware-and-times">.*',
    "reports/CHECKLIST.md": r"\n20\. .*",
}


def results(folder: Path) -> dict[str, bytes]:
    """All files that must come out the same: weights, histories, tables, figures, report and checklist but times."""
    files = [path for top in ("data/models", "reports") for path in sorted((folder / top).rglob("*")) if path.is_file()]
    found = {str(p.relative_to(folder)): p.read_bytes() for p in files if p.name != "environment.json"}
    for name, times in TIMES.items():
        kept, changes = re.subn(times, "", found[name].decode(), flags=re.S)
        assert changes == 1
        found[name] = kept.encode()
    return found


@pytest.fixture(scope="module")
def page() -> Page:
    """A page in headless Chromium, Debian's or whichever there is."""
    paths = [path for path in map(shutil.which, BROWSERS) if path]
    assert paths, f"the report is tested in a browser: install one of {', '.join(BROWSERS)}"
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=paths[0], args=FLAGS)
        yield browser.new_page()
        browser.close()


def visit(page: Page, path: Path) -> None:
    """Open a file; fails on any console message, script error, or request for something not in the page."""
    complaints = []
    page.on("console", lambda message: complaints.append(message.text))
    page.on("pageerror", lambda error: complaints.append(str(error)))
    own = (path.as_uri(), "data:", "blob:")
    page.on("request", lambda request: request.url.startswith(own) or complaints.append(request.url))
    page.goto(path.as_uri())
    page.wait_for_load_state("networkidle")
    page.wait_for_timeout(500)
    assert not complaints


def test_repro_makes_every_result_and_then_has_nothing_to_do(reproduced):
    aggregated = json.loads((reproduced / "reports/metrics.json").read_text())
    evaluated = json.loads((reproduced / "reports/runs/resnet8-0/metrics.json").read_text())
    assert aggregated["resnet8"]["test_error"] == round(evaluated["test_error"], 4)
    assert {path.name for path in (reproduced / "reports").iterdir()} == {
        "CHECKLIST.md", "claims.csv", "confusion.csv", "convergence.csv", "curves.csv", "figures", "gains.csv",
        "gradients.csv", "initial", "metrics.json", "report.html", "responses.csv", "results.csv", "results.md", "runs",
    }  # fmt: skip
    assert "Data and pipelines are up to date" in sh(reproduced, "dvc repro")
    assert not sh(reproduced, "git status --porcelain")
    assert "matches" in sh(reproduced, "python -m pipeline.tools.check")


def test_only_small_files_of_a_run_are_in_git(reproduced):
    tracked = sh(reproduced, "git ls-files reports data").splitlines()
    runs = {name for name in tracked if name.startswith("reports/runs/resnet8-0/")}
    assert {Path(name).name for name in runs} == {
        "confusion.csv", "environment.json", "gradients.csv", "history.csv", "metrics.json", "predictions.csv",
        "probe.json", "responses.csv",
    }  # fmt: skip
    assert not [name for name in tracked if name.endswith((".bin", ".safetensors"))]


def test_the_check_sees_every_way_in_which_the_lock_can_be_wrong(reproduced, tmp_path):
    folder = tmp_path / "clone"
    sh(tmp_path, f"git clone -q {reproduced} {folder}")
    assert "matches" in sh(folder, "python -m pipeline.tools.check")

    def check(code: int) -> str:
        with quiet(), contextlib.chdir(folder):
            result = run("tools.check")
        assert result.returncode == code, result
        return result.stdout + result.stderr

    def wrong(change: str) -> str:
        sh(folder, change)
        output = check(1)
        sh(folder, "git checkout -q . && git clean -fdq")
        return output

    assert "train@plain8-0" in wrong("sed -i 's/^lr: .*/lr: 0.2/' params.yaml")
    assert "train@resnet8-0" in wrong("echo '# edited' >> pipeline/networks/network.py")
    assert "reports/results.csv" in wrong("echo edited >> reports/results.csv")
    assert "report.html" in wrong("rm reports/report.html")
    assert "aggregate" in wrong("rm -r reports/runs/resnet8-0")
    assert "aggregate: changed deps: data/published.csv: deleted" in wrong("rm data/published.csv")
    assert "probe@plain8-0: changed deps: pipeline/probe.py: deleted" in wrong("rm pipeline/probe.py")
    assert "train@resnet8-0: changed deps: pipeline/networks: modified" in wrong("rm pipeline/networks/weights.py")
    sh(folder, "sed -i 's/^torch==[0-9.]*/torch==2.12.0/' requirements.txt")
    output = check(0)
    assert "note: results were made with torch 2.11.0, and requirements.txt has 2.12.0\n" in output
    assert "train@plain8x-0" in wrong("sed -i 's/- plain8$/- plain8x/; s/^  plain8:/  plain8x:/' params.yaml")
    assert "matches" in check(0)


def test_the_report_is_rebuilt_from_the_runs_in_git_without_data(reproduced, tmp_path):
    folder = tmp_path / "clone"
    sh(tmp_path, f"git clone -q {reproduced} {folder}")
    sh(folder, f"rm -r reports/report.html reports/figures reports/results.csv && {MAKE} report")
    assert sh(folder, "git status --porcelain reports dvc.lock") == ""
    assert not (folder / "data/cifar10").exists()


def test_the_report_stands_alone_in_a_browser(reproduced, page):
    path = reproduced / "reports/report.html"
    assert path.stat().st_size < 5e6
    visit(page, path)
    images = page.evaluate("[...document.images].map(i => [i.id, i.complete && i.naturalWidth > 100, i.alt.length])")
    names = {figure.stem for figure in (reproduced / "reports/figures").iterdir()}
    assert {name for name, drawn, alt in images if drawn and alt > 20} == names
    assert names == {
        "test_error", "gains", "by_family", "dynamics_8", "gradients", "responses", "confusion_8", "class_error",
    }  # fmt: skip
    assert page.locator("h1").count() == 1
    assert "generated" in page.locator(".note").first.inner_text()
    for link in page.locator("main a[href^='#']:not(.anchor-link)").all():
        assert page.locator(f'[id="{link.get_attribute("href")[1:]}"]').count() == 1, link
    headings = page.locator("h2").all_inner_texts()
    assert [link.inner_text() for link in page.locator("nav a").all()] == [text.strip("¶") for text in headings]
    assert page.locator("table:not(:has(caption))").count() == 0
    assert page.locator("th:not([scope])").count() == 0
    for width in (1280, 390):
        page.set_viewport_size({"width": width, "height": 800})
        assert page.evaluate("document.documentElement.scrollWidth") <= width
    assert not re.findall(r"</?[a-z]+>", page.inner_text("main"))  # no markup that is shown instead of applied


def test_the_report_can_be_read_in_the_dark_and_in_print(reproduced, page):
    page.goto((reproduced / "reports/report.html").as_uri())
    colours = "(e => [getComputedStyle(e).color, getComputedStyle(e).backgroundColor])(document.body)"
    light = page.evaluate(colours)
    page.emulate_media(color_scheme="dark")
    assert page.evaluate(colours) != light
    page.emulate_media(media="print", color_scheme="dark")
    assert page.evaluate(colours) == light
    assert page.locator("nav").is_hidden()
    page.emulate_media(media="screen", color_scheme="light")


def test_the_numbers_in_the_report_are_those_of_the_files(reproduced, page):
    page.goto((reproduced / "reports/report.html").as_uri())
    metrics = json.loads((reproduced / "reports/metrics.json").read_text())
    for variant in ("plain8", "resnet8"):
        row = page.locator("tr", has=page.locator(f'th:text-is("{variant}")')).first.inner_text()
        assert f"{metrics[variant]['test_error']:.2f} (1)" in row
        assert f"{metrics[variant]['train_error']:.2f}" in row
    gain = metrics["residual_gain"]["resnet8"]
    assert f"{gain:+.2f}".replace("-", "−") in page.locator("figure", has=page.locator("#gains")).inner_text()


def test_an_experiment_and_its_comparison(reproduced, page):
    run_dvc(reproduced, "exp run -S lr=0.05 -S epochs=1 --name slower")
    diff = sh(reproduced, "dvc metrics diff")
    assert re.search(r"reports/metrics.json +resnet8.test_error +[\d.]+ +[\d.]+ +-?[\d.]+", diff)
    assert "environment" not in diff
    assert len(diff.splitlines()) <= 10
    assert "verdicts" not in diff  # none flips on generated images
    rows = [line for line in sh(reproduced, ".ci/metrics main").splitlines() if "resnet8.test_error" in line]
    assert len(rows) == 1
    table = sh(reproduced, "dvc exp show --only-changed --csv")
    assert "resnet8.test_error" in table
    assert re.search(r"slower.*", table)
    sh(reproduced, "python -m pipeline.tools.offline_plots && dvc plots diff main")
    visit(page, reproduced / "dvc_plots/index.html")
    assert page.locator("canvas, svg.marks").count() == 4
    sh(reproduced, "git checkout -q . && dvc checkout -q")
    assert "Data and pipelines are up to date" in sh(reproduced, "dvc repro")
    assert "No metric differs." in sh(reproduced, ".ci/metrics main")


def test_going_back_to_old_parameters_does_not_train_again(reproduced):
    sh(reproduced, "sed -i 's/^epochs: .*/epochs: 1/' params.yaml && dvc repro train")
    sh(reproduced, "git checkout -q params.yaml")
    output = sh(reproduced, "dvc repro train")
    assert "is cached - skipping run" in output
    assert "Running stage" not in output
    sh(reproduced, "git checkout -q . && dvc repro")


def test_wrong_parameters_cost_nothing(reproduced):
    """DVC removes outputs before it runs a stage, and restores them when the parameters are corrected."""
    sh(reproduced, "sed -i 's/^lr: .*/lr: -1/' params.yaml")
    assert "error: params.yaml: lr is -1; allowed: a number above 0" in sh(reproduced, "dvc repro", code=255)
    sh(reproduced, "git checkout -q params.yaml")
    output = sh(reproduced, "dvc repro")
    assert "pipeline.train" not in output
    assert not sh(reproduced, "git status --porcelain")


@pytest.fixture(scope="module")
def trained(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A clone with the data of a run of 12 epochs at its first commit, and the run at its second."""
    folder = clone(tmp_path_factory.mktemp("trained"), epochs=12, train_size=400, variants=["resnet8"])
    sh(folder, "dvc repro download")
    commit(folder, "Data")
    assert re.search(r"about .* for 12 epochs\n", sh(folder, "dvc repro train@resnet8-0"))  # from the start
    commit(folder, "Run")
    return folder


@pytest.mark.parametrize("command", ["dvc repro", "dvc exp run", "dvc exp run --temp"])
def test_a_pipeline_that_is_killed_goes_on_from_the_last_epoch_to_the_same_bits(trained, tmp_path, command):
    folder = shutil.copytree(trained, tmp_path / "copy")
    sh(folder, "git reset -q --hard HEAD~1 && rm -rf data/models reports/runs .dvc/cache/runs")
    command = f"{command} train@resnet8-0"
    process = subprocess.Popen(
        command.split(), cwd=folder, env=ENVIRONMENT, start_new_session=True,
        stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL,
    )  # fmt: skip
    deadline = time.monotonic() + 120
    while not list(folder.glob(".scratch/*/checkpoint.safetensors")):
        assert process.poll() is None
        assert time.monotonic() < deadline
        time.sleep(0.05)
    os.killpg(process.pid, signal.SIGKILL)
    process.wait()
    kill_what_runs_in(folder)
    if command.startswith("dvc exp run train"):
        sh(folder, "git switch -q main")  # as docs/experiments.md says
    assert re.search(r"about .* epochs, \d+ are done", sh(folder, command))
    if "--temp" in command:
        sh(folder, "dvc exp apply $(dvc exp list --name-only)")
    for name in ("weights.safetensors", "history.csv"):
        path = Path("data/models/resnet8-0", name)
        assert (folder / path).read_bytes() == (trained / path).read_bytes()


def test_another_clone_whose_runs_train_side_by_side_gets_the_same_bits(reproduced_once, tmp_path):
    folder = clone(tmp_path)
    sh(folder, "rm -rf reports dvc.lock")
    output = sh(folder, f"{MAKE} repro JOBS=2")
    assert "2 runs, 2 at once" in output
    assert output.count("trained and recorded") == 2
    assert "Data and pipelines are up to date" in sh(folder, "dvc repro")
    alone, together = results(reproduced_once), results(folder)
    assert alone.keys() == together.keys()
    assert [name for name in alone if alone[name] != together[name]] == []


def test_ctrl_c_ends_all_runs_side_by_side(tmp_path, short):
    folder = clone(tmp_path, epochs=500, seeds=[0])
    pipe = {"stdout": subprocess.PIPE, "stderr": subprocess.STDOUT, "text": True}
    process = subprocess.Popen(
        [*MAKE.split(), "repro", "JOBS=2"], cwd=folder, env=ENVIRONMENT | {"TMPDIR": str(short)},
        start_new_session=True, **pipe,
    )  # fmt: skip
    deadline = time.monotonic() + 120
    while len(list(folder.glob(".scratch/*/checkpoint.safetensors"))) < 2:
        assert process.poll() is None
        assert time.monotonic() < deadline
        time.sleep(0.05)
    os.killpg(process.pid, signal.SIGINT)
    try:
        output, _ = process.communicate(timeout=60)
        assert not working_in(folder) and not working_in(short)
    finally:
        kill_what_runs_in(folder)
    assert process.returncode != 0
    assert "all runs keep their last checkpoints" in output


def test_a_smoke_run_leaves_the_workspace_alone_and_its_data_out_of_a_real_run(tmp_path):
    shallow = {"plain20": {"depth": 8, "shortcut": "none"}, "resnet20": {"depth": 8, "shortcut": "projection"}}
    folder = clone(tmp_path, dataset="cifar10", variants=["resnet20"], arch=shallow)
    output = sh(folder, f"{MAKE} smoke")
    path = Path(re.search(r"Its report on generated images: (\S+)", output).group(1))
    assert "generated" in path.read_text()
    assert not sh(folder, "git status --porcelain")
    assert "smoke" not in sh(folder, "dvc exp list")
    output = sh(folder, "dvc repro download", code=None, CIFAR10_SOURCE="/nowhere")
    assert "CIFAR10_SOURCE /nowhere is not there" in output
    assert not (folder / "data/cifar10").exists()
