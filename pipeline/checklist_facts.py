"""What the ML Reproducibility Checklist is answered from, and what an answer is; checklist.py has its items."""

import os
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path
from typing import Any, NamedTuple

from pipeline.catalogue import DATASETS, GENERATED, DataSet
from pipeline.study import Study

YES, PARTLY, NO, NOT_APPLICABLE = LEGAL = ("Yes", "Partly", "No", "Not applicable")


class Answer(NamedTuple):
    """One of LEGAL, and where the item stands, in Markdown."""

    answer: str
    text: str


@dataclass(frozen=True)
class Facts:
    """A study, and what it does not load; links are from its reports/."""

    study: Study
    sessions: dict[str, list[dict[str, Any]]]  # of environment.json, by run
    starts: dict[str, dict[str, str]]  # what weights begin with where it is not random, by variant
    folder: str  # the study's, from the top of the repository

    @property
    def data(self) -> DataSet:
        """What the catalogue says of the data set."""
        return DATASETS[self.study.settings.dataset]

    @property
    def generated(self) -> bool:
        return self.study.settings.dataset in GENERATED

    @property
    def test_images(self) -> int:
        """How many images a run was tested on."""
        return next(iter(self.study.runs.values()))["test_images"]

    @property
    def command(self) -> str:
        """What makes all results of the study, given at the top of the repository."""
        return "`dvc repro`" if self.folder == "." else f"`dvc repro {self.folder}/dvc.yaml`"

    def link(self, path: str) -> str:
        """A link to what lies at `path` from the top of the repository."""
        return f"[{path}]({os.path.relpath(path, Path(self.folder, 'reports'))})"


def listed(items: Iterable[str]) -> str:
    return ", ".join(items)


def counted(count: int, word: str) -> str:
    """`1 process`, `2 processes`."""
    ending = "" if count == 1 else "es" if word.endswith("s") else "s"
    return f"{count:,} {word}{ending}"
