"""How numbers are written in README and report."""

import numpy as np
import pandas as pd

from pipeline import tables


def test_a_mean_is_written_with_its_spread_and_count():
    assert tables.percent(8.314, 0.2049, 3) == "8.31 ± 0.20 (3)"
    assert tables.percent(8.314, np.nan, 1) == "8.31 (1)"
    assert tables.percent(np.nan) == "–"


def test_effects_carry_their_sign_and_the_amplification_is_a_factor():
    effects = pd.DataFrame(
        {
            "effect": ["depth_effect", "amplification"],
            "statement": ["a", "b"],
            "measure": ["c", "d"],
            "ours": [-1.304, 5.91],
            "paper": [np.nan, np.nan],
            "study_a": [4.13, 5.9],
            "verdict": ["", ""],
        }
    )
    table = tables.effects_table(effects)
    assert table["ours"].tolist() == ["−1.30", "5.9x"]
    assert table["paper"].tolist() == ["–", "–"]
    assert table["study A"].tolist() == ["+4.13", "5.9x"]


def test_the_convergence_table_has_a_dash_where_an_error_is_never_reached():
    results = pd.DataFrame(
        {
            "variant": ["plain20"],
            "epochs_to_50": [2.0],
            "epochs_to_10": [np.nan],
            "best_test_error": [12.0],
            "best_epoch": [3],
            "test_error": [12.5],
        }
    )
    row = tables.convergence_table(results).iloc[0]
    assert row.tolist() == ["plain20", "2", "–", "12.00 % in 3", "12.50 %"]


def test_claims_show_spread_number_and_reason():
    claims = pd.DataFrame(
        {
            "statement": ["a", "b", "c"], "measured": ["x", "y", "z"], "ours": [10.0, 11.69, np.nan],
            "sd": [0.5, np.nan, np.nan], "n": [3, np.nan, 0], "published": [9.0, 11.7, np.nan],
            "verdict": ["reproduced", "reproduced", "not run"], "reason": ["r", "s", "t"],
        }
    )  # fmt: skip
    table = tables.claims_table(claims)
    assert list(table["ours"]) == ["10.00 ± 0.50 (3)", "11.69", "–"]
    assert list(table["published"]) == ["9", "11.7", "–"]
    assert list(table["why"]) == ["r", "s", "t"]


def test_accuracies_are_shown_with_the_gap_between_them():
    curves = pd.DataFrame({"variant": "a", "seed": [0, 0, 1, 1], "epoch": [1, 2, 1, 2]})
    curves["train_error"], curves["test_error"] = [50.0, 20, 50, 10], [50.0, 40, 60, 50]
    (row,) = tables.accuracy_table(curves, [2]).to_dict("records")
    assert row == {
        "network": "a", "epoch": 2, "training accuracy %": "85.00 ± 7.07 (2)", "test accuracy %": "55.00 ± 7.07 (2)",
        "gap, points": "30.00 ± 14.14 (2)",
    }  # fmt: skip
