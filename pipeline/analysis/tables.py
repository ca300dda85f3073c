"""The tables of README and report, as text: rounding, signs and headings in one place."""

from typing import Any

import numpy as np
import pandas as pd

from pipeline.settings.params import Params

SIGNS = {  # before a verdict, so that it can be read without its colour; in brackets what fewer than three seeds say
    "reproduced": "✓",
    "direction reproduced": "✓",
    "agrees in two runs": "(✓)",
    "agrees in one run": "(✓)",
    "direction agrees in two runs": "(✓)",
    "direction agrees in one run": "(✓)",
    "not reproduced": "✗",
    "direction not reproduced": "✗",
    "disagrees in two runs": "(✗)",
    "disagrees in one run": "(✗)",
    "direction disagrees in two runs": "(✗)",
    "direction disagrees in one run": "(✗)",
    "inconclusive": "?",
    "another protocol": "–",
    "not run": "–",
    "not judged": "–",
}
KINDS = {  # of claims, in the order of how much they take
    "count": "by counting parameters",
    "construction": "by construction",
    "initial": "before training",
    "trained": "by training",
}


def percent(mean: float, sd: float = np.nan, runs: int = 1) -> str:
    """`8.31 ± 0.20 (3)`: mean and sample standard deviation over that many runs; `8.31 (1)` for one run."""
    if not np.isfinite(mean):
        return "–"
    return f"{value(mean)} ± {sd:.2f} ({runs})" if np.isfinite(sd) else f"{value(mean)} ({runs})"


def value(number: float, form: str = ".2f") -> str:
    """A number in `form`, or a dash where there is none; a minus is a minus."""
    if not np.isfinite(number):
        return "–"
    text = format(number, form)
    return text.replace("-", "−") if float(text) else text.lstrip("-")  # 0 has no sign


def interval(low: float, high: float, form: str = ".2f") -> str:
    """`0.27 to 3.53`; an end where the data set no bound is infinite."""
    if np.isnan([low, high]).any():
        return "–"
    return " to ".join(value(x, form) if np.isfinite(x) else f"{'−' if x < 0 else ''}∞" for x in (low, high))


def results_table(results: pd.DataFrame) -> pd.DataFrame:
    """results.csv as it is shown: errors in percent, last epoch, mean ± sd (runs)."""
    table = pd.DataFrame(
        {
            "network": results["variant"] + np.where(results["diverged"] > 0, " (diverged)", ""),
            "test error %": [
                percent(*row) for row in results[["test_error", "test_error_sd", "runs"]].itertuples(index=False)
            ],
            "paper %": results["paper"].map(value),
            "study A %": results["study_a"].map(value),
            "train error %": results["train_error"].map(value),
            "layers": results["depth"],
            "shortcut": results["shortcut"],
            "parameters": [f"{count:,}" for count in results["parameters"]],
        }
    )
    return table if results["net"].any() else table.drop(columns=["paper %", "study A %"])


def verdict(name: str) -> str:
    """A verdict with its sign."""
    return f"{SIGNS[name]} {name}"


def tally(verdicts: pd.Series) -> dict[str, int]:
    """How many claims came to which verdict, those that none came to left out."""
    return {name: int((verdicts == name).sum()) for name in SIGNS if (verdicts == name).any()}


def tallies(judged: pd.DataFrame) -> dict[str, dict[str, int]]:
    """By kind of claim, how many came to which verdict; kinds without claims are left out."""
    return {
        kind: tally(judged.loc[judged["kind"] == kind, "verdict"]) for kind in KINDS if (judged["kind"] == kind).any()
    }


def facts(judged: pd.DataFrame, kind: str) -> tuple[int, int, bool]:
    """How many measures of a kind have a value, of how many quantities of single networks; whether some share one."""
    there = judged["ours"].notna() & (judged["n"] > 0) & ~judged["verdict"].isin(["not run", "not judged"])
    rows = judged[(judged["kind"] == kind) & there]
    every = [fact for row in rows["facts"] for fact in dict.fromkeys(row.split("; "))]
    return len(rows), len(set(every)), len(set(every)) < len(every)


def form(unit: str) -> str:
    """How a number of a unit is written: to two decimals, losses to three; to three digits where it may be small."""
    return ".3f" if unit == "nats" else ".2f" if unit in ("%", "points", "ratio", "decades") else ".3g"


