"""Batchnorm: the numbers of the tables, and an answer only if every claim holds."""

import pandas as pd
import pytest

from pipeline.reporting.batchnorm import CLAIMS, explained


@pytest.mark.parametrize("verdict", ["reproduced", "not reproduced"])
def test_the_answer_is_that_of_the_claims(tmp_path, verdict):
    claims = pd.DataFrame({"id": CLAIMS, "ours": [6.0, 1.5, 31.25], "low": [4.0, 0, 28.5], "high": [8.0, 3, 34.0]})
    claims["n"], claims["verdict"] = 10, ["reproduced", "reproduced", verdict]
    claims.to_csv(tmp_path / "claims.csv")
    results = pd.DataFrame({"variant": ["quick", "slow"], "train_error": [55.0, 55.5], "test_error": [58.0, 94.0]})
    results["train_error_eval"], results["test_error_reestimated"] = [50.0, 93.0], [58.5, 62.75]
    results.to_csv(tmp_path / "results.csv")
    shown = explained(tmp_path).data
    for words in (
        "44.50 % in training",
        "torch's 45.00 %",
        "10 seeds",
        "6.00 % (95 % interval 4.00 to 8.00)",
        "has 7.00 % when it is tested",
        "37.25 %",
        "31.25 points more (95 % interval 28.50 to 34.00)",
    ):
        assert words in shown, words
    assert ("most likely none" in shown) == (verdict == "reproduced")
    assert ("Of the 3 claims that were declared beforehand 2 hold" in shown) == (verdict != "reproduced")
    assert ("That is no overfitting. But here they do not bring it down" in shown) == (verdict != "reproduced")
