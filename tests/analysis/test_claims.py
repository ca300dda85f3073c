"""Claims: a file of them is read or refused, and the committed ones are about networks that there are."""

import re
from pathlib import Path

import pandas as pd
import pytest
from conftest import ROOT
from scipy import stats

from pipeline.analysis import claims
from pipeline.settings import params
from pipeline.stage import StageError

HEAD = "spread: 0.4\nprotocol: {lr: 0.1}\nclaims:\n"
ONE = "- {id: a, statement: s, source: t, measure: test_error, of: {a: 1}"


@pytest.mark.parametrize(
    ("content", "sentence"),
    [
        ("- id: a", "claims.0.statement: Field required"),
        ("[", "is not YAML"),
        (f"{ONE}, published: 1, tolerance: 1}}".replace("test_error", "luck"), "claims.0.measure"),
        (f"{ONE}, published: 1, tolerance: null}}", "claim a needs a tolerance"),
        (f"{ONE}, published: null, tolerance: 1}}", "nothing published"),
        (f"{ONE}, published: null, tolerance: [2, 1]}}", "from less to more"),
        (f"{ONE}, published: null, tolerance: [1]}}", "0.tolerance"),
        (f"{ONE}, published: null, epoch: 3}}".replace("test_error", "instability"), "asks for an epoch"),
        (f"{ONE}, published: null, tolerance: null}}".replace("test_error", "class_error"), "one variant minus"),
        (f"{ONE}, published: null}}".replace("1}", "-1}"), "one variant with a minus"),
        (f"{ONE}, published: null, epoch: 3, since: 3}}", "subtracts epoch 3; allowed: one before its epoch"),
        (f"{ONE}, over: {{b: 1}}, published: null}}".replace("test_error", "test_accuracy"), "about a ratio of"),
        ("- &a {id: a, statement: s, source: t, measure: test_error, of: {a: 1}, published: null}\n- *a", "twice"),
    ],
)  # fmt: skip
def test_a_wrong_file_is_refused(tmp_path, content, sentence):
    (tmp_path / "claims.yaml").write_text(HEAD + content)
    with pytest.raises(StageError, match=sentence):
        claims.load(tmp_path / "claims.yaml")
    (tmp_path / "claims.yaml").write_text("spread: 0.4\nprotocol: {rate: 0.1}\nclaims: []\n")
    with pytest.raises(StageError, match=r"the protocol names rate, which is no key of params\.yaml"):
        claims.load(tmp_path / "claims.yaml")
    with pytest.raises(StageError, match="is missing"):
        claims.load(tmp_path / "nowhere.yaml")


def test_a_tolerance_is_either_way_or_from_and_to(tmp_path):
    rest = "published: 4, tolerance: 1}\n", "published: 4, tolerance: [3, 6]}\n", "published: null, tolerance: null}\n"
    text = "".join(ONE.replace("id: a", f"id: a{i}") + f", {end}" for i, end in enumerate(rest))
    (tmp_path / "claims.yaml").write_text(HEAD + text)
    assert [one.limits for one in claims.load(tmp_path / "claims.yaml").claims] == [(3, 5), (3, 6), None]


def test_a_tolerance_of_a_share_of_images_ends_where_shares_do():
    content = {"id": "a", "statement": "s", "source": "t", "measure": "test_accuracy", "published": 99.53}
    assert claims.Claim.model_validate(content | {"of": {"a": 1}, "tolerance": 3.0}).limits == (96.53, 100)
    assert claims.Claim.model_validate(content | {"of": {"a": 1, "b": -1}, "tolerance": 3.0}).limits == (96.53, 102.53)


def test_how_it_is_measured_is_told_in_words():
    content = {"id": "a", "statement": "s", "source": "t", "measure": "test_error"}
    content |= {"published": None, "tolerance": None}
    one = claims.Claim.model_validate(content | {"of": {"a": 1, "b": -1}, "epoch": 5})
    assert one.measured == "test error of a − b, epoch 5"
    ratio = claims.Claim.model_validate(content | {"of": {"a": 1, "b": -1}, "over": {"c": 1}})
    assert ratio.measured == "test error of (a − b) / c"