def measured(row: pd.Series) -> str:
    """What became of a claim's measure: mean ± sd (n), > if it is a lower bound, or a count that needs no run."""
    if row["n"] > 0 and np.isfinite(row["ours"]):
        bound = {"censored: more than": "> ", "censored: less than": "< "}.get(row["test"], "")
        sd = f" ± {value(row['sd'], form(row['unit']))}" if np.isfinite(row["sd"]) else ""
        return f"{bound}{value(row['ours'], form(row['unit']))}{sd} ({int(row['n'])})"
    return value(row["ours"], ".4g")


def claims_table(claims: pd.DataFrame) -> pd.DataFrame:
    """claims.csv as it is shown: mean ± sd (n) with its interval beside what is published, the verdict and why."""
    ours = [measured(row) for _, row in claims.iterrows()]
    return pd.DataFrame(
        {
            "claim": claims["statement"],
            "measured as": claims["measured"] + ", " + claims["unit"],
            "ours": ours,
            "95 % interval": [
                interval(row["low"], row["high"], form(row["unit"])) if row["n"] > 0 else "–"
                for _, row in claims.iterrows()
            ],
            "published": [value(number, "g") for number in claims["published"]],
            "verdict": claims["verdict"].map(verdict),
            "why": claims["reason"],
        }
    )


def evidence_table(claims: pd.DataFrame) -> pd.DataFrame:
    """The rest of claims.csv: how each claim was tested, what is accepted, and where it is published."""
    known = claims[claims["test"].notna()]
    return pd.DataFrame(
        {
            "id": known["id"],
            "test": known["test"],
            "p": ["< 1e-300" if p < 1e-300 else value(p, ".2g") for p in known["p"]],
            "binomial error": [value(error) for error in known["binomial_se"]],
            "accepted": [
                interval(*row, "g") for row in known[["accepted_from", "accepted_to"]].itertuples(index=False)
            ],
            "source": known["source"],
            "note": known["note"].fillna(""),
        }
    )


def parts_table(claims: pd.DataFrame) -> pd.DataFrame:
    """A row a part that claims are grouped by: the verdicts by their signs, and its first measure."""
    rows = []
    for part, group in claims.groupby("part", sort=False):
        first = group.iloc[0]
        signs = (
            f"{SIGNS[name]} {count}{' in direction' if 'direction' in name else ''}"
            for name, count in tally(group["verdict"]).items()
        )
        kinds = ", ".join(words for kind, words in KINDS.items() if (group["kind"] == kind).any())
        row = {"claim": part, "kind": kinds, "verdicts": ", ".join(signs), "ours": measured(first)}
        row["published"] = value(first["published"], "g")
        rows.append(row | {"of": f"{first['measured']}, {first['unit']}"})
    return pd.DataFrame(rows)


def accuracy_table(curves: pd.DataFrame, runs: dict[str, dict[str, Any]], epochs: list[int]) -> pd.DataFrame:
    """Accuracy in training and in test after some epochs, and the gap between them, mean ± sd (runs).

    `runs` is metrics.json by run, from which the last epoch's test error is.
    """
    rows, curves = [], curves.copy()
    last = curves["epoch"] == curves.groupby(["variant", "seed"])["epoch"].transform("max")
    names = curves["variant"] + "-" + curves["seed"].astype(str)
    curves.loc[last, "test_error"] = names[last].map({name: run["test_error"] for name, run in runs.items()})
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
    best = results[["best_test_error", "best_epoch", "runs"]].itertuples(index=False)
    table["lowest error during training"] = [
        f"{value(error)} %, {'epoch' if runs == 1 else 'mean epoch'} {epoch:.3g}" for error, epoch, runs in best
    ]
    table["final error"] = [f"{value(error)} %" for error in results["test_error"]]
    return table


