"""dvc.yaml, README and requirements against the code: nothing imported, read or named that is not declared."""

import ast
import json
import os
import re
import sys
from pathlib import Path

import pytest
from conftest import ROOT
from ruamel.yaml import YAML

from pipeline.analysis import claims
from pipeline.settings.params import Params
from pipeline.tools import check

PIPELINES = (ROOT / "dvc.yaml", *sorted(ROOT.glob("studies/*/dvc.yaml")))
STAGES = {}  # by name, those of a study as NAME/STAGE
for file in PIPELINES:
    prefix = "" if file.parent == ROOT else f"{file.parent.name}/"
    content = YAML(typ="safe", pure=True).load(file)["stages"]
    STAGES |= {f"{prefix}{name}": stage | {"folder": file.parent} for name, stage in content.items()}
PACKAGES = {
    "dvc_data": "dvc-data",
    "ruamel": "ruamel-yaml",
    "vl_convert": "vl-convert-python",
    "IPython": "ipython",
    "PIL": "pillow",
}  # by what is imported, where it differs
CODE = ("pipeline", "benchmarks", "tests", "hubconf")
ONE_VARIANT = "arch.${item.variant}"


def tree(path: Path) -> ast.Module:
    """A module's syntax tree; a notebook's is that of its code cells."""
    if path.suffix != ".ipynb":
        return ast.parse(path.read_text())
    cells = json.loads(path.read_text())["cells"]
    return ast.parse("\n".join("".join(cell["source"]) for cell in cells if cell["cell_type"] == "code"))


def imported(path: Path) -> set[str]:
    """Full names of what a file imports, members included: pipeline, pipeline.params, pipeline.params.load."""
    names = set()
    for node in ast.walk(tree(path)):
        if isinstance(node, ast.Import):
            names |= {alias.name for alias in node.names}
        elif isinstance(node, ast.ImportFrom) and node.module:
            names |= {node.module} | {f"{node.module}.{alias.name}" for alias in node.names}
    return names


def project_modules(path: Path) -> set[Path]:
    """The project's modules that a file imports, directly or not, and itself."""
    found, todo = set(), {path}
    while todo:
        current = todo.pop()
        found.add(current)
        files = {ROOT / f"{name.replace('.', '/')}.py" for name in imported(current) if name.startswith("pipeline.")}
        todo |= {file for file in files if file.exists()} - found
    return found


def module_of(name: str) -> str:
    """The module that a stage runs, by its name in the package."""
    return re.search(r"python -m pipeline\.([\w.]+)", STAGES[name]["cmd"]).group(1)


def file_of(module: str) -> Path:
    return ROOT / "pipeline" / f"{module.replace('.', '/')}.py"


def notebook_of(name: str) -> Path:
    """The notebook that a stage report runs."""
    own = STAGES[name]["folder"] / "report.ipynb"
    return own if own.exists() else ROOT / "pipeline/reporting/report.ipynb"


def code_of(name: str) -> set[Path]:
    """The files that decide what a stage does."""
    files = project_modules(file_of(module_of(name)))
    return files | project_modules(notebook_of(name)) if module_of(name) == "report" else files


def paths(name: str, key: str) -> set[Path]:
    """What a stage declares under deps, outs, ..., as paths from the top; ${...} stays."""
    entries = (next(iter(entry)) if isinstance(entry, dict) else entry for entry in STAGES[name].get(key, []))
    return {Path(os.path.normpath(STAGES[name]["folder"] / entry)).relative_to(ROOT) for entry in entries}


@pytest.mark.parametrize("name", STAGES)
def test_every_import_of_a_stage_lies_under_a_dep_and_every_dep_is_used(name):
    """Deps are stage scripts and rooms, which are folders."""
    declared = {dep for dep in paths(name, "deps") if dep.parts[0] == "pipeline" or dep.suffix == ".ipynb"}
    assert all((ROOT / dep).is_dir() or len(dep.parts) == 2 or dep.suffix == ".ipynb" for dep in declared)
    used = {path: {dep for dep in declared if dep in (path, *path.parents)} for path in relative(code_of(name))}
    assert [path for path, deps in used.items() if not deps] == []
    assert declared - set().union(*used.values()) == set()


