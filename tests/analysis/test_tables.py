"""How numbers are written in README and report."""

import numpy as np
import pandas as pd
import pytest

from pipeline.analysis import tables


def test_a_mean_is_written_with_its_spread_and_count():
    assert tables.percent(8.314, 0.2049, 3) == "8.31 ± 0.20 (3)"
    assert tables.percent(8.314, np.nan, 1) == "8.31 (1)"
    assert tables.percent(np.nan) == "–"


def test_the_convergence_table_has_a_dash_where_an_error_is_never_reached():
    results = pd.DataFrame(
        {
            "variant": ["plain20"],
            "epochs_to_50": [2.0],
            "epochs_to_10": [np.nan],
            "best_test_error": [12.0],
            "best_epoch": [3],
            "runs": [1],
            "test_error": [12.5],
        }
    )
    row = tables.convergence_table(results).iloc[0]
    assert row.tolist() == ["plain20", "2", "–", "12.00 %, epoch 3", "12.50 %"]
    several = tables.convergence_table(results.assign(best_epoch=83 / 3, runs=3)).iloc[0]
    assert several["lowest error during training"] == "12.00 %, mean epoch 27.7"


def claims_of(*rows: tuple) -> pd.DataFrame:
    keys = ["part", "statement", "measured", "unit", "ours", "sd", "n", "low", "high", "published", "verdict", "reason"]
    return pd.DataFrame(rows, columns=keys).assign(kind="trained", test="t")


@pytest.fixture
def claims():
    nan = np.nan
    return claims_of(
        ("P", "a", "x", "%", 10.0, 0.5, 3, 8.758, 11.242, 9.0, "reproduced", "r"),
        ("P", "b", "y", "M", 0.269722, nan, 0, 0.27, 0.27, 0.27, "direction not reproduced", "s"),
        ("Q", "c", "z", "%", nan, nan, 0, nan, nan, nan, "not run", "t"),
        ("Q", "d", "w", "sd", 0.0192, 0.0038, 2, -0.0013, 0.04, nan, "inconclusive", "u"),
        ("Q", "e", "v", "ratio", 1.76, 2.17, 2, -np.inf, np.inf, 6.0, "inconclusive", "v"),
    )


def test_claims_show_spread_number_interval_and_reason(claims):
    table = tables.claims_table(claims)
    assert list(table["ours"]) == ["10.00 ± 0.50 (3)", "0.2697", "–", "0.0192 ± 0.0038 (2)", "1.76 ± 2.17 (2)"]
    assert list(table["95 % interval"]) == ["8.76 to 11.24", "–", "–", "−0.0013 to 0.04", "−∞ to ∞"]
    assert list(table["published"]) == ["9", "0.27", "–", "–", "6"]
    assert list(table["verdict"])[:3] == ["✓ reproduced", "✗ direction not reproduced", "– not run"]
    assert list(table["why"]) == ["r", "s", "t", "u", "v"]


def test_parts_show_their_verdicts_by_sign_and_their_first_measure(claims):
    rows = tables.parts_table(claims).to_dict("records")
    assert rows[0] == {
        "claim": "P", "kind": "by training", "verdicts": "✓ 1, ✗ 1 in direction", "ours": "10.00 ± 0.50 (3)",
        "published": "9", "of": "x, %",
    }  # fmt: skip
    assert rows[1]["verdicts"] == "? 2, – 1"


def test_verdicts_are_counted_and_those_that_none_came_to_are_left_out(claims):
    assert tables.tally(claims["verdict"]) == {
        "reproduced": 1, "direction not reproduced": 1, "inconclusive": 2, "not run": 1,
    }  # fmt: skip


def test_kinds_of_claims_are_tallied_apart_with_the_facts_that_they_rest_on(claims):
    more = claims.assign(kind=["trained", "count", "trained", "trained", "trained"])
    more = more.assign(facts=["e of a; e of b", "n of a", "e of c", "e of a", "f of a; e of b"], n=[1, 0, 0, 1, 1])
    assert tables.tallies(more) == {
        "count": {"direction not reproduced": 1},
        "trained": {"reproduced": 1, "inconclusive": 2, "not run": 1},
    }
    assert tables.facts(more, "trained") == (3, 3, True)  # of two measures both are made of one, so three are of three
    assert tables.facts(more[:1], "trained") == (1, 2, False)
    assert tables.with_values(1, 2, False) == "1 has a value"
    assert tables.facts(more.assign(ours=np.nan), "trained") == (0, 0, False)  # runs that never reached an error, say
    assert tables.summary(more).splitlines() == [
        "- By counting parameters, 1 measure: ✗ direction not reproduced 1.",
        "- By training, 4 measures: ✓ reproduced 1, ? inconclusive 2, – not run 1. 3 have values, made of "
        "3 quantities of single networks; some share one, so they are not independent.",
    ]


