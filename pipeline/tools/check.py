"""Does each dvc.lock match this checkout's code, parameters, dvc.yaml and reports? Needs neither data nor cache; 6 s.

    python -m pipeline.tools.check

Exits with 1 and a line a reason if it does not. `dvc status` and `dvc repro --dry` cannot be used for this: the first
exits with 0 whatever it finds, the second for some stages that are stale.
"""

import contextlib
import io
import json
import logging
import re
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from dvc.exceptions import DvcException
from dvc.repo import Repo
from ruamel.yaml import YAML

MADE_WITH = ("numpy", "torch", "torchvision")  # of which environment.json has the versions
NOT_HERE = ("not in cache", "deleted")  # states of data and models in a clone that has not pulled them


def main() -> None:
    logging.getLogger("dvc").setLevel(logging.CRITICAL)  # DVC would name each stage that it skips
    with Repo() as repo, contextlib.redirect_stdout(io.StringIO()):
        reasons, leftovers = [*changed(repo), *would_run(repo)], forgotten(repo)
    if leftovers:
        print(f"note: dvc.lock also records {', '.join(leftovers)}, no longer in the grid")
    for package, (pinned, versions) in other_versions().items():
        print(f"note: results were made with {package} {' and '.join(versions)}, and requirements.txt has {pinned}")
    if reasons:
        sys.exit("\n".join(["dvc.lock does not match this checkout:", *(f"  {reason}" for reason in reasons)]))
    print("dvc.lock matches code, parameters and reports")


def changed(repo: Repo) -> Iterator[str]:
    """What `dvc status` finds, but for data and models that are merely not here."""
    cached = {str(out) for out in repo.index.outs if out.use_cache}
    for stage, entries in repo.status().items():
        for line in (line for entry in entries for line in _leaves(entry)):
            path, _, state = line.partition(": ")[2].rpartition(": ")
            if state not in NOT_HERE or path not in cached:
                yield f"{stage}: {line}"


def would_run(repo: Repo) -> Iterator[str]:
    """What `dvc repro` would run if all data and models were here; it compares each output with its readers, too."""
    try:
        for stage in repo.reproduce(dry=True, allow_missing=True, all_pipelines=True):
            yield f"{stage.addressing}: would run again"
    except DvcException as error:
        yield str(error)


def forgotten(repo: Repo) -> list[str]:
    """Stages that dvc.lock records and dvc.yaml does not have, as after a variant was taken out of the grid."""
    locked = set()
    for lock in (Path("dvc.lock"), *Path().glob("studies/*/dvc.lock")):
        if lock.exists():
            prefix = "" if lock.parent == Path() else f"{lock.with_suffix('.yaml')}:"
            locked |= {f"{prefix}{name}" for name in YAML(typ="safe", pure=True).load(lock)["stages"]}
    return sorted(locked - {stage.addressing for stage in repo.index.stages})


def other_versions() -> dict[str, tuple[str, list[str]]]:
    """By package, the version in requirements.txt and those that committed results were made with, if others."""
    pinned = dict(re.findall(r"^([\w.-]+)==([\w.]+)", Path("requirements.txt").read_text(), re.M))
    found: dict[str, tuple[str, list[str]]] = {}
    runs = "reports/runs/*/environment.json"
    for path in sorted([*Path().glob(runs), *Path().glob(f"studies/*/{runs}")]):
        for session in json.loads(path.read_text())["sessions"]:
            for package in MADE_WITH:
                version = session[package].partition("+")[0]  # without the build: 2.11.0+cu130
                if version != pinned[package] and version not in found.setdefault(package, (pinned[package], []))[1]:
                    found[package][1].append(version)
    return {package: entry for package, entry in found.items() if entry[1]}


def _leaves(entry: Any) -> Iterator[str]:
    if not isinstance(entry, dict):
        yield str(entry)
        return
    for key, value in entry.items():
        yield from (f"{key}: {leaf}" for leaf in _leaves(value))


if __name__ == "__main__":
    main()
