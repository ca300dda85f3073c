"""Do the committed weights give the committed numbers? Evaluates every run of every study anew; trains nothing.

    python -m pipeline.tools.verify
    CIFAR10_SOURCE=~/data python -m pipeline.tools.verify . studies/resnet18

Fetches data and pulls weights where they are not there. Then, a line a run and a line a study:

- Every file is hashed and compared with dvc.lock: data, weights, what each stage wrote under reports/, and what of it
  lies in weights/, where others get it from.
- Evaluate runs anew, in fp32, on the weights. At most one prediction in a thousand may differ from the committed ones
  (or one, if there are fewer), as it can on other hardware.
- Errors and confusion counts are computed from the committed predictions, and must be the committed ones exactly.
- Aggregate runs anew on the committed files of the runs. Tables and verdicts must be the committed ones exactly.

Ends with 0 if all is as committed, else with 1. Runs whose data is other than recorded are marked "?" and counted
apart: they can be neither confirmed nor refuted. What initial, probe and reestimate measured is hashed but not measured
again.
"""

import argparse
import contextlib
import importlib
import io
import json
import logging
import math
import os
import shlex
import subprocess
import sys
import tempfile
from collections.abc import Iterator, Sequence
from itertools import zip_longest
from pathlib import Path
from typing import Any
from unittest.mock import patch

import numpy as np
import pandas as pd
from dvc.exceptions import DvcException
from dvc.output import Output
from dvc.repo import Repo
from dvc.stage import PipelineStage

from pipeline import stage
from pipeline.compute.confusion import class_error, confusion, confusion_table
from pipeline.pretrained import recorded
from pipeline.settings import params
from pipeline.settings.datasets import DATASETS
from pipeline.stage import RUNS, StageError

TOLERATED = 1000  # of as many test images, one may be predicted otherwise on other hardware
ROUNDED = {"rel_tol": 1e-3, "abs_tol": 1e-3}  # likewise, for means over the logits
UNREADABLE = (StageError, ValueError, TypeError, LookupError, OSError)  # what a damaged file of a run leads to
OTHER_DATA = "it cannot be evaluated on other data than it was tested on"
MEANS = ("test_loss", "confidence", "calibration_error")


def main() -> None:
    logging.getLogger("dvc").setLevel(logging.CRITICAL)  # what could not be had is said here
    wrong, unknown = 0, 0
    with Repo(stage.TOP) as repo:
        studies = chosen(repo)
        fetch(repo, [out for stages in studies.values() for one in stages for out in inputs(one)])
        for folder, stages in studies.items():
            for said, faults in verify(folder, stages):
                mark = "yes" if not faults else "?  " if faults == [OTHER_DATA] else "NO "
                print(f"{mark} {said}", flush=True)
                for fault in faults:
                    print(f"      {fault}", flush=True)
                unknown += faults.count(OTHER_DATA)
                wrong += len(faults) - faults.count(OTHER_DATA)
    runs = "1 run" if unknown == 1 else f"{unknown} runs"
    apart = f"; {runs} could not be evaluated on other data than recorded" if unknown else ""
    if wrong:
        sys.exit(f"error: not confirmed: {wrong} difference{'s' * (wrong > 1)}, listed above{apart}")
    print("Weights, predictions, errors, tables and verdicts are as committed.")


def chosen(repo: Repo) -> dict[Path, list[PipelineStage]]:
    """The stages of each study named on the command line, or of all, by folder from the top."""
    found: dict[Path, list[PipelineStage]] = {}
    for one in repo.index.stages:
        found.setdefault(Path(os.path.relpath(one.wdir, stage.TOP)), []).append(one)
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("study", nargs="*", type=Path, help=f"a folder of {', '.join(map(str, found))} (all)")
    folders = parser.parse_args().study or list(found)
    for folder in folders:
        if folder not in found:
            raise StageError(f"{folder} is no study; allowed: {', '.join(map(str, found))}")
    return {folder: found[folder] for folder in folders}


def evaluates(one: PipelineStage) -> bool:
    return one.name.startswith("evaluate@")


def inputs(one: PipelineStage) -> list[Output]:
    """The data and models that an evaluate stage reads."""
    if not evaluates(one):
        return []
    paths = {dep.fs_path for dep in one.deps}
    return [out for out in one.repo.index.outs if out.use_cache and out.fs_path in paths]


def place(out: Output) -> str:
    """Where an output lies, from the top."""
    return os.path.relpath(out.fs_path, stage.TOP)