ALLOWED = {  # which rooms a room may import besides settings and stage.py; the scripts at the door may import all
    "settings": set(),
    "data": set(),
    "acquire": {"data"},
    "networks": set(),
    "compute": {"data"},
    "training": {"data", "compute"},
    "foreign": {"data", "networks", "compute"},
    "analysis": set(),
    "reporting": {"analysis"},
    "pretrained": {"networks"},
    "cluster": {"compute"},
    "transfer": {"data", "acquire", "networks", "foreign"},
    "tools": {"data", "acquire", "networks", "compute", "training", "foreign", "analysis", "pretrained"},
}


def rooms_of(path: Path) -> set[str]:
    """The rooms that a file imports itself, "door" for a stage script."""
    names = {name.split(".")[1] for name in imported(path) if name.startswith("pipeline.")}
    return {name if (ROOT / "pipeline" / name).is_dir() else "door" for name in names - {"stage"}}


@pytest.mark.parametrize("room", ALLOWED)
def test_rooms_import_what_they_may_and_no_script_at_the_door(room):
    found = set().union(*(rooms_of(path) for path in ROOT.glob(f"pipeline/{room}/*.py")))
    assert found <= ALLOWED[room] | {room} | ({"settings"} if room != "settings" else set())
    assert ast.get_docstring(tree(ROOT / f"pipeline/{room}/__init__.py"))


def test_every_room_has_its_place_and_stage_is_lowest():
    assert {path.parent.name for path in ROOT.glob("pipeline/*/__init__.py")} == set(ALLOWED)
    assert {path.parent.name for path in ROOT.glob("pipeline/*/*.py")} == set(ALLOWED)
    assert rooms_of(ROOT / "pipeline/stage.py") == set()


def test_analysis_never_takes_torch():
    for path in ROOT.glob("pipeline/analysis/*.py"):
        files = project_modules(path)
        assert not {name.split(".")[0] for file in files for name in imported(file)} & {"torch", "torchvision"}


def relative(files: set[Path]) -> set[Path]:
    return {path.relative_to(ROOT) for path in files}


@pytest.mark.parametrize("name", [name for name in STAGES if "/" in name])
def test_a_study_runs_the_code_of_this_checkout_and_is_told_where_its_data_is(name):
    words = STAGES[name]["cmd"].split()
    assert words[:3] == ["PYTHONPATH=../..", "python", "-m"]
    for option in ("--data", "--claims", "--published", "--family", "--model", "--record"):
        if option in words:
            path = Path(os.path.normpath(STAGES[name]["folder"] / words[words.index(option) + 1])).relative_to(ROOT)
            assert path in paths(name, "outs" if module_of(name) == "download" else "deps")


@pytest.mark.parametrize("name", [name for name in STAGES if module_of(name) != "report"])
def test_every_parameter_a_stage_reads_is_tracked_and_no_other_is(name):
    read = set()
    for path in code_of(name):
        for node in ast.walk(tree(path)):
            if isinstance(node, ast.Attribute) and isinstance(node.value, ast.Name | ast.Attribute):
                owner = node.value.id if isinstance(node.value, ast.Name) else node.value.attr
                if owner in ("settings", "params") and node.attr in Params.model_fields:
                    read.add(node.attr)
                if (owner, node.attr) == ("settings", "network"):
                    read.add(ONE_VARIANT)
    if module_of(name) == "aggregate":  # verdicts hold these against what claims are about
        read |= set(
            claims.load(STAGES[name]["folder"] / ("claims.yaml" if "/" in name else "data/claims.yaml")).protocol
        )
    assert set(STAGES[name].get("params", [])) == read


def test_the_report_depends_on_every_table_of_aggregate():
    """But on the table for the README and on the metrics, which say the same."""
    for study in (name.removesuffix("aggregate") for name in STAGES if name.endswith("aggregate")):
        outs = {path.name for path in paths(f"{study}aggregate", "outs")} - {"results.md"}
        assert study == "networks/" or outs <= {path.name for path in paths(f"{study}report", "deps")}


def test_the_committed_runs_were_made_with_the_locked_versions(monkeypatch):
    monkeypatch.chdir(ROOT)
    assert check.other_versions() == {}


def test_the_reports_track_all_parameters():
    for name in STAGES:
        if module_of(name) == "report":
            assert STAGES[name]["params"] == [{"params.yaml": None}]


def test_every_parameter_is_tracked_by_a_stage_and_is_in_the_file(committed):
    tracked = {str(p).replace(ONE_VARIANT, "arch") for stage in STAGES.values() for p in stage.get("params", [])}
    assert set(Params.model_fields) <= tracked
    assert set(Params.model_fields) == set(committed)


