"""Do results agree with those of another commit? By network, how far apart they are, and how sure that is.

    python -m pipeline.tools.compare main
    python -m pipeline.tools.compare main studies/batchnorm

For results that were trained again: on another machine, with other code or with other parameters (`dvc exp run`). Of
the networks and seeds that both have, the test errors after the last epoch are compared, in the working tree and in
BASE, paired by seed. An interval is made as for a claim (pipeline/analysis/estimates.py): over seeds from three on,
else over test images, with the spread over seeds that is declared for such runs; where none is there is no interval.
Then come the verdicts that differ, each on all runs of its side. Trains nothing, needs no data, writes nothing. 7 s.
"""

import argparse
import tempfile
from collections.abc import Iterator
from contextlib import chdir
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd

from pipeline import stage
from pipeline.analysis import claims, grid
from pipeline.analysis.estimates import estimate
from pipeline.analysis.grid import Grid
from pipeline.analysis.tables import interval, percent, pipes, value
from pipeline.analysis.verdicts import seed_spread
from pipeline.settings import params
from pipeline.settings.params import Params
from pipeline.stage import RUNS, StageError
from pipeline.tools.same_bits import grids, unpack

OTHER = "_in_base"  # after a variant's name, where the networks of both are in one grid


@dataclass(frozen=True)
class Results:
    """Of one study: `folder` has its params.yaml. `machines` are by the runs' names, `verdicts` by the claims' ids."""

    folder: Path
    grid: Grid
    machines: dict[str, set[str]]
    verdicts: dict[str, str]

    def trained_on(self, names: list[str]) -> str:
        """The machines that runs of those names were trained on, in words."""
        return "; ".join(sorted(set().union(*(self.machines[name] for name in names))))

    def start(self, variant: str) -> str:
        """The record of the weights that a variant's runs start from; empty if they are random."""
        path = self.folder / "reports/starts" / f"{variant}.json"
        return path.read_text() if path.exists() else ""

    def predicted(self, name: str) -> np.ndarray:
        """The class that a run predicts of every test image (images,)."""
        return pd.read_csv(self.folder / RUNS / name / "predictions.csv")["predicted"].to_numpy()


def main() -> None:
    args = arguments()
    with tempfile.TemporaryDirectory() as temporary:
        unpack(args.base, Path(temporary))
        for folder in args.study:
            print("\n\n".join(compared(folder, Path(temporary), args.base)), end="\n\n", flush=True)


def arguments() -> argparse.Namespace:
    """The command line. Raises StageError for a folder that is no study."""
    known = [path.parent for path in grids(stage.TOP)]
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("base", metavar="BASE", help="a commit, branch or tag to compare the working tree with")
    parser.add_argument("study", nargs="*", type=Path, help="a folder, as studies/transfer (., the main study)")
    args = parser.parse_args()
    args.study = args.study or [Path()]
    for folder in args.study:
        if folder not in known:
            raise StageError(f"{folder} is no study; allowed: {', '.join(map(str, known))}")
    return args


def compared(folder: Path, base_tree: Path, base: str) -> Iterator[str]:
    """What is to be said of the study in `folder`: paragraphs and a table. `base_tree` has the files of BASE.

    Raises StageError if a run is missing or unfit, if nothing can be paired, or if the test images are not the same.
    """
    if not (base_tree / folder / "params.yaml").exists():
        raise StageError(f"{base} has no study in {folder}")
    here, there = load(stage.TOP / folder, "the working tree"), load(base_tree / folder, base)
    variants, seeds = paired(here.grid, there.grid)
    names = [f"{variant}-{seed}" for variant in variants for seed in seeds]
    both = joined(here.grid, there.grid, variants, seeds)
    spread = declared_spread(folder, [here.grid.settings, there.grid.settings])
    rows, tests = zip(*(row(here, there, both, variant, spread) for variant in variants), strict=True)
    title = "main study" if folder == Path() else str(folder)
    yield f"**{title}**: the working tree (here) and {base} (there)"
    facts = {
        "Parameters": differences(here, there, variants),
        "Not in both": unpaired(here.grid.settings, there.grid.settings),
        "Trained here on": here.trained_on(names),
        "Trained there on": there.trained_on(names),
        "Intervals": "; ".join(sorted({*tests} - {""})),
    }
    yield "\n".join(f"- {key}: {said}" for key, said in facts.items() if said)
    yield pipes(pd.DataFrame(rows))
    yield verdicts(here.verdicts, there.verdicts)


def load(folder: Path, tree: str) -> Results:
    """The results of the study in `folder`. Raises StageError, which names the `tree`, if a run is missing or unfit."""
    with chdir(folder):
        try:
            runs = grid.load(params.load())
            sessions = {name: grid.read(name, "environment.json")["sessions"] for name in runs.wrong}
        except StageError as error:
            raise StageError(f"{tree}: {error}") from None
        path = Path("reports/claims.csv")
        judged = pd.read_csv(path) if path.exists() else pd.DataFrame(columns=["id", "verdict"])
    machines = {name: {machine(session) for session in each} for name, each in sessions.items()}
    return Results(folder, runs, machines, dict(zip(judged["id"], judged["verdict"], strict=True)))


