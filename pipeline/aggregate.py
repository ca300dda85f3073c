"""Stage aggregate: from the runs of the declared grid to tables beside the published values.

    python -m pipeline.aggregate
    python -m pipeline.aggregate --claims claims.yaml

Writes reports/{results.csv, effects.csv, results.md, metrics.json, curves.csv, confusion.csv}; with a file of claims
reports/claims.csv in place of the effects, which are study A's. Test errors are those of the last epoch, in percent;
the best epoch stands beside for comparison only, since choosing it would be selection on the test set. A run of the
grid that is missing, or was trained on another schedule, is an error that names it. 1.5 s.
"""

import argparse
import json
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd

from pipeline import claims, params, published, stage, verdicts
from pipeline.effects import compare
from pipeline.params import Params
from pipeline.schedule import learning_rate
from pipeline.stage import StageError
from pipeline.tables import markdown

REPORTS = Path("reports")
FIXED_ERRORS = (50, 40, 30, 20, 15, 10)  # percent; epochs to reach them tell how fast a network converges
SOURCES = {"paper": "He et al. 2016", "study_a": "study A"}


def main() -> None:
    args = arguments()
    settings = params.load()
    runs, curves, confusion = load_grid(settings)
    results = tabulate(runs, settings, published.load(args.published))
    if args.claims:
        judged = verdicts.judge(claims.load(args.claims), settings, runs, curves, sizes(runs, args.family))
        tables = {"claims": judged}
        content = metrics(results) | {"claims": verdicts.counts(judged)}
    else:
        judged = compare(results, settings.dataset, settings.epochs)
        tables = {"effects": judged}
        content = metrics(results, judged)
    tables |= {"results": results, "curves": curves, "confusion": confusion}
    for name, table in tables.items():
        stage.write(REPORTS / f"{name}.csv", table.to_csv(index=False, float_format="%.10g", lineterminator="\n"))
    stage.write(REPORTS / "results.md", markdown(results, judged, settings))
    stage.write_json(REPORTS / "metrics.json", content)
    print(results[["variant", "runs", "test_error", "test_error_sd"]].to_string(index=False))


def arguments() -> argparse.Namespace:
    """The command line: files that are not the study's own runs."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--published", type=Path, default=published.TABLE, help=f"published values ({published.TABLE})")
    parser.add_argument("--claims", type=Path, help="a file of claims to judge")
    parser.add_argument("--family", type=Path, help="a table of networks whose parameters claims are about")
    return parser.parse_args()


def sizes(runs: pd.DataFrame, family: Path | None) -> dict[str, int]:
    """Parameters by variant, and by network of the `family` table if one is given."""
    count = dict(zip(runs["variant"], runs["parameters"], strict=True))
    if family:
        table = pd.read_csv(family)
        count |= dict(zip(table["network"], table["parameters"], strict=True))
    return count


def load_grid(settings: Params) -> tuple[pd.DataFrame, pd.DataFrame, pd.DataFrame]:
    """One row a run; all histories; all confusion counts. Raises StageError for a run that is missing or unfit."""
    runs, curves, confusions = [], [], []
    for variant in settings.variants:
        for seed in settings.seeds:
            name = f"{variant}-{seed}"
            history = read(name, "history.csv")
            measured = read(name, "metrics.json")
            check_schedule(name, history, settings, measured["diverged"])
            keys = {"variant": variant, "seed": seed}
            runs.append(keys | summarise(history) | measured)
            curves.append(history.assign(**keys))
            confusions.append(read(name, "confusion.csv").assign(**keys))
    identities = {json.dumps(run["data"], sort_keys=True) for run in runs}
    if len(identities) > 1:
        raise StageError("the runs were evaluated on different data: run `dvc repro`")
    return pd.DataFrame(runs), keys_first(pd.concat(curves)), keys_first(pd.concat(confusions))


def read(name: str, file: str) -> Any:
    """A file of run `name`, a table or a mapping. Raises StageError if it is missing or damaged."""
    path = stage.RUNS / name / file
    try:
        return json.loads(path.read_text()) if path.suffix == ".json" else pd.read_csv(path)
    except FileNotFoundError:
        raise StageError(f"run {name} of the grid is missing ({path}): run `dvc repro`") from None
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
    """Last and best epoch of one run, and the first epoch whose test error is at or below each fixed error."""
    last, best = history.iloc[-1], history.loc[history["test_error"].idxmin()]
    row = {key: last[key] for key in ("train_error", "train_loss", "val_error") if key in last}
    row |= {"best_epoch": int(best["epoch"]), "best_test_error": best["test_error"]}
    for error in FIXED_ERRORS:
        reached = history.loc[history["test_error"] <= error, "epoch"]
        row[f"epochs_to_{error}"] = reached.iloc[0] if len(reached) else np.nan
    return row


def tabulate(runs: pd.DataFrame, settings: Params, known: pd.DataFrame) -> pd.DataFrame:
    """One row a variant: mean and sample standard deviation over seeds, beside published errors of that network."""
    rows = []
    for variant in settings.variants:
        arch, group = settings.arch[variant], runs[runs["variant"] == variant]
        error = group["test_error"].mean()
        images = group["test_images"].iloc[0]
        kind = "plain" if arch.shortcut == "none" else "resnet"
        net = f"{kind}{arch.layers}" if arch.papers else ""  # as published
        row = {"variant": variant, "net": net, "depth": arch.layers, "shortcut": arch.shortcut}
        row |= {"parameters": group["parameters"].iloc[0], "runs": len(group), "diverged": group["diverged"].sum()}
        row |= {"test_error": error, "test_error_sd": group["test_error"].std()}
        row["test_error_se"] = np.sqrt(error * (100 - error) / images)  # binomial, of one run on these images
        keys = ["train_error", "train_loss", "best_epoch", "best_test_error", *(f"epochs_to_{e}" for e in FIXED_ERRORS)]
        keys += ["val_error"] if "val_error" in group else []
        row |= {key: group[key].mean(skipna=False) for key in keys}  # epochs_to: empty unless all runs get there
        for source, begins in SOURCES.items():
            match = known[(known["net"] == net) & known["source"].str.startswith(begins)]
            row[source] = match["test_error"].iloc[0] if len(match) else np.nan
        if arch.shortcut == "identity":
            row["study_a"] = np.nan  # it has projections
        rows.append(row)
    return pd.DataFrame(rows).round(6)


def metrics(results: pd.DataFrame, effects: pd.DataFrame | None = None) -> dict[str, dict[str, float | None]]:
    """What `dvc metrics diff` compares: errors a variant, then the effects but one, by the variant each is of."""
    content: dict[str, dict[str, float | None]] = {}
    for _, row in results.iterrows():
        keys = [key for key in ("test_error", "val_error", "train_error") if key in row]
        content[row["variant"]] = {key: number(row[key]) for key in keys}
    if effects is None:
        return content
    for _, row in effects[effects["effect"] != "gain_growth"].iterrows():  # follows from the gains
        content.setdefault(row["effect"], {})[row["of"]] = number(row["ours"])
    return content


def number(value: float) -> float | None:
    """`value` to four decimals, or None if it is not finite, which JSON cannot say."""
    return round(float(value), 4) if np.isfinite(value) else None


def keys_first(table: pd.DataFrame) -> pd.DataFrame:
    """`table` with variant and seed as its first columns."""
    keys = ["variant", "seed"]
    return table[keys + [column for column in table.columns if column not in keys]]


if __name__ == "__main__":
    stage.run(main)
