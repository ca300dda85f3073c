"""Batchnorm: the numbers of the tables, and no more said of the study than the claims allow."""

from pathlib import Path

import pandas as pd
import pytest

from pipeline.reporting.batchnorm import CLAIMS, explained

NO_OVERFITTING, ANOTHER_CAUSE = "That is no overfitting", "which could explain the rest"


def shown(folder: Path, verdicts: list[str], low: float = 4.0, gained: float = 28.5) -> str:
    """The text for these verdicts, of an accuracy that is at least `low` and a gain that is at least `gained`."""
    claims = pd.DataFrame({"id": CLAIMS, "ours": [6.0, 1.5, 31.25], "low": [low, 0, gained], "high": [8.0, 3, 34.0]})
    claims["n"], claims["verdict"], claims["reason"] = 10, verdicts, "the images were generated"
    claims.to_csv(folder / "claims.csv")
    results = pd.DataFrame({"variant": ["quick", "slow"], "train_error": [55.0, 55.5], "test_error": [58.0, 94.0]})
    results["train_error_eval"], results["test_error_reestimated"] = [50.0, 93.0], [58.5, 62.75]
    results.to_csv(folder / "results.csv")
    return explained(folder).data


def test_the_numbers_are_those_of_the_tables(tmp_path):
    text = shown(tmp_path, ["reproduced"] * 3)
    for words in (
        "44.50 % in training",
        "torch's 45.00 %",
        "10 seeds",
        "6.00 % (95 % interval 4.00 to 8.00)",
        "guessing gives 5.88 %",
        "has 7.00 % when it is tested",
        "37.25 %",
        "31.25 points more (95 % interval 28.50 to 34.00)",
    ):
        assert words in text, words


def test_the_study_is_explained_only_if_every_claim_holds(tmp_path):
    assert "most likely none" in shown(tmp_path, ["reproduced"] * 3)
    for verdict in ("not reproduced", "inconclusive"):
        text = shown(tmp_path, ["reproduced", "reproduced", verdict])
        assert "most likely none" not in text
        assert "Of the 3 claims that were declared beforehand 2 hold." in text


@pytest.mark.parametrize(
    ("low", "gained", "said"),
    [(6.0, 28.5, [NO_OVERFITTING, ANOTHER_CAUSE]), (5.0, 28.5, [NO_OVERFITTING]), (6.0, -1.0, [])],
)
def test_what_is_said_beyond_the_claims_rests_on_the_intervals(tmp_path, low, gained, said):
    text = shown(tmp_path, ["inconclusive", "not reproduced", "inconclusive"], low, gained)
    assert [words for words in (NO_OVERFITTING, ANOTHER_CAUSE) if words in text] == said


def test_nothing_follows_from_claims_that_are_not_judged(tmp_path):
    text = shown(tmp_path, ["not judged", "another protocol", "reproduced"], 6.0)
    assert "are not judged (the images were generated). So nothing follows" in text
    assert NO_OVERFITTING not in text and "declared beforehand" not in text
