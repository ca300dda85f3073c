"""Each residual network beside the same one without its shortcuts: what they gain, and how much sooner it converges."""

import numpy as np
import pandas as pd

from pipeline.analysis.estimates import estimate
from pipeline.analysis.grid import Grid
from pipeline.analysis.measures import FIXED_ERRORS
from pipeline.settings.params import Params

KEYS = ["depth", "shortcut", "plain", "residual"]
GAINS = [*KEYS, "gain", "sd", "n", "low", "high", "test", "paper", "study_a"]
CONVERGENCE = [*KEYS, "error", "epochs_plain", "epochs_residual", "ratio", "censored", "sd", "n", "low", "high"]


def pairs(settings: Params) -> list[dict[str, object]]:
    """KEYS of each pair in the grid, from shallow to deep: a network, and the first that differs by its shortcuts."""
    plain = {}
    for variant in settings.variants:
        if settings.arch[variant].connection == "none":
            plain.setdefault(settings.arch[variant].model_dump_json(), variant)
    found = []
    for variant in settings.variants:
        arch = settings.arch[variant]
        without = arch.model_copy(update={"shortcut": "none"}).model_dump_json()
        if arch.connection != "none" and without in plain:
            found.append(dict(zip(KEYS, (arch.layers, arch.connection, plain[without], variant), strict=True)))
    return sorted(found, key=lambda pair: pair["depth"])


def gains(grid: Grid, results: pd.DataFrame, spread: float) -> pd.DataFrame:
    """A row a pair: the test error of the plain network less that of the residual one, in points, with its interval.

    `spread` over seeds counts where there are few, NaN if none is known; `paper` and `study_a` are the differences of
    their test errors.
    """
    published = results.set_index("variant")[["paper", "study_a"]]
    rows = []
    for pair in pairs(grid.settings):
        signs = {pair["plain"]: 1, pair["residual"]: -1}
        found = estimate(grid, "test_error", signs, spread=spread)
        values = {"gain": found.estimate.value, "sd": found.sd, "n": found.n}
        values |= {key: getattr(found.estimate, key) for key in ("low", "high", "test")}
        rows.append(pair | values | (published.loc[pair["plain"]] - published.loc[pair["residual"]]).to_dict())
    return pd.DataFrame(rows, columns=GAINS)


def convergence(grid: Grid) -> pd.DataFrame:
    """A row a pair and fixed error: the first epoch at or below that test error, mean over seeds, plain to residual.

    Epochs are those at the first rate, NaN where not every run gets there. `ratio` above 1 says that the residual
    network is sooner; where the plain one does not get there it is `censored`, the least that it can be.
    """
    rows = []
    for pair in pairs(grid.settings):
        for error in FIXED_ERRORS:
            measure, one, other = f"epochs_to_{error}", pair["plain"], pair["residual"]
            epochs = [float(grid.values(measure, variant).mean()) for variant in (one, other)]
            shown = [value if np.isfinite(value) else np.nan for value in epochs]
            row = pair | {"error": error, "epochs_plain": shown[0], "epochs_residual": shown[1]}
            if np.isfinite(epochs[1]):
                found = estimate(grid, measure, {one: 1}, {other: 1})
                row |= {"ratio": found.estimate.value, "censored": np.isinf(epochs[0]), "sd": found.sd, "n": found.n}
                row |= {"low": found.estimate.low, "high": found.estimate.high}
            rows.append(row)
    return pd.DataFrame(rows, columns=CONVERGENCE)
