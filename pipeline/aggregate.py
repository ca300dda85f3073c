"""Stage aggregate: from the runs of the declared grid to tables beside the published values, and verdicts.

    python -m pipeline.aggregate
    python -m pipeline.aggregate --claims claims.yaml

Writes reports/{results.csv, claims.csv, results.md, metrics.json, curves.csv, confusion.csv, gains.csv,
convergence.csv} and, if a claim asks for what probe measured, reports/{gradients.csv, responses.csv}. Test errors are
those of the last epoch, in percent; the best epoch is beside them for comparison only, since choosing it would be
selection on the test set. A run of the grid that is missing, or was trained on another schedule, is an error that names
it. 1.5 s.
"""

import argparse
from pathlib import Path

import numpy as np
import pandas as pd

from pipeline import stage
from pipeline.analysis import claims, grid, intervals, pairs, published, verdicts
from pipeline.analysis.grid import Grid
from pipeline.analysis.measures import FIXED_ERRORS, MEASURES
from pipeline.analysis.tables import markdown, tallies
from pipeline.settings import params

CLAIMS = Path("data/claims.yaml")
REPORTS = Path("reports")
SOURCES = {"paper": "He et al. 2016", "study_a": "study A"}
Metrics = dict[str, dict[str, float | str | None]]


def main() -> None:
    args = arguments()
    settings = params.load()
    declared = claims.load(args.claims)
    kinds = [MEASURES[claim.measure] for claim in declared.claims]
    stages = sorted({measure.stage for measure in kinds} - {""})
    runs = grid.load(settings, stages, any(measure.kind == "initial" for measure in kinds))
    results = tabulate(runs, published.load(args.published))
    judged = verdicts.judge(declared, runs, sizes(runs.runs, args.family))
    gains = pairs.gains(runs, results, verdicts.seed_spread(declared, declared.claims, settings))
    tables = {"results": results, "claims": judged, "curves": runs.curves, "confusion": runs.confusion}
    tables |= {"gains": gains, "convergence": pairs.convergence(runs)}
    tables |= {name: getattr(runs, name) for name in grid.PROBED if "probe" in stages}
    for name, table in tables.items():
        stage.write(REPORTS / f"{name}.csv", table.to_csv(index=False, float_format="%.10g", lineterminator="\n"))
    stage.write(REPORTS / "results.md", markdown(results, judged, settings))
    stage.write_json(REPORTS / "metrics.json", metrics(results, gains, judged))
    print(results[["variant", "runs", "test_error", "test_error_sd"]].to_string(index=False))
    for kind, counts in tallies(judged).items():
        print(f"claims, {kind}: {', '.join(f'{count} {verdict}' for verdict, count in counts.items())}")


def arguments() -> argparse.Namespace:
    """The command line: files that are not the study's own runs."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--published", type=Path, default=published.TABLE, help=f"published values ({published.TABLE})")
    parser.add_argument("--claims", type=Path, default=CLAIMS, help=f"the claims to judge ({CLAIMS})")
    parser.add_argument("--family", type=Path, help="a table of networks whose parameters claims are about")
    return parser.parse_args()


def sizes(runs: pd.DataFrame, family: Path | None) -> dict[str, int]:
    """Parameters by variant, and by network of the `family` table if one is given."""
    count = dict(zip(runs["variant"], runs["parameters"], strict=True))
    if family:
        table = pd.read_csv(family)
        count |= dict(zip(table["network"], table["parameters"], strict=True))
    return count


def tabulate(runs: Grid, known: pd.DataFrame) -> pd.DataFrame:
    """One row a variant: mean and sample standard deviation over seeds, beside published errors of that network."""
    rows, settings = [], runs.settings
    for variant in settings.variants:
        arch, group = settings.arch[variant], runs.runs[runs.runs["variant"] == variant]
        error = group["test_error"].mean()
        images = group["test_images"].iloc[0]
        kind = "plain" if arch.shortcut == "none" else "resnet"
        net = f"{kind}{arch.layers}" if arch.papers else ""  # as published
        row = {"variant": variant, "net": net, "depth": arch.layers, "shortcut": arch.connection}
        row |= {"parameters": group["parameters"].iloc[0], "runs": len(group), "diverged": group["diverged"].sum()}
        row |= {"test_error": error, "test_error_sd": group["test_error"].std()}
        row["test_error_se"] = intervals.binomial_error(error, images)  # of one run on these images
        keys = ["train_error", "train_loss", "best_epoch", "best_test_error", *(f"epochs_to_{e}" for e in FIXED_ERRORS)]
        keys += ["instability", "confidence", "calibration_error"]
        others = [name for name, measure in MEASURES.items() if measure.stage]
        keys += [key for key in (*others, "val_error") if key in group]
        row |= {
            key: group[key].replace(np.inf, np.nan).mean(skipna=False) for key in keys
        }  # of epochs_to: if all reach it
        if len(runs.initial):
            row["gradient_reach_initial"] = runs.values("gradient_reach_initial", variant).mean()
        for source, begins in SOURCES.items():
            match = known[(known["net"] == net) & known["source"].str.startswith(begins)]
            row[source] = match["test_error"].iloc[0] if len(match) else np.nan
        if arch.shortcut == "identity":
            row["study_a"] = np.nan  # it has projections
        rows.append(row)
    return pd.DataFrame(rows).round(6)


def metrics(results: pd.DataFrame, gains: pd.DataFrame, judged: pd.DataFrame) -> Metrics:
    """What `dvc metrics diff` compares: errors a variant, what shortcuts gain, and the claims by count and each."""
    content: Metrics = {}
    for _, row in results.iterrows():
        keys = [key for key in ("test_error", "val_error", "train_error") if key in row]
        content[row["variant"]] = {key: number(row[key]) for key in keys}
    if len(gains):
        content["residual_gain"] = {row.residual: number(row.gain) for row in gains.itertuples()}
    counts = {
        kind: {verdict.replace(" ", "_"): count for verdict, count in tally.items()}
        for kind, tally in tallies(judged).items()
    }
    return content | {"claims": counts, "verdicts": dict(zip(judged["id"], judged["verdict"], strict=True))}


def number(value: float) -> float | None:
    """`value` to four decimals, or None if it is not finite, which JSON cannot say."""
    return round(float(value), 4) if np.isfinite(value) else None


if __name__ == "__main__":
    stage.run(main)
