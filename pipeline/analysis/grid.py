"""The declared grid of runs, as its stages left it under reports/runs; never what else lies in that folder."""

import json
from collections.abc import Collection
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd

from pipeline import stage
from pipeline.analysis import measures
from pipeline.analysis.measures import MEASURES
from pipeline.settings.params import Params
from pipeline.settings.schedule import learning_rate
from pipeline.stage import StageError

PROBED = ("gradients", "responses")  # tables of a run by probe
TESTED = ("test_error", "test_loss")  # what both metrics.json and the last row of history.csv have


@dataclass(frozen=True)
class Grid:
    """All runs of params.yaml's variants and seeds; every table begins with variant and seed.

    `runs` has a row a run, `curves` a row an epoch, `confusion` a row a pair of classes; `wrong` says of every test
    image (images,) whether a run, named variant-seed, has it wrong, and `actual` (images,) what class it is of in the
    first run. `gradients` and `responses` have a row a layer. `initial` is of networks before training, a row a variant
    and seed, whose seeds are its own.
    """

    settings: Params
    runs: pd.DataFrame
    curves: pd.DataFrame
    confusion: pd.DataFrame
    wrong: dict[str, np.ndarray]
    actual: np.ndarray
    gradients: pd.DataFrame
    responses: pd.DataFrame
    initial: pd.DataFrame

    def values(self, measure: str, variant: str, epoch: int | None = None) -> np.ndarray:
        """A measure of a variant's runs (seeds,), after `epoch` or the last; a run that diverged has what it had.

        What is tested after the last epoch comes from evaluate, in fp32; of other epochs there is the history alone.
        """
        if MEASURES[measure].kind == "initial":
            return self.initial.loc[self.initial["variant"] == variant, "gradient_reach"].to_numpy(float)
        runs = self.runs[self.runs["variant"] == variant].set_index("seed")
        if measure not in measures.BY_EPOCH:
            return runs[measure].to_numpy(float)
        found = []
        for seed, rows in self.curves[self.curves["variant"] == variant].groupby("seed", sort=False):
            row = rows[rows["epoch"] <= (epoch or np.inf)].iloc[-1].to_dict()
            if epoch in (None, self.settings.epochs):
                row |= {key: runs.loc[seed, key] for key in TESTED}
            found.append(measures.of_epoch(measure, row))
        return np.array(found, float)


def load(settings: Params, stages: Collection[str] = (), initial: bool = False) -> Grid:
    """The grid; with what `stages` measured, of "probe" and "reestimate", and what initial did.

    Raises StageError for a run that is missing or unfit.
    """
    runs, wrong, actual = [], {}, []
    tables: dict[str, list[pd.DataFrame]] = {name: [] for name in ("curves", "confusion", *PROBED)}
    for variant in settings.variants:
        for seed in settings.seeds:
            name, keys = f"{variant}-{seed}", {"variant": variant, "seed": seed}
            history, measured = read(name, "history.csv"), read(name, "metrics.json")
            check_schedule(name, history, settings, measured["diverged"])
            found = {key: value for each in stages for key, value in read(name, f"{each}.json").items()}
            of_run = measures.of_run(history, settings, found, measured["test_images"])
            runs.append(keys | summarise(history) | of_run | measured)
            tables["curves"].append(history.assign(**keys))
            tables["confusion"].append(read(name, "confusion.csv").assign(**keys))
            for table in PROBED if "probe" in stages else ():
                tables[table].append(read(name, f"{table}.csv").assign(**keys))
            predictions = read(name, "predictions.csv")
            wrong[name] = (predictions["actual"] != predictions["predicted"]).to_numpy()
            actual.append(predictions["actual"].to_numpy())
    identities = {json.dumps(run["data"], sort_keys=True) for run in runs}
    if len(identities) > 1:
        raise StageError("the runs were evaluated on different data: run `dvc repro`")
    joint = {name: joined(rows) for name, rows in tables.items()}
    joint["initial"] = joined([untrained(variant) for variant in settings.variants if initial])
    return Grid(settings, pd.DataFrame(runs), wrong=wrong, actual=actual[0], **joint)


def untrained(variant: str) -> pd.DataFrame:
    """What stage initial wrote of a variant. Raises StageError if it is missing or damaged."""
    return read_file(stage.INITIAL / f"{variant}.csv", f"{variant} before training").assign(variant=variant)


def read(name: str, file: str) -> Any:
    """A file of run `name`, a table or a mapping. Raises StageError if it is missing or damaged."""
    return read_file(stage.RUNS / name / file, f"run {name}")


def read_file(path: Path, what: str) -> Any:
    """The table or mapping at `path`, of `what` in the grid. Raises StageError if it is missing or damaged."""
    try:
        return json.loads(path.read_text()) if path.suffix == ".json" else pd.read_csv(path)
    except FileNotFoundError:
        raise StageError(f"{what} of the grid is missing ({path}): run `dvc repro`") from None
    except ValueError as error:
        raise StageError(f"{path} is damaged ({error}): run `dvc repro`") from None


def check_schedule(name: str, history: pd.DataFrame, settings: Params, diverged: bool) -> None:
    """Raise StageError unless the run's learning rates are those of params.yaml; a diverged run may be shorter."""
    expected = [round(learning_rate(settings, epoch), 12) for epoch in range(settings.epochs)]
    trained = history["lr"].tolist()
    if trained != (expected[: len(trained)] if diverged else expected):
        raise StageError(
            f"run {name} was trained for {len(trained)} epochs on another schedule than params.yaml's "
            f"({settings.epochs} epochs from lr {settings.lr}): run `dvc repro`"
        )


def summarise(history: pd.DataFrame) -> dict[str, Any]:
    """Last and best epoch of one run."""
    last, best = history.iloc[-1], history.loc[history["test_error"].idxmin()]
    row = {key: last[key] for key in ("train_error", "train_loss", "val_error") if key in last}
    return row | {"best_epoch": int(best["epoch"]), "best_test_error": best["test_error"]}


def joined(tables: list[pd.DataFrame]) -> pd.DataFrame:
    """The tables below one another, with variant and seed as the first columns; an empty one of none."""
    if not tables:
        return pd.DataFrame(columns=["variant", "seed"])
    table = pd.concat(tables)
    keys = ["variant", "seed"]
    return table[keys + [column for column in table.columns if column not in keys]]