@pytest.mark.parametrize("pipeline", PIPELINES, ids=lambda path: path.parent.name)
def test_params_yaml_has_scalars_first_and_block_lists_last(committed, pipeline):
    text = pipeline.with_name("params.yaml").read_text()
    content = YAML(typ="safe", pure=True).load(text)
    assert list(content) == list(committed)
    kinds = [isinstance(value, list | dict) for value in content.values()]
    assert kinds == sorted(kinds)
    assert not re.search(r"^[^#]*[\[{]", text, re.M), "`-S` rewrites lists in block style, and drops comments on items"


@pytest.mark.parametrize("name", STAGES)
def test_every_stage_says_what_it_does_and_no_dep_is_an_address(name):
    assert STAGES[name]["desc"]
    assert not [dep for dep in STAGES[name]["deps"] if "://" in dep]


@pytest.mark.parametrize("name", STAGES)
def test_every_stage_opens_with_its_command(name):
    docstring = ast.get_docstring(tree(file_of(module_of(name))))
    assert re.match(rf"Stage {name.rpartition('/')[2]}( of study transfer)?: ", docstring)
    assert f"python -m pipeline.{module_of(name)}" in docstring


def test_the_artifacts_are_the_networks_of_the_grid(committed):
    artifacts = YAML(typ="safe", pure=True).load(ROOT / "dvc.yaml")["artifacts"]
    assert list(artifacts) == committed["variants"]
    for name, artifact in artifacts.items():
        assert artifact["path"] == f"data/models/{name}-{committed['seeds'][0]}"
        assert (artifact["type"], artifact["labels"]) == ("model", ["cifar10", "image-classification"])


def test_data_sets_are_not_pushed_and_all_else_in_the_cache_is():
    outs = [out for stage in STAGES.values() for out in stage["outs"]]
    options = dict(next(iter(out.items())) if isinstance(out, dict) else (out, {}) for out in outs)
    assert {path for path, kept in options.items() if not kept.get("push", True)} == {
        "data/cifar10",
        "data/cifar100",
        "data/flowers17",
    }


def test_results_are_kept_in_git_and_data_is_not():
    for name, stage in STAGES.items():
        for out in [*stage.get("outs", []), *stage.get("metrics", []), *stage.get("plots", [])]:
            path, options = next(iter(out.items())) if isinstance(out, dict) else (out, {})
            assert path.startswith("data/") == options.get("cache", True), (name, path)
            assert not options.get("persist")


def test_train_keeps_its_run_cache():
    """A plain output with cache: false would switch it off, and going back to old parameters would train again."""
    for name in STAGES:
        if module_of(name) == "train":
            assert not [out for out in STAGES[name]["outs"] if isinstance(out, dict)]


def test_studies_train_and_evaluate_as_study_a_does():
    """But for where data lies, and what a variant starts from."""
    for name in ("train", "evaluate"):
        for study in ("batchnorm/", "cifar100/", "epochs200/", "networks/", "resnet18/", "pretraining/", "transfer/"):
            assert STAGES[study + name]["params"] == STAGES[name]["params"]
            assert STAGES[study + name]["outs"] == STAGES[name]["outs"]
            code = {path for path in paths(study + name, "deps") if path.parts[0] == "pipeline"}
            assert code == {path for path in paths(name, "deps") if path.parts[0] == "pipeline"}


def test_no_module_is_left_over():
    """Each is used by a stage, by torch.hub, or by a command that make runs or a page names."""
    used = set().union(*(code_of(name) for name in STAGES), project_modules(ROOT / "hubconf.py"))
    pages = [ROOT / "Makefile", *ROOT.glob("docs/*.md"), *ROOT.glob(".github/workflows/*.yml")]
    for module in set(re.findall(r"pipeline\.[\w.]*\w", "".join(page.read_text() for page in pages))):
        used |= project_modules(ROOT / f"{module.replace('.', '/')}.py")
    left = set((ROOT / "pipeline").rglob("*.py")) - used
    assert {path for path in left if path.name != "__init__.py"} == set()