def fetch(repo: Repo, needed: list[Output]) -> None:
    """Have what is missing of `needed`: models are pulled, data sets made by their stages' commands.

    Without DVC, which would record in dvc.lock whatever came.
    """
    missing = {place(out): out for out in needed if not out.exists}
    models = [path for path, out in missing.items() if out.can_push]
    with contextlib.suppress(DvcException):  # what is still missing is said where it is compared
        if models:
            repo.pull(models)
    for path, out in missing.items():
        if path not in models:
            environment = os.environ | {"PYTHONPATH": str(stage.TOP), "DVC_ROOT": str(stage.TOP)}
            subprocess.run([sys.executable, *words(out.stage)[1:]], cwd=out.stage.wdir, env=environment)
            if out.exists and recorded.md5(Path(out.fs_path)) == out.hash_info.value:
                with repo.lock:  # into DVC's cache, for `dvc repro` to find
                    out.save()
                    out.commit()


def words(one: PipelineStage) -> list[str]:
    """The command of a stage: python, -m, the module and its arguments."""
    return [word for word in shlex.split(one.cmd) if not word.startswith("PYTHONPATH=")]


def verify(folder: Path, stages: list[PipelineStage]) -> Iterator[tuple[str, list[str]]]:
    """What was compared in the study in `folder`, a line a run and some of the whole, each with its faults."""
    title = "main study" if folder == Path() else str(folder)
    classes = DATASETS[params.load(stage.TOP / folder / "params.yaml").dataset].classes
    data = {place(out): out for one in stages for out in inputs(one) if not out.can_push}
    other_data = False
    for path, out in data.items():
        faults = list(hashed(out))
        other_data = other_data or (bool(faults) and out.exists)
        yield f"{title}, hash of {path}", faults
    for one in filter(evaluates, stages):
        name = one.name.removeprefix("evaluate@")
        models = [out for out in inputs(one) if out.can_push]
        faults, said = [fault for out in (*models, *one.outs) for fault in hashed(out)], "not evaluated"
        if other_data:
            faults.append(OTHER_DATA)
        elif missing := [place(out) for out in (*inputs(one), *one.outs) if not out.exists]:
            faults.append(f"it cannot be evaluated without {', '.join(missing)}")
        else:
            try:
                with rerun(one) as again:
                    said, found = compare_runs(*(top / folder / RUNS / name for top in (stage.TOP, again)), classes)
                    faults += found
            except UNREADABLE as error:
                faults.append(f"it cannot be compared: {error}")
        yield f"{title}, {name}: {said}", faults
    rest = [out for one in stages if not evaluates(one) for out in one.outs if not out.use_cache]
    yield f"{title}, hashes of {len(rest)} other files and folders", [fault for out in rest for fault in hashed(out)]
    pushed = [out for one in stages for out in one.outs if out.use_cache and out.can_push and out.hash_info]
    lacking = [
        f"weights/ lacks {name} of {place(out)}" for out in pushed for name in recorded.lacking(out.hash_info.value)
    ]
    yield f"{title}, {len(pushed)} folders in weights/, whole", lacking
    for one in stages:
        if one.name == "aggregate":
            try:
                with rerun(one) as again:
                    faults = [fault for out in one.outs for fault in compare_tables(out, again / place(out))]
            except UNREADABLE as error:
                faults = [f"they cannot be made: {error}"]
            yield f"{title}, {len(one.outs)} tables, verdicts among them, made anew from the runs' files", faults


def hashed(out: Output) -> Iterator[str]:
    """What of an output, file by file, is not what dvc.lock records."""
    path, expected = Path(out.fs_path), out.hash_info.value
    if not path.exists():
        pulled = out.use_cache and out.can_push
        yield f"{place(out)} is missing{', and could not be pulled' if pulled else ''}"
    elif recorded.md5(path) != expected:
        for name, md5 in (recorded.files(expected) if path.is_dir() else {}).items():
            if not (path / name).exists() or recorded.file_md5(path / name) != md5:
                yield f"{place(out)}/{name} is not what dvc.lock records"
                return
        yield f"{place(out)} is not what dvc.lock records"


