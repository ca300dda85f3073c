"""The tables of README and report, as text: rounding, signs and headings in one place."""

import numpy as np
import pandas as pd

from pipeline.params import Params

SHORTCUTS = {"none": "none", "projection": "projection (B)", "identity": "identity (A)"}


def percent(mean: float, sd: float = np.nan, runs: int = 1) -> str:
    """`8.31 ± 0.20 (3)`: mean and sample standard deviation over that many runs; `8.31 (1)` for one run."""
    if not np.isfinite(mean):
        return "–"
    return f"{value(mean)} ± {sd:.2f} ({runs})" if np.isfinite(sd) else f"{value(mean)} ({runs})"


def value(number: float, form: str = ".2f") -> str:
    """A number in `form`, or a dash where there is none; a minus is a minus."""
    return format(number, form).replace("-", "−") if np.isfinite(number) else "–"


def results_table(results: pd.DataFrame) -> pd.DataFrame:
    """results.csv for the eye: errors in percent, last epoch, mean ± sd (runs)."""
    table = pd.DataFrame(
        {
            "network": results["variant"] + np.where(results["diverged"] > 0, " (diverged)", ""),
            "layers": results["depth"],
            "shortcut": results["shortcut"].map(SHORTCUTS),
            "parameters": [f"{count:,}" for count in results["parameters"]],
            "test error %": [
                percent(*row) for row in results[["test_error", "test_error_sd", "runs"]].itertuples(index=False)
            ],
            "train error %": results["train_error"].map(value),
            "paper %": results["paper"].map(value),
            "study A %": results["study_a"].map(value),
        }
    )
    return table if results["net"].any() else table.drop(columns=["paper %", "study A %"])


def effects_table(effects: pd.DataFrame) -> pd.DataFrame:
    """effects.csv for the eye: differences in points of test error, the amplification as a factor."""
    ratios = effects["effect"] == "amplification"
    columns = {"claim": effects["statement"], "measured as": effects["measure"]}
    for heading, key in (("ours", "ours"), ("paper", "paper"), ("study A", "study_a")):
        columns[heading] = [
            (value(x, ".1f") + ("x" if np.isfinite(x) else "")) if ratio else value(x, "+.2f")
            for x, ratio in zip(effects[key], ratios, strict=True)
        ]
    return pd.DataFrame(columns | {"verdict": effects["verdict"]})


def claims_table(claims: pd.DataFrame) -> pd.DataFrame:
    """claims.csv for the eye: mean ± sd (n) beside what is published, the verdict and why."""
    ours = [
        percent(row.ours, row.sd, int(row.n)) if row.n > 0 else value(row.ours)
        for row in claims[["ours", "sd", "n"]].fillna({"n": 0}).itertuples(index=False)
    ]
    return pd.DataFrame(
        {
            "claim": claims["statement"],
            "measured as": claims["measured"],
            "ours": ours,
            "published": [value(number, "g") for number in claims["published"]],
            "verdict": claims["verdict"],
            "why": claims["reason"],
        }
    )


def accuracy_table(curves: pd.DataFrame, epochs: list[int]) -> pd.DataFrame:
    """Accuracy in training and in test after some epochs, and the gap between them, mean ± sd (runs)."""
    rows = []
    for (variant, epoch), group in curves[curves["epoch"].isin(epochs)].groupby(["variant", "epoch"], sort=False):
        gap = group["test_error"] - group["train_error"]
        columns = {"training accuracy %": 100 - group["train_error"], "test accuracy %": 100 - group["test_error"]}
        columns["gap, points"] = gap
        shown = {name: percent(column.mean(), column.std(), len(column)) for name, column in columns.items()}
        rows.append({"network": variant, "epoch": epoch} | shown)
    return pd.DataFrame(rows)


def convergence_table(results: pd.DataFrame) -> pd.DataFrame:
    """First epoch whose test error is at or below a fixed one, mean over runs; a dash where not all runs get there."""
    columns = [column for column in results.columns if column.startswith("epochs_to_")]
    table = pd.DataFrame({"network": results["variant"]})
    for column in columns:
        table[f"≤ {column.removeprefix('epochs_to_')} %"] = results[column].map(lambda x: value(x, ".3g"))
    best = zip(results["best_test_error"], results["best_epoch"], strict=True)
    table["best epoch"] = [f"{value(error)} % in {epoch:.3g}" for error, epoch in best]
    table["last epoch"] = [f"{value(error)} %" for error in results["test_error"]]
    return table


def markdown(results: pd.DataFrame, judged: pd.DataFrame, settings: Params) -> str:
    """results.md: the claims or effects, the table of networks, and what was run."""
    seeds = ", ".join(map(str, settings.seeds))
    epochs = f"{settings.epochs} epoch{'s' if settings.epochs > 1 else ''} a network"
    run = f"{epochs}, seed{'s' if len(settings.seeds) > 1 else ''} {seeds}, last epoch"
    note = f"Run: `{settings.dataset}`, {run}."
    if "effect" in judged:
        note += " Effects are differences of test errors in points."
    table = effects_table if "effect" in judged else claims_table
    parts = [pipes(table(judged))] if len(judged) else []
    return "\n\n".join([*parts, pipes(results_table(results)), note]) + "\n"


def pipes(table: pd.DataFrame) -> str:
    """A table in Markdown, its values as they print."""
    lines = [list(table.columns), ["---"] * table.shape[1], *table.astype(str).to_numpy().tolist()]
    return "\n".join(f"| {' | '.join(line)} |" for line in lines)
