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
