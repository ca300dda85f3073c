"""Pairs: a network and the same without its shortcuts, and what lies between them."""

import numpy as np
import pandas as pd
import pytest
from conftest import grid_of

from pipeline.analysis import pairs

ARCH = {
    "p14": {"depth": 14, "shortcut": "none"},
    "r14": {"depth": 14, "shortcut": "projection"},
    "p8": {"depth": 8, "shortcut": "none"},
    "r8": {"depth": 8, "shortcut": "projection"},
    "a8": {"depth": 8, "shortcut": "identity"},
    "wide8": {"depth": 8, "shortcut": "identity", "width_factor": 2},
}


def test_a_pair_differs_by_its_shortcuts_alone(settings):
    found = pairs.pairs(settings(arch=ARCH, variants=list(ARCH)))
    assert [tuple(pair.values()) for pair in found] == [
        (8, "projection", "p8", "r8"), (8, "identity", "p8", "a8"), (14, "projection", "p14", "r14"),
    ]  # fmt: skip
    assert pairs.pairs(settings(arch=ARCH, variants=["wide8", "p14"])) == []


@pytest.fixture
def grid(settings):
    given = settings(dataset="cifar10", arch=ARCH, variants=["p8", "r8"], seeds=[0, 1], epochs=50)
    epochs = {20: {"p8": [8.0, 8.0], "r8": [4.0, 4.0]}, 10: {"p8": [np.inf, 9.0], "r8": [5.0, 5.0]}}
    measured = {f"epochs_to_{error}": epochs.get(error, epochs[20]) for error in (50, 40, 30, 20, 15, 10)}
    return grid_of(given, {"p8": [20.0, 22.0], "r8": [10.0, 11.0]}, **measured)


def test_gains_are_differences_of_means_with_the_published_ones_beside(grid):
    results = pd.DataFrame({"variant": ["p8", "r8"], "paper": [9.69, 8.75], "study_a": [9.16, np.nan]})
    (row,) = pairs.gains(grid, results, 0.4).to_dict("records")
    assert (row["gain"], row["n"]) == (10.5, 2)
    assert row["test"] == "bootstrap over images, spread of both seeds"
    assert row["paper"] == pytest.approx(0.94)
    assert np.isnan(row["study_a"])
    assert row["low"] < 10.5 < row["high"]


def test_convergence_is_a_ratio_or_the_least_that_it_can_be(grid):
    rows = pairs.convergence(grid).set_index("error")
    assert rows.loc[20, ["epochs_plain", "epochs_residual", "ratio"]].tolist() == [8, 4, 2]
    assert rows.loc[20, "low"] < 2 < rows.loc[20, "high"]
    assert np.isnan(rows.loc[10, "epochs_plain"])
    assert rows.loc[10, ["ratio", "censored"]].tolist() == [(20 + 9) / 2 / 5, True]  # 20 of 50 epochs at the first rate