def test_a_lower_bound_is_shown_as_one(claims):
    bound = claims.assign(test="censored: more than", unit="ratio", ours=1.5, sd=np.nan, n=1)
    assert tables.measured(bound.iloc[0]) == "> 1.50 (1)"
    assert tables.measured(bound.assign(test="censored: less than").iloc[0]) == "< 1.50 (1)"


def test_losses_have_three_decimals_and_errors_two(claims):
    loss = claims.assign(unit="nats", ours=0.55216, sd=0.00013, n=2).iloc[0]
    assert tables.measured(loss) == "0.552 ± 0.000 (2)"
    assert tables.measured(loss.replace({"nats": "%"})) == "0.55 ± 0.00 (2)"


def test_what_a_claim_was_tested_with_is_shown_of_those_that_were(claims):
    more = claims.assign(id=list("abcde"), test=["t", "a count", None, "w", "f"], p=[0.0123, np.nan, np.nan, 0.2, 1])
    more = more.assign(binomial_se=[0.3] + [np.nan] * 4, accepted_from=[8.4] + [np.nan] * 4, source="s", note=None)
    more = more.assign(accepted_to=[9.6] + [np.nan] * 4)
    table = tables.evidence_table(more)
    assert tables.evidence_table(more.assign(p=0.0)).loc[0, "p"] == "< 1e-300"
    assert tables.evidence_table(more.assign(p=2.4e-313)).loc[0, "p"] == "< 1e-300"
    assert table.iloc[0].tolist() == ["a", "t", "0.012", "0.30", "8.4 to 9.6", "s", ""]
    assert list(table["id"]) == ["a", "b", "d", "e"]


def test_zero_has_no_sign_and_a_minus_is_a_minus():
    assert tables.value(-0.0001) == "0.00"
    assert tables.value(-1.5) == "−1.50"
    assert tables.interval(-np.inf, 2) == "−∞ to 2.00"


def test_ratios_are_shown_where_both_networks_got_there():
    keys = [
        "plain",
        "residual",
        "error",
        "epochs_plain",
        "epochs_residual",
        "ratio",
        "censored",
        "sd",
        "n",
        "low",
        "high",
    ]
    rows = [
        ("p", "r", 50, 3.0, 1.5, 2.0, False, 0.2, 2.0, 1.5, 2.5),
        ("p", "r", 20, np.nan, 9.0, 80 / 9, True, np.nan, 1.0, 80 / 9, np.inf),
        ("p", "r", 10, np.nan, np.nan, *[np.nan] * 6),
    ]
    table = tables.ratios_table(pd.DataFrame(rows, columns=keys))
    assert table.to_numpy().tolist() == [
        ["p / r", "≤ 50 %", "3 / 1.5", "2.00 ± 0.20 (2)", "1.50 to 2.50"],
        ["p / r", "≤ 20 %", "– / 9", "> 8.89 (1)", "8.89 to ∞"],
    ]


def test_gradients_are_told_as_factors():
    results = pd.DataFrame({"variant": ["a", "b"], "gradient_reach_initial": [2.2064, -0.44], "gradient_reach": np.nan})
    table = tables.layers_table(results.assign(response_std=[1.0, 0.5]))
    assert list(table["early / late gradient, before training"]) == ["160", "0.36"]
    assert list(table["early / late gradient, after training"]) == ["–", "–"]


def test_the_training_error_as_tested_stands_beside_the_running_one_where_probe_measured_it():
    results = pd.DataFrame({"variant": ["a"], "train_error": [10.0], "test_error": [12.0]})
    results = results.assign(instability=0.0123)
    assert tables.stability_table(results).iloc[0].tolist() == ["a", "10.00", "12.00", "0.012"]
    shown = tables.stability_table(results.assign(train_error_eval=8.5))
    assert shown["training error %, as tested"].tolist() == ["8.50"]


def test_accuracies_are_shown_with_the_gap_between_them():
    curves = pd.DataFrame({"variant": "a", "seed": [0, 0, 1, 1], "epoch": [1, 2, 1, 2]})
    curves["train_error"], curves["test_error"] = [50.0, 20, 50, 10], [50.0, 41, 60, 51]
    runs = {"a-0": {"test_error": 40.0}, "a-1": {"test_error": 50.0}}  # in the last epoch, by evaluate
    first, row = tables.accuracy_table(curves, runs, [1, 2]).to_dict("records")
    assert first["test accuracy %"] == "45.00 ± 7.07 (2)"
    assert row == {
        "network": "a", "epoch": 2, "training accuracy %": "85.00 ± 7.07 (2)", "test accuracy %": "55.00 ± 7.07 (2)",
        "gap, points": "30.00 ± 14.14 (2)",
    }  # fmt: skip