def paired(here: Grid, there: Grid) -> tuple[list[str], list[int]]:
    """The variants and seeds that both have. Raises StageError if there are none, or the test images differ."""
    data = [side.runs["data"].iloc[0] for side in (here, there)]
    if data[0] != data[1]:
        tested = [f"{each['dataset']} ({each.get('identity')}, sha256 {each.get('content_sha256')})" for each in data]
        raise StageError(f"they were tested on other images: {tested[0]} here, {tested[1]} there")
    ours, theirs = here.settings, there.settings
    variants = [name for name in ours.variants if name in theirs.variants]
    seeds = sorted({*ours.seeds} & {*theirs.seeds})
    if not variants or not seeds:
        raise StageError(
            f"nothing to compare: {', '.join(ours.variants)} with seeds {ours.seeds} here, "
            f"{', '.join(theirs.variants)} with seeds {theirs.seeds} there"
        )
    return variants, seeds


def joined(here: Grid, there: Grid, variants: list[str], seeds: list[int]) -> Grid:
    """One grid of the runs of both, those of `there` with OTHER after their variant's name."""
    runs, curves, wrong = [], [], {}
    for side, suffix in ((here, ""), (there, OTHER)):
        for tables, table in ((runs, side.runs), (curves, side.curves)):
            table = table[table["variant"].isin(variants) & table["seed"].isin(seeds)]
            tables.append(table.assign(variant=table["variant"] + suffix).sort_values("seed", kind="stable"))
        wrong |= {f"{name}{suffix}-{seed}": side.wrong[f"{name}-{seed}"] for name in variants for seed in seeds}
    settings = here.settings.model_copy(update={"seeds": seeds})
    return replace(here, settings=settings, runs=pd.concat(runs), curves=pd.concat(curves), wrong=wrong)


def declared_spread(folder: Path, settings: list[Params]) -> float:
    """The largest spread over seeds that the study's claims file declares for runs like these, in points of error.

    NaN if there is none for some of them.
    """
    paths = [stage.TOP / folder / name for name in ("claims.yaml", "data/claims.yaml")]
    declared = next((claims.load(path) for path in paths if path.exists()), None)
    return np.max([seed_spread(declared, declared.claims, each) for each in settings]) if declared else np.nan


def row(here: Results, there: Results, both: Grid, variant: str, spread: float) -> tuple[dict[str, str], str]:
    """Test errors of one network here and there, in percent, their difference, in points, and how that was tested."""
    ours, theirs = (both.values("test_error", name) for name in (variant, variant + OTHER))
    found = estimate(both, "test_error", {variant: 1, variant + OTHER: -1}, spread=spread).estimate
    names = [f"{variant}-{seed}" for seed in both.settings.seeds]
    otherwise = float(np.mean([here.predicted(name) != there.predicted(name) for name in names]))
    cells = {
        "network": variant,
        "test error % here": shown(ours),
        "there": shown(theirs),
        "here − there, points": value(found.value),
        "95 % interval": interval(found.low, found.high) if otherwise else "same predictions",
        "largest of a seed": value(float(np.abs(ours - theirs).max())),
        "images predicted otherwise": f"{value(100 * otherwise)} %",
    }
    return cells, found.test if otherwise else ""


def shown(errors: np.ndarray) -> str:
    """The mean of errors (n,), one a seed, with their sample standard deviation."""
    return percent(errors.mean(), errors.std(ddof=1) if len(errors) > 1 else np.nan, len(errors))


def differences(here: Results, there: Results, variants: list[str]) -> str:
    """What the runs of `variants` depend on and is not the same: parameters, and weights that they start from."""
    flat = []
    for settings in (here.grid.settings, there.grid.settings):
        content = settings.model_dump(exclude={"arch", "seeds", "variants"})
        for variant in variants:
            content |= {f"arch.{variant}.{key}": at for key, at in settings.arch[variant].model_dump().items()}
        flat.append(content)
    found = [f"{key} is {at} here, {flat[1][key]} there" for key, at in flat[0].items() if at != flat[1][key]]
    starts = [[side.start(variant) for variant in variants] for side in (here, there)]
    found += [
        f"{variant} starts from other weights"
        for variant, *pair in zip(variants, *starts, strict=True)
        if pair[0] != pair[1]
    ]
    return "; ".join(found) or "the same"


def unpaired(here: Params, there: Params) -> str:
    """Which variants and seeds only one of the two has."""
    return "; ".join(
        f"{key} {', '.join(map(str, only))} only {where}"
        for key in ("variants", "seeds")
        for where, one, other in (("here", here, there), ("there", there, here))
        if (only := [each for each in getattr(one, key) if each not in getattr(other, key)])
    )


def machine(session: dict[str, Any]) -> str:
    """What a session of environment.json ran on; of what earlier versions did not note, nothing."""
    facts = [session.get(key) for key in ("hardware", "capability", "precision")]
    facts += [f"{key} {session[key]}" for key in ("threads", "torch") if key in session]
    return ", ".join(fact for fact in facts if fact)


def verdicts(here: dict[str, str], there: dict[str, str]) -> str:
    """On how many claims both agree, and the others with both verdicts."""
    shared = [name for name in here if name in there]
    if not shared:
        return "No claim was judged in both."
    others = [f"- {name}: {here[name]} here, {there[name]} there" for name in shared if here[name] != there[name]]
    said = f"Verdicts, each on all runs of its side: the same on {len(shared) - len(others)} of {len(shared)} claims"
    return "\n".join([f"{said}; not on", "", *others] if others else [f"{said}."])


if __name__ == "__main__":
    stage.run(main)
