"""Claims: a file of them is read or refused, and the committed ones are about networks that there are."""

from pathlib import Path

import pandas as pd
import pytest
from conftest import ROOT

from pipeline import claims, params
from pipeline.stage import StageError


@pytest.mark.parametrize(
    ("content", "sentence"),
    [
        ("- id: a", "claim 0.statement: Field required"),
        ("[", "is not YAML"),
        ("- {id: a, statement: s, source: t, measure: luck, of: {a: 1}, published: 1, tolerance: 1}", "0.measure"),
        ("- {id: a, statement: s, source: t, measure: test_error, of: {a: 1}, published: 1, tolerance: null}", "both"),
        ("- &a {id: a, statement: s, source: t, measure: test_error, of: {a: 1}, published: null}\n- *a", "twice"),
    ],
)  # fmt: skip
def test_a_wrong_file_is_refused(tmp_path, content, sentence):
    (tmp_path / "claims.yaml").write_text(content)
    with pytest.raises(StageError, match=sentence):
        claims.load(tmp_path / "claims.yaml")
    with pytest.raises(StageError, match="is missing"):
        claims.load(tmp_path / "nowhere.yaml")


@pytest.mark.parametrize("path", sorted(ROOT.glob("studies/*/claims.yaml")), ids=lambda path: path.parent.name)
def test_committed_claims_are_about_networks_that_there_are(path: Path):
    settings = params.load(path.with_name("params.yaml"))
    family = path.with_name("reports") / "family.csv"
    names = set(settings.arch) | (set(pd.read_csv(family)["network"]) if family.exists() else set())
    for one in claims.load(path):
        assert set(one.of) <= names, one.id


def test_published_values_that_stand_in_the_table_too_are_the_same():
    table = pd.read_csv(ROOT / "data/published.csv").set_index("net")["value"]
    for study, claim, net in (
        ("resnet18", "accuracy", "resnet18_thin"),
        ("transfer", "scratch_test", "scratch_resnet_flowers17"),
        ("transfer", "imagenet_test", "resnet50_pretrained_flowers17"),
    ):
        declared = {one.id: one.published for one in claims.load(ROOT / f"studies/{study}/claims.yaml")}
        assert declared[claim] == table[net]
