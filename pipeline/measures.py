"""What claims are about: numbers of one run, from the files under reports/runs that its stages wrote."""

from collections.abc import Mapping
from typing import Any, NamedTuple

import numpy as np
import pandas as pd

from pipeline.params import Params
from pipeline.schedule import milestones

FIXED_ERRORS = (50, 40, 30, 20, 15, 10)  # percent; epochs to reach them tell how fast a network converges
WINDOW = 10  # epochs before a drop of the rate, over which the test error's spread is taken
SHORTEST = 3  # epochs from which a spread can be told


class Measure(NamedTuple):
    """In words, its unit, and the images of which it is a share; whether training decides it, and probe measures it."""

    words: str
    unit: str
    share_of: tuple[str, ...] = ()
    trained: bool = True
    probed: bool = False


MEASURES = {
    "test_error": Measure("test error", "%", ("test",)),
    "test_accuracy": Measure("test accuracy", "%", ("test",)),
    "train_error": Measure("training error (running)", "%", ("train",)),
    "train_accuracy": Measure("training accuracy (running)", "%", ("train",)),
    "train_error_eval": Measure("training error, as tested", "%", ("train",), probed=True),
    "accuracy_gap": Measure("training less test accuracy", "points", ("test", "train")),
    "class_error": Measure("test error by class, least gain", "%"),
    "train_loss": Measure("training loss", "nats"),
    **{f"epochs_to_{error}": Measure(f"epochs to {error} % test error", "epochs") for error in FIXED_ERRORS},
    "test_error_spread": Measure("test error spread", "points"),
    "loss_jump": Measure("largest rise of training loss", "nats"),
    "gradient_reach_initial": Measure("early / late gradient, initial", "decades", trained=False, probed=True),
    "gradient_reach": Measure("early / late gradient, trained", "decades", probed=True),
    "response_std": Measure("layer response", "sd", probed=True),
    "identity_deviation": Measure("deviation from identity", "largest", trained=False, probed=True),
    "parameters": Measure("parameters", "M", trained=False),
}
BY_EPOCH = ("test_error", "test_accuracy", "train_error", "train_accuracy", "accuracy_gap", "train_loss")


def of_run(history: pd.DataFrame, settings: Params, probe: dict[str, Any]) -> dict[str, float]:
    """What needs a whole history, or the probe: by measure. `history` is history.csv, `probe` probe.json or empty."""
    values = {f"epochs_to_{error}": epochs_to(history, error) for error in FIXED_ERRORS}
    values["test_error_spread"] = test_error_spread(history, settings)
    values["loss_jump"] = loss_jump(history)
    probed = {name: probe[name] for name, measure in MEASURES.items() if measure.probed and name in probe}
    return values | {name: np.nan if value is None else value for name, value in probed.items()}


def of_epoch(name: str, epoch: Mapping[str, float]) -> float:
    """A measure of one epoch, from what a row of history.csv has."""
    if name == "accuracy_gap":
        return epoch["test_error"] - epoch["train_error"]
    if name.endswith("_accuracy"):
        return 100 - epoch[name.replace("accuracy", "error")]
    return epoch[name]


def epochs_to(history: pd.DataFrame, error: float) -> float:
    """The first epoch whose test error is at most `error` percent; NaN if there is none."""
    reached = history.loc[history["test_error"] <= error, "epoch"]
    return float(reached.iloc[0]) if len(reached) else np.nan


def test_error_spread(history: pd.DataFrame, settings: Params) -> float:
    """How much the test error jumps from epoch to epoch at one rate: a standard deviation in points.

    Over the last WINDOW epochs before each drop of the rate (without drops, of the run), from successive differences,
    so that a trend counts for little (von Neumann 1941); root mean square over the drops. NaN if there are fewer
    than SHORTEST epochs before one.
    """
    ends = sorted({drop for drop in milestones(settings) if drop < settings.epochs}) or [settings.epochs]
    variances = []
    for start, end in zip([0, *ends], ends, strict=False):
        errors = history["test_error"].to_numpy()[max(start, end - WINDOW) : end]
        if len(errors) < SHORTEST:
            return np.nan
        variances.append(np.mean(np.diff(errors) ** 2) / 2)
    return float(np.sqrt(np.mean(variances)))


def loss_jump(history: pd.DataFrame) -> float:
    """The largest rise of the training loss from one epoch to the next, 0 if it only falls.

    NaN of a single epoch, and of a run that diverged.
    """
    rises = np.diff(history["train_loss"])
    return float(np.maximum(rises.max(), 0)) if len(rises) else np.nan


def class_errors(counts: pd.DataFrame) -> pd.DataFrame:
    """Rows of variant, seed, actual, error in percent, from confusion counts."""
    keys = ["variant", "seed", "actual"]
    right = counts["count"].where(counts["actual"] == counts["predicted"], 0)
    sums = counts.assign(right=right).groupby(keys, sort=False)[["right", "count"]].sum().reset_index()
    return sums[keys].assign(error=np.round(100 * (1 - sums["right"] / sums["count"]), 6))
