"""The checklist: every item is answered, in order; numbers and links of the committed studies are right."""

import dataclasses
import json
import re
from pathlib import Path

import pandas as pd
import pytest
from conftest import ROOT, SESSION

from pipeline import checklist
from pipeline.checklist_facts import LEGAL

STUDIES = [".", "studies/resnet18", "studies/transfer"]
ITEMS = (  # what each asks for, in the order of version 2.0
    "mathematical setting", "assumptions", "complexity", "statement of the claim", "proof", "number of examples",
    "splits", "excluded", "downloadable", "new data collected", "dependencies", "Training code", "Evaluation code",
    "trained model", "README", "hyper-parameters", "training and evaluation runs", "measure", "central tendency",
    "runtime", "infrastructure",
)  # fmt: skip


def answered(text: str) -> list[tuple[str, str, str]]:
    """Of each item of CHECKLIST.md its wording, the answer and what follows it; fails if numbers are out of order."""
    found = re.findall(r"(?m)^(\d+)\. \*(.+)\*\n\n +\*\*(.+?)\.\*\* (.+)$", text)
    assert [int(number) for number, *_ in found] == list(range(1, len(found) + 1))
    return [tuple(item) for _, *item in found]


@pytest.fixture
def committed_checklist(request, monkeypatch) -> list[str]:
    """What is said to each item of a committed study; the current folder is the study's."""
    monkeypatch.chdir(ROOT / request.param)
    return ["", *(said for *_, said in answered(checklist.markdown(checklist.load(), "Title")))]


def test_all_items_are_answered_in_order(facts):
    items = answered(checklist.markdown(facts(), "Title"))
    assert len(items) == 21
    for (wording, answer, said), part in zip(items, ITEMS, strict=True):
        assert part in wording
        assert answer in LEGAL
        assert said.endswith(".")


def test_the_opening_counts_the_answers_and_warns_of_generated_images(facts):
    text = checklist.markdown(facts(), "Some title")
    assert text.startswith("# Machine Learning Reproducibility Checklist: Some title\n")
    given = [answer for _, answer, _ in answered(text)]
    for answer in LEGAL:
        assert f"{answer} {given.count(answer)}" in text
    warning = "The images were generated: nothing here says anything about CIFAR-10."
    assert warning in text
    assert warning not in checklist.markdown(facts("official", dataset="cifar10"), "Some title")


def test_the_last_two_answers_alone_follow_times_and_machines(facts):
    f = facts()
    assert checklist.markdown(f, "Title") == checklist.markdown(f, "Title")
    other = SESSION | {
        "seconds": 1234.5,
        "hardware": "Other",
        "torch": "9",
        "python": "9",
        "precision": "bf16",
        "cores": 9,
    }
    changed = dataclasses.replace(f, sessions={name: [other, other] for name in f.sessions})
    before, after = (answered(checklist.markdown(g, "Title")) for g in (f, changed))
    assert [one == two for one, two in zip(before, after, strict=True)] == [True] * 19 + [False] * 2


@pytest.mark.parametrize("committed_checklist", STUDIES, indirect=True)
def test_the_numbers_of_a_committed_study_are_those_of_its_files(committed_checklist):
    said = committed_checklist
    results = pd.read_csv("reports/results.csv")
    for row in results.itertuples():
        assert f"{row.variant} {row.parameters:,}" in said[3]
        assert f"{row.variant} {row.test_error:.2f} ± " in said[19]
        runs = sorted(Path("reports/runs").glob(f"{row.variant}-*"))
        assert len(runs) == row.runs
        took = [json.loads((run / "environment.json").read_text())["sessions"] for run in runs]
        mean = sum(session["cpu_seconds"] for sessions in took for session in sessions) / len(runs)
        shown = f"{mean / 60:.1f} min" if mean >= 60 else f"{mean:.1f} s"
        assert f"{row.variant} {shown}" in said[20]
        metrics = json.loads((runs[0] / "metrics.json").read_text())
        assert metrics["data"]["content_sha256"] in said[6]
        assert f"{metrics['test_images']:,} test images" in said[6]
        for session in (session for sessions in took for session in sessions):
            assert f"torch {session['torch']}" in said[21]
            assert session["hardware"] in said[21]
    assert said[17].startswith(f"{results['runs'].sum()} training run")


@pytest.mark.parametrize("committed_checklist", STUDIES, indirect=True)
def test_every_link_of_a_committed_study_leads_somewhere(committed_checklist):
    links = [link for said in committed_checklist for link in re.findall(r"\]\(([^)]+)\)", said)]
    assert len(links) > 20
    for link in links:
        assert Path("reports", link).exists(), link


def test_a_study_says_what_its_networks_start_from(monkeypatch):
    monkeypatch.chdir(ROOT / "studies/transfer")
    f = checklist.load()
    for variant, source in f.starts.items():
        assert f.study.settings.arch[variant].start == source["start"] != "random"
    assert set(f.starts) == {v for v in f.study.settings.variants if f.study.settings.arch[v].start != "random"}
