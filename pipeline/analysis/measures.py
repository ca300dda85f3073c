"""What claims are about: numbers of one run, from the files under reports/runs that its stages wrote."""

from collections.abc import Mapping
from typing import Any, Literal, NamedTuple

import numpy as np
import pandas as pd

from pipeline.settings.params import Params
from pipeline.settings.schedule import milestones

FIXED_ERRORS = (50, 40, 30, 20, 15, 10)  # percent; epochs to reach them say how fast a network converges
ENOUGH = 3  # seeds from which they are a sample
SHORTEST = 5  # epochs that instability takes
Kind = Literal["count", "construction", "initial", "trained"]


class Measure(NamedTuple):
    """In words, its unit, and the errors that it is made of, "test" or "train"; what decides it; the stage it takes.

    Kinds: `count`, of parameters, which takes no run; `construction`, true of such a network trained or not; `initial`,
    of networks before training; `trained`. The stage is one that measures a run and is not in every pipeline.
    """

    words: str
    unit: str
    errors: tuple[str, ...] = ()
    kind: Kind = "trained"
    stage: Literal["", "probe", "reestimate"] = ""


MEASURES = {
    "test_error": Measure("test error", "%", ("test",)),
    "test_accuracy": Measure("test accuracy", "%", ("test",)),
    "train_error": Measure("training error (running)", "%", ("train",)),
    "train_accuracy": Measure("training accuracy (running)", "%", ("train",)),
    "train_error_eval": Measure("training error, as tested", "%", ("train",), stage="probe"),
    "accuracy_gap": Measure("training minus test accuracy", "points", ("test", "train")),
    "class_error": Measure("smallest gain in test error of a class", "%", ("test",)),
    "confidence": Measure("mean probability of the predicted class", "%"),
    "train_loss": Measure("training loss", "nats"),
    **{
        f"epochs_to_{error}": Measure(f"epochs to {error} % test error before the rate drops", "epochs")
        for error in FIXED_ERRORS
    },
    "instability": Measure("instability of the test error", "log-odds"),
    "gradient_reach_initial": Measure("early / late gradient before training, log10", "decades", kind="initial"),
    "gradient_reach": Measure("early / late gradient after training, log10", "decades", stage="probe"),
    "response_std": Measure("layer response", "sd", stage="probe"),
    "identity_deviation": Measure("deviation from identity", "largest", kind="construction", stage="probe"),
    "test_error_reestimated": Measure("test error, statistics reestimated", "%", ("test",), stage="reestimate"),
    "train_error_reestimated": Measure("training error, statistics reestimated", "%", ("train",), stage="reestimate"),
    "reestimation_gain": Measure("fall of the test error by reestimation", "points", stage="reestimate"),
    "parameters": Measure("parameters", "M", kind="count"),
}
BY_EPOCH = ("test_error", "test_accuracy", "train_error", "train_accuracy", "accuracy_gap", "train_loss")


def of_run(history: pd.DataFrame, settings: Params, found: dict[str, Any], images: int) -> dict[str, float]:
    """What needs a whole history, or other stages: by measure.

    `history` is history.csv, of that many test `images`; `found` is what probe.json, reestimate.json or neither has.
    """
    values = {f"epochs_to_{error}": epochs_to(history, error, first_rate(settings)) for error in FIXED_ERRORS}
    values["instability"] = instability(history, settings, images)
    others = {name: found[name] for name, measure in MEASURES.items() if measure.stage and name in found}
    return values | {name: np.nan if value is None else value for name, value in others.items()}


def of_epoch(name: str, epoch: Mapping[str, float]) -> float:
    """A measure of one epoch, from what a row of history.csv has."""
    if name == "accuracy_gap":
        return epoch["test_error"] - epoch["train_error"]
    if name.endswith("_accuracy"):
        return 100 - epoch[name.replace("accuracy", "error")]
    return epoch[name]


def first_rate(settings: Params) -> int:
    """The number of epochs before the learning rate first falls; all, if it does not."""
    if settings.lr_gamma == 1:
        return settings.epochs
    return min([drop for drop in milestones(settings) if drop < settings.epochs], default=settings.epochs)


def epochs_to(history: pd.DataFrame, error: float, within: float = np.inf) -> float:
    """The first epoch whose test error is at most `error` percent; infinite if there is none up to `within`."""
    reached = history.loc[(history["test_error"] <= error) & (history["epoch"] <= within), "epoch"]
    return float(reached.iloc[0]) if len(reached) else np.inf


def instability(history: pd.DataFrame, settings: Params, images: int) -> float:
    """How much the test error jumps from epoch to epoch: the residual standard deviation of its log-odds about a line.

    Over the second half of the epochs at the first rate: later ones show the noise of a low rate, earlier ones the
    descent. In log-odds, since a spread in points scales with the error. An error of k in n `images` counts as
    (k + 0.5) / (n + 1). NaN if there are fewer than SHORTEST epochs.
    """
    last = first_rate(settings)
    rows = history[(history["epoch"] > last // 2) & (history["epoch"] <= last)]
    if len(rows) < SHORTEST:
        return np.nan
    share = (rows["test_error"].to_numpy() / 100 * images + 0.5) / (images + 1)
    log_odds = np.log(share / (1 - share))
    fitted = np.polynomial.Polynomial.fit(rows["epoch"], log_odds, 1)(rows["epoch"].to_numpy())
    return float(np.sqrt(np.sum((log_odds - fitted) ** 2) / (len(rows) - 2)))


def class_errors(counts: pd.DataFrame) -> pd.DataFrame:
    """Rows of variant, seed, actual, error in percent, from confusion counts."""
    keys = ["variant", "seed", "actual"]
    right = counts["count"].where(counts["actual"] == counts["predicted"], 0)
    sums = counts.assign(right=right).groupby(keys, sort=False)[["right", "count"]].sum().reset_index()
    return sums[keys].assign(error=np.round(100 * (1 - sums["right"] / sums["count"]), 6))