@contextlib.contextmanager
def rerun(one: PipelineStage) -> Iterator[Path]:
    """A folder, in place of the top, in which the stage has run anew, on what lies in the real one.

    Raises StageError if the stage does.
    """
    with tempfile.TemporaryDirectory() as temporary:
        work = Path(temporary) / os.path.relpath(one.wdir, stage.TOP)
        for path in {Path(one.wdir) / "params.yaml", *(Path(dep.fs_path) for dep in one.deps)}:
            copy = Path(temporary) / path.relative_to(stage.TOP)
            if not path.is_relative_to(stage.PACKAGE):
                copy.parent.mkdir(parents=True, exist_ok=True)
                copy.symlink_to(path)
        module = importlib.import_module(words(one)[2])
        with contextlib.chdir(work), patch("sys.argv", words(one)[2:]), contextlib.redirect_stdout(io.StringIO()):
            module.main()
        yield Path(temporary)


def compare_runs(committed: Path, again: Path, classes: Sequence[str]) -> tuple[str, list[str]]:
    """What a run's files in two folders say, as a sentence, and where they disagree with one another or themselves."""
    table, other = (pd.read_csv(folder / "predictions.csv") for folder in (committed, again))
    found, new = (json.loads((folder / "metrics.json").read_text()) for folder in (committed, again))
    faults = []
    differ = (table["predicted"] != other["predicted"]).sum() if len(table) == len(other) else len(other)
    if differ > max(1, len(other) // TOLERATED):
        faults.append(f"the weights predict {differ} of {len(other):,} images otherwise than predictions.csv has it")
    if not table["actual"].equals(other["actual"]):
        faults.append("predictions.csv has other actual classes than the test images")
    if (committed / "history.csv").read_bytes() != (again / "history.csv").read_bytes():
        faults.append("history.csv differs from the one that is stored with the weights")
    faults += recount(table, pd.read_csv(committed / "confusion.csv"), found, classes)
    for key in ("parameters", "data", "diverged", *MEANS):
        near = key in MEANS and None not in (found[key], new[key]) and math.isclose(found[key], new[key], **ROUNDED)
        if found[key] != new[key] and not near:
            faults.append(f"{key} is {found[key]} in metrics.json, and {new[key]} by the weights")
    said = f"{found['parameters']:,} parameters, test error {found['test_error']:.2f} %, "
    return f"{said}{differ} of {len(other):,} predictions differ", faults


def recount(
    table: pd.DataFrame, committed: pd.DataFrame, metrics: dict[str, Any], classes: Sequence[str]
) -> Iterator[str]:
    """Where confusion.csv, here `committed`, and metrics.json are not what the predictions in `table` come to."""
    counts = confusion(table["actual"].to_numpy(), table["predicted"].to_numpy(), len(classes))
    if confusion_table(counts, classes).to_csv() != committed.to_csv():
        yield "confusion.csv does not count what predictions.csv has"
    errors = dict(zip(classes, class_error(counts), strict=True))
    own = {"test_error": 100 * (table["actual"] != table["predicted"]).mean(), "test_images": len(table)}
    for key, said, value in (
        *((key, metrics[key], value) for key, value in own.items()),
        *((f"class_error of {name}", metrics["class_error"][name], error) for name, error in errors.items()),
    ):
        if said != round(value, 6):
            yield f"{key} is {said} in metrics.json, and {value:.6g} by predictions.csv"


def compare_tables(out: Output, again: Path) -> Iterator[str]:
    """Where a table of aggregate, committed and made anew, differs: the first cell or line."""
    path = Path(out.fs_path)
    committed, new = path.read_text(), again.read_text()
    if committed == new:
        return
    if path.suffix == ".csv":
        one, other = (pd.read_csv(io.StringIO(text), dtype=str, keep_default_na=False) for text in (committed, new))
        same = one.shape == other.shape and (one.columns == other.columns).all()
        if same and (one != other).any(axis=None):
            row, column = np.argwhere((one != other).to_numpy())[0]
            where = f"{one.columns[column]} of row {row + 1} ({', '.join(one.iloc[row, :2])})"
            values = [table.iloc[row, column] for table in (one, other)]
            yield f"{place(out)}: {where} is {values[0]}, and {values[1]} from the runs' files"
            return
    lines = zip_longest(committed.splitlines(keepends=True), new.splitlines(keepends=True), fillvalue="")
    number, (one, other) = next((i, pair) for i, pair in enumerate(lines, 1) if pair[0] != pair[1])
    if one.strip() != other.strip():
        one, other = one.strip(), other.strip()
    yield f"{place(out)}: line {number} is {one!r}, and {other!r} from the runs' files"


if __name__ == "__main__":
    stage.run(main)