STUDIES = sorted(ROOT.glob("studies/*/claims.yaml"))
CLAIMS = ROOT / "data/claims.yaml"  # those of study epochs200 too


@pytest.mark.parametrize("path", [CLAIMS, *STUDIES], ids=lambda path: path.parent.name)
def test_committed_claims_are_about_networks_that_there_are(path: Path):
    """Those of study A and the paper also about networks of theirs that are in the table of published values."""
    study = ROOT if path.parent.name == "data" else path.parent
    settings, family = params.load(study / "params.yaml"), study / "reports/family.csv"
    names = set(settings.arch) | (set(pd.read_csv(family)["network"]) if family.exists() else set())
    names |= set(pd.read_csv(ROOT / "data/published.csv")["net"]) if path.samefile(CLAIMS) else {"resnet18_constant"}
    for one in claims.load(path).claims:
        assert set(one.variants) <= names, one.id


def published(net: str, source: str) -> float:
    table = pd.read_csv(ROOT / "data/published.csv")
    return table[(table["net"] == net) & table["source"].str.startswith(source)].iloc[0]


def test_claims_of_study_a_and_the_paper_say_what_the_table_says():
    """Values of networks are the table's, and differences those between them."""
    declared = {one.id: one for one in claims.load(CLAIMS).claims}
    for net in ("plain20", "resnet20", "plain56", "resnet56"):
        assert declared[f"a_{net}"].published == published(net, "study A")["value"]
    for net in (
        "plain20",
        "plain32",
        "plain44",
        "plain56",
        "resnet20",
        "resnet32",
        "resnet44",
        "resnet56",
        "resnet110",
        "resnet1202",
    ):
        assert declared[f"p3_{net}"].published == published(net, "He et al.")["value"]
    for ids, source, sign in (("a1_test a2 a3_gain20 a3_gain56 a3_growth", "study A", -1),
                              ("p1_test p2_test p2_1202", "He et al.", 1)):  # fmt: skip
        for one in (declared[name] for name in ids.split()):
            difference = sum(s * sign * published(net, source)["value"] for net, s in one.of.items())
            assert one.published == pytest.approx(difference), one.id
    table = pd.read_csv(ROOT / "data/published.csv")
    train = table[table["metric"] == "train_error"].set_index("net")["value"]
    assert declared["p1_train"].published == pytest.approx(train["plain56"] - train["plain20"])


def test_every_claim_of_study_a_is_there():
    parts = {one.part for one in claims.load(CLAIMS).claims}
    for number in range(1, 12):
        assert [part for part in parts if part.startswith(f"A{number} ")], number


def test_published_values_that_stand_in_the_table_too_are_the_same():
    table = pd.read_csv(ROOT / "data/published.csv").set_index("net")["value"]
    for study, claim, net in (
        ("resnet18", "accuracy", "resnet18_thin"),
        ("transfer", "scratch_test", "scratch_resnet_flowers17"),
        ("transfer", "imagenet_test", "resnet50_pretrained_flowers17"),
    ):
        declared = {one.id: one.published for one in claims.load(ROOT / f"studies/{study}/claims.yaml").claims}
        assert declared[claim] == table[net]


@pytest.mark.parametrize("path", [CLAIMS, *STUDIES], ids=lambda path: path.parent.name)
def test_the_protocol_is_that_of_the_committed_parameters(path: Path):
    """Else every verdict would be "another protocol"."""
    settings = params.load((ROOT if path.parent.name == "data" else path.parent) / "params.yaml")
    assert {key: getattr(settings, key) for key in claims.load(path).protocol} == claims.load(path).protocol


def test_the_remark_on_held_out_images_is_scipys():
    """Study B's 4.04 % are 11 of 272 images; guessing one of 17 classes gets 5.88 % of them."""
    (one,) = [one for one in claims.load(ROOT / "studies/transfer/claims.yaml").claims if one.id == "scratch_test"]
    assert f"p {stats.binomtest(11, 272, 1 / 17).pvalue:.2f}" in one.note
    assert round(100 * 11 / 272, 2) == one.published


def test_every_file_says_when_its_claims_were_declared_or_amended():
    for path in (CLAIMS, *STUDIES):
        assert re.search(r"^# .*\b(Amended|declared) on \d{4}-\d\d-\d\d", path.read_text(), re.M), path
