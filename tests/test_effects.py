"""Effects and verdicts, worked out by hand, on grids of all kinds."""

import numpy as np
import pandas as pd
import pytest

from pipeline import effects

SHORTCUTS = {"p": "none", "b": "projection", "a": "identity"}


def table(se: float = 0.1, paper: float = np.nan, study_a: float = np.nan, **errors: float) -> pd.DataFrame:
    """A results table of networks named by shortcut and depth, p20 or b56, with these test errors."""
    rows = [
        {"variant": name, "depth": int(name[1:3]), "shortcut": SHORTCUTS[name[0]], "test_error": error}
        for name, error in errors.items()
    ]
    return pd.DataFrame(rows).assign(
        net=list(errors), test_error_se=se, runs=1, diverged=0, paper=paper, study_a=study_a
    )


def test_networks_that_are_not_the_papers_are_left_out():
    results = table(p20=9, a20=8, p56=13)
    results.loc[results["variant"] == "p56", "net"] = ""
    assert effects.compare(results, "cifar10", 200)["of"].tolist() == ["a20"]


def compared(results: pd.DataFrame) -> pd.DataFrame:
    return effects.compare(results, "cifar10", 200).set_index(["effect", "of"])


def test_every_deeper_network_is_compared_with_the_shallowest():
    rows = compared(table(p20=10.0, p56=13.0, p32=11.0))
    assert rows["ours"].to_dict() == {("depth_effect", "p32"): 1.0, ("depth_effect", "p56"): 3.0}


def test_both_kinds_of_shortcut_stand_in_one_table():
    rows = compared(table(p20=10.0, p56=13.0, b20=9.0, b56=7.0, a20=9.5, a56=8.0))
    assert rows.loc[("gain_growth", "b56"), "ours"] == 5.0  # 13 - 7 - (10 - 9)
    assert rows.loc[("gain_growth", "a56"), "ours"] == 4.5
    assert rows.loc[("amplification", "a56"), "ours"] == 10.0
    assert rows["measure"].is_unique


def test_without_plain_networks_there_is_no_gain():
    assert compared(table(b20=9.0, b56=7.0)).index.tolist() == [("depth_effect", "b56")]


def test_two_networks_of_one_kind_and_depth_are_no_depth_effect():
    assert compared(table(p20=9.0, p20x=8.0)).empty


def test_a_gain_that_was_not_there_cannot_grow_by_a_factor():
    rows = compared(table(p20=9.0, b20=9.5, p56=13.0, b56=7.0, paper=1.0))
    assert np.isnan(rows.loc[("amplification", "b56"), "ours"])
    assert rows.loc[("amplification", "b56"), "verdict"] == "undefined: there is no gain to grow"


@pytest.mark.parametrize(
    ("ours", "published", "expected"),
    [
        (3.0, 4.1, "same direction"),
        (3.0, -1.0, "opposite direction"),
        (-3.0, -1.0, "same direction"),
        (0.19, 4.1, "inconclusive"),
        (0.0, 0.0, "inconclusive"),
        (3.0, np.nan, "nothing published"),
    ],
)
def test_a_verdict_is_on_the_direction_and_needs_two_standard_errors(ours, published, expected):
    values = {"ours": ours, "se": 0.1, "paper": np.nan, "study_a": published}
    assert effects.verdict(values, "cifar10", 200, diverged=False) == expected
    if expected != "nothing published":
        assert effects.verdict(values, "cifar10", 199, diverged=False) == f"{expected} (short schedule)"


def test_generated_images_and_diverged_runs_are_not_judged():
    values = {"ours": 3.0, "se": 0.1, "paper": 3.0, "study_a": 3.0}
    assert effects.verdict(values, "synthetic", 200, diverged=False) == "not judged: generated images"
    assert effects.verdict(values, "cifar10", 200, diverged=True) == "not judged: a run diverged"


def test_study_a_is_preferred_where_it_has_the_networks():
    values = {"ours": 3.0, "se": 0.1, "paper": -3.0, "study_a": 3.0}
    assert effects.verdict(values, "cifar10", 200, diverged=False) == "same direction"
    assert effects.verdict(values | {"study_a": np.nan}, "cifar10", 200, diverged=False) == "opposite direction"
