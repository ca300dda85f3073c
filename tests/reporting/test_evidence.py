"""What the report says of its claims: of the committed study, and of one run alone."""

import dataclasses
import re

import numpy as np
import pandas as pd
import pytest
from conftest import ROOT

from pipeline.reporting import evidence, study


@pytest.fixture
def s(tmp_path, monkeypatch):
    monkeypatch.chdir(ROOT)
    return study.load(str(tmp_path), by_depth=True)


def words(shown) -> str:
    return re.sub(r"\s+", " ", re.sub(r"<[^>]+>", " ", shown.data))


def test_every_verdict_is_counted_and_every_claim_shown_once(s):
    judged = pd.read_csv(ROOT / "reports/claims.csv")
    summary, single = words(evidence.verdicts(s)), words(evidence.claims(s, "data/claims.yaml"))
    headings = {"count": "By counting parameters", "construction": "By construction", "initial": "Before training"}
    headings["trained"] = "By training"
    for text in (summary, single):
        badges = text[: text.index("claim")]
        parts = dict(zip(headings, re.split("|".join(headings.values()), badges)[1:], strict=True))
        for (kind, verdict), count in judged.groupby("kind")["verdict"].value_counts().items():
            assert f" {verdict}: {count} " in parts[kind]
    for part in judged["part"].unique():
        assert summary.count(part) == 1
    for statement in judged["statement"]:
        assert statement in single


def test_what_the_ends_mean_for_claims_about_every_class_is_said_where_there_are_any(s, monkeypatch):
    sentence = "they are no interval of the value beside them"
    assert sentence in words(evidence.claims(s))
    judged = pd.read_csv(ROOT / "reports/claims.csv")
    monkeypatch.setattr(evidence, "table", lambda name: judged[~judged["id"].isin(["a9", "a10"])])
    assert sentence not in words(evidence.claims(s))


def test_every_figure_says_what_to_see_its_n_and_its_file(s, tmp_path):
    for draw in (evidence.gains, evidence.by_family, evidence.convergence, evidence.gradients, evidence.responses):
        shown = draw(s).data
        caption = re.search(r"<figcaption>(.*?)</figcaption>", shown).group(1)
        assert f"n = {s.n}" in caption
        assert re.search(r"File: <code>reports/\w+.csv</code>", caption)
        assert len(re.search(r'alt="([^"]+)"', shown).group(1)) > 40
    assert {path.stem for path in tmp_path.glob("*.png")} == {
        "gains", "by_family", "convergence", "gradients", "responses",
    }  # fmt: skip


def test_convergence_is_not_drawn_if_no_fixed_error_was_reached(s):
    results = s.results.assign(**dict.fromkeys(s.results.filter(like="epochs_to_"), np.nan))
    shown = evidence.convergence(dataclasses.replace(s, results=results)).data
    assert "<figure" not in shown
    assert '<th scope="col">≤' not in shown
    assert "No network came to 50 % test error or below" in shown


def test_a_grid_without_pairs_has_no_gains(s, monkeypatch):
    monkeypatch.setattr(evidence, "table", lambda name: pd.read_csv(ROOT / f"reports/{name}.csv").iloc[:0])
    assert "This grid has no network together with" in evidence.gains(s).data
