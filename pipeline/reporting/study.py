"""What was run in the current folder and its results, for the report: read from params.yaml and reports/."""

import json
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pandas as pd

from pipeline import stage
from pipeline.reporting import figures
from pipeline.settings import params
from pipeline.settings.datasets import DATASETS
from pipeline.settings.params import Params

REPORTS = Path("reports")


@dataclass(frozen=True)
class Study:
    """What was run and its results. `groups` are variants that a figure shows together, by their heading."""

    settings: Params
    results: pd.DataFrame
    curves: pd.DataFrame
    confusion: pd.DataFrame
    runs: dict[str, dict[str, Any]]  # metrics.json by run
    groups: dict[str, list[str]]
    figures: str  # the folder for PNG copies

    @property
    def data(self) -> dict[str, str]:
        """What download found out about the data."""
        return next(iter(self.runs.values()))["data"]

    @property
    def arch(self) -> pd.DataFrame:
        """Columns variant, depth and shortcut."""
        return self.results[["variant", "depth", "shortcut"]]

    @property
    def title(self) -> str:
        """The data set's own name."""
        return DATASETS[self.settings.dataset].title

    @property
    def n(self) -> int:
        return len(self.settings.seeds)

    @property
    def epochs(self) -> str:
        return f"{self.settings.epochs} epoch{'s' if self.settings.epochs > 1 else ''}"

    @property
    def seeds(self) -> str:
        return f"{self.n} seed{'s' if self.n > 1 else ''} ({', '.join(map(str, self.settings.seeds))})"


def load(figures_folder: str, by_depth: bool = False) -> Study:
    """The study in the current folder; its figures show all variants together, or those of a depth."""
    settings = params.load()
    results, curves, confusion = (table(name) for name in ("results", "curves", "confusion"))
    names = [f"{variant}-{seed}" for variant in settings.variants for seed in settings.seeds]
    runs = {name: json.loads((stage.RUNS / name / "metrics.json").read_text()) for name in names}
    groups = {"": list(results["variant"])}
    if by_depth:
        groups = {f"{depth} layers": list(rows["variant"]) for depth, rows in results.groupby("depth")}
    figures.style()
    return Study(settings, results, curves, confusion, runs, groups, figures_folder)


def table(name: str) -> pd.DataFrame:
    """A table that aggregate wrote."""
    return pd.read_csv(REPORTS / f"{name}.csv")