def test_every_module_has_its_tests_in_the_room_of_that_name():
    for path in (ROOT / "pipeline").rglob("*.py"):
        if path.name not in ("__init__.py", "check.py", "offline_plots.py"):  # these are in test_pipeline.py
            folder = path.parent.relative_to(ROOT / "pipeline")
            assert (ROOT / "tests" / folder / f"test_{path.stem}.py").exists(), path


def test_no_two_test_files_have_one_name():
    """Pytest would collect only one of them."""
    names = [path.name for path in ROOT.glob("tests/**/test_*.py")]
    assert sorted(names) == sorted(set(names))


def test_the_notebook_is_kept_without_outputs():
    for path in {notebook_of(name) for name in STAGES if module_of(name) == "report"}:
        for cell in json.loads(path.read_text())["cells"]:
            assert not cell.get("outputs")
            assert cell.get("execution_count") is None


def named(file: str) -> dict[str, str]:
    """The version of each package that an .in file or a lock pins; a dot in a name becomes a hyphen."""
    found = re.findall(r"^([\w.-]+)==([\w.]+)", (ROOT / file).read_text(), re.M)
    return {name.replace(".", "-"): version for name, version in found}


def roots(*files: Path) -> set[str]:
    """The packages of others that files import."""
    own = {*CODE, *(path.stem for path in ROOT.glob("tests/**/*.py"))}
    names = {name.split(".")[0] for path in files for name in imported(path)} - own - sys.stdlib_module_names
    return {PACKAGES.get(name, name) for name in names}


def test_requirements_name_every_package_that_is_imported():
    code = [*ROOT.glob("pipeline/**/*.py"), *ROOT.glob("studies/*/report.ipynb")]
    code.append(ROOT / "pipeline/reporting/report.ipynb")
    runs, develops, cluster = (named(f"requirements{kind}.in") for kind in ("", "-dev", "-ray"))
    room = {*ROOT.glob("pipeline/cluster/*.py")}
    alone = roots(*(path for path in code if path not in room))
    assert set(runs) - alone == {"ipykernel", "tensorboard"}
    assert alone <= set(runs)
    assert roots(*room) - set(runs) == set(cluster)
    others = roots(*ROOT.glob("tests/**/*.py"), *ROOT.glob("benchmarks/*.py"))
    assert others <= set(runs) | set(develops) | set(cluster)
    assert set(develops) - others == {"pytest-xdist", "ruff"}
    assert (runs["torch"], runs["torchvision"]) == ("2.11.0", "0.26.0")


@pytest.mark.parametrize("file", ["requirements", "requirements-dev", "requirements-ray"])
def test_the_lock_has_what_is_named_and_a_hash_of_everything(file):
    locked = named(f"{file}.txt")
    assert named(f"{file}.in").items() <= locked.items()
    entries = re.split(r"^(?=[\w.-]+==)", (ROOT / f"{file}.txt").read_text(), flags=re.M)
    assert [entry for entry in entries if entry and "--hash=sha256:" not in entry] == []
    assert "://" not in (ROOT / f"{file}.txt").read_text()


PAGES = ["README.md", "CONTRIBUTING.md", "LOG.md", "data/README.md", "benchmarks/README.md"]
PAGES += [f"docs/{path.name}" for path in sorted(ROOT.glob("docs/*.md"))]


@pytest.mark.parametrize("name", PAGES)
def test_every_path_command_and_parameter_that_is_named_exists(name, committed):
    text = (ROOT / name).read_text()
    targets = re.findall(r"^([a-z]+):", (ROOT / "Makefile").read_text(), re.M)
    assert set(re.findall(r"\bmake ([a-z]+)", text)) <= set(targets)
    for module in re.findall(r"python -m ((?:pipeline|benchmarks)\.[\w.]*\w)", text):
        assert (ROOT / f"{module.replace('.', '/')}.py").exists(), module
    for key in re.findall(r"-S '?(?:[\w/]+\.yaml:)?([a-z_]+)[.=]", text):
        assert key in committed, key
    made = (
        "data/cifar10",
        "data/models",
        "reports/runs/",
        "studies/transfer/data",
        ".scratch",
    )  # by a run, and not all of them in git
    for path in re.findall(
        r"`((?:pipeline|benchmarks|tests|reports|data|studies|\.dvc|\.github|\.ci)/[\w./-]*)`", text
    ):
        assert (ROOT / path).exists() or path.startswith(made), path
    for path in re.findall(r"\]\(([^)#:]+)\)", text):
        assert (ROOT / name).parent.joinpath(path).exists(), path