def ratios_table(convergence: pd.DataFrame) -> pd.DataFrame:
    """convergence.csv as it is shown, where the residual network of a pair gets there."""
    reached = convergence[convergence["ratio"].notna()]
    return pd.DataFrame(
        {
            "networks": reached["plain"] + " / " + reached["residual"],
            "test error": [f"≤ {error} %" for error in reached["error"]],
            "epochs": [
                f"{value(one, '.3g')} / {value(other, '.3g')}"
                for one, other in reached[["epochs_plain", "epochs_residual"]].itertuples(index=False)
            ],
            "ratio": [
                f"{'> ' if row.censored else ''}{percent(row.ratio, row.sd, int(row.n))}"
                for row in reached.itertuples()
            ],
            "95 % interval": [interval(*row) for row in reached[["low", "high"]].itertuples(index=False)],
        }
    )


def stability_table(results: pd.DataFrame) -> pd.DataFrame:
    """Training error as tested beside the running one and the test error, and how unsteady training was."""
    columns = {"network": results["variant"], "training error %, running": results["train_error"].map(value)}
    if "train_error_eval" in results:
        columns["training error %, as tested"] = results["train_error_eval"].map(value)
    columns["test error %"] = results["test_error"].map(value)
    columns["instability, log-odds"] = results["instability"].map(lambda x: value(x, ".3f"))
    return pd.DataFrame(columns)


def confidence_table(results: pd.DataFrame) -> pd.DataFrame:
    """How sure networks are of the classes that they predict, and how often they are right."""
    return pd.DataFrame(
        {
            "network": results["variant"],
            "mean probability of the predicted class %": results["confidence"].map(value),
            "test accuracy %": (100 - results["test_error"]).map(value),
            "expected calibration error, points": results["calibration_error"].map(value),
        }
    )


def factor(number: float) -> str:
    """To two digits: 0.36, 2.1, 160."""
    return value(float(f"{number:.2g}"), "g")


def layers_table(results: pd.DataFrame) -> pd.DataFrame:
    """What probe measured, by network: gradients of early layers as multiples of late ones', and responses."""
    columns = {"network": results["variant"]}
    for when, key in (("before", "gradient_reach_initial"), ("after", "gradient_reach")):
        columns[f"early / late gradient, {when} training"] = [factor(10**x) for x in results[key]]
    columns["response, mean over 3x3 layers"] = results["response_std"].map(lambda x: value(x, ".4f"))
    return pd.DataFrame(columns)


def markdown(results: pd.DataFrame, claims: pd.DataFrame, settings: Params) -> str:
    """results.md: under headings the claims, by part if they have any, and the table of networks with what was run."""
    seeds = ", ".join(map(str, settings.seeds))
    epochs = f"{settings.epochs} epoch{'s' if settings.epochs > 1 else ''} a network"
    run = f"{epochs}, seed{'s' if len(settings.seeds) > 1 else ''} {seeds}, last epoch"
    table = parts_table if has_parts(claims) else claims_table
    parts = ["## Claims", pipes(table(claims)), summary(claims)] if len(claims) else []
    parts += ["## Networks", pipes(results_table(results)), f"Run: `{settings.dataset}`, {run}."]
    return "\n\n".join(parts) + "\n"


def summary(claims: pd.DataFrame) -> str:
    """A line a kind of claim: how many measures came to which verdict, and what those of training are made of."""
    lines = []
    for kind, counts in tallies(claims).items():
        said = ", ".join(f"{verdict(name)} {count}" for name, count in counts.items())
        made = facts(claims, kind)
        total = sum(counts.values())
        on = f" {with_values(*made)}." if made[0] else ""
        lines.append(
            f"- {KINDS[kind].capitalize()}, {total} measure{'s' * (total > 1)}: {said}.{on * (kind == 'trained')}"
        )
    return "\n".join(lines)


def with_values(measures: int, quantities: int, shared: bool) -> str:
    """How many measures have a value, and whether they depend on one another, being made of the same quantities."""
    have = f"{measures} {'has a value' if measures == 1 else 'have values'}"
    several = f", made of {quantities} quantities of single networks; some share one, so they are not independent"
    return have + several * shared


def has_parts(claims: pd.DataFrame) -> bool:
    return claims["part"].fillna("").ne("").any()


def pipes(table: pd.DataFrame) -> str:
    """A table in Markdown, its values as they print."""
    lines = [list(table.columns), ["---"] * table.shape[1], *table.astype(str).to_numpy().tolist()]
    return "\n".join(f"| {' | '.join(line)} |" for line in lines)
