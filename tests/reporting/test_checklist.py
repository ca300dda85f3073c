"""The checklist: every item is answered, in order; numbers and links of the committed studies are right."""

import dataclasses
import json
import re
from pathlib import Path

import pandas as pd
import pytest
from conftest import ROOT, SESSION

from pipeline import download
from pipeline.reporting import checklist
from pipeline.reporting.checklist import Facts, counted
from pipeline.settings.params import Params

LEGAL = ("Yes", "Partly", "No", "Not applicable")

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


def said(f: Facts, number: int) -> tuple[str, str]:
    """The answer to an item, and what follows it."""
    return answered(checklist.markdown(f, "Title"))[number - 1][1:]


@pytest.fixture
def committed_checklist(request, monkeypatch) -> list[str]:
    """What is said to each item of a committed study; the current folder is the study's."""
    monkeypatch.chdir(ROOT / request.param)
    return ["", *(text for *_, text in answered(checklist.markdown(checklist.load(), "Title")))]


def test_all_items_are_answered_in_order(facts):
    items = answered(checklist.markdown(facts(), "Title"))
    assert len(items) == 21
    for (wording, answer, text), part in zip(items, ITEMS, strict=True):
        assert part in wording
        assert answer in LEGAL
        assert text.endswith(".")


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
    texts = committed_checklist
    results = pd.read_csv("reports/results.csv")
    for row in results.itertuples():
        assert f"{row.variant} {row.parameters:,}" in texts[3]
        assert f"{row.variant} {row.test_error:.2f} ± " in texts[19]
        runs = sorted(Path("reports/runs").glob(f"{row.variant}-*"))
        assert len(runs) == row.runs
        took = [json.loads((run / "environment.json").read_text())["sessions"] for run in runs]
        mean = sum(session["cpu_seconds"] for sessions in took for session in sessions) / len(runs)
        shown = f"{mean / 60:.1f} min" if mean >= 60 else f"{mean:.1f} s"
        assert f"{row.variant} {shown}" in texts[20]
        metrics = json.loads((runs[0] / "metrics.json").read_text())
        assert metrics["data"]["content_sha256"] in texts[6]
        assert f"{metrics['test_images']:,} test images" in texts[6]
        for session in (session for sessions in took for session in sessions):
            assert f"torch {session['torch']}" in texts[21]
            assert session["hardware"] in texts[21]
    assert texts[17].startswith(f"{results['runs'].sum()} training run")


@pytest.mark.parametrize("committed_checklist", STUDIES, indirect=True)
def test_every_link_of_a_committed_study_leads_somewhere(committed_checklist):
    links = [link for text in committed_checklist for link in re.findall(r"\]\(([^)]+)\)", text)]
    assert len(links) > 20
    for link in links:
        assert Path("reports", link).exists(), link


def test_a_study_says_what_its_networks_start_from(monkeypatch):
    monkeypatch.chdir(ROOT / "studies/transfer")
    f = checklist.load()
    for variant, source in f.starts.items():
        assert f.study.settings.arch[variant].start == source["start"] != "random"
    assert set(f.starts) == {v for v in f.study.settings.variants if f.study.settings.arch[v].start != "random"}


FLOWERS = {
    "dataset": "flowers17",
    "image_size": 64,
    "train_size": 1088,
    "variants": ["scratch", "pretrained"],
    "arch": {
        "scratch": {"depth": 8, "classes": 17},
        "pretrained": {"depth": 8, "classes": 17, "start": "cifar10"},
    },
}
STARTS = {"pretrained": {"start": "cifar10", "identity": "our own net-0", "sha256": "fe9e7e"}}
OFFICIAL = download.IDENTITY["cifar10"]
CIFAR10 = {"dataset": "cifar10", "train_size": 45_000, "val_size": 5_000}


def test_networks_are_described_with_depth_shortcut_and_parameters(facts):
    assert said(facts(), 1)[0] == "Yes"
    assert "plain8 (8 layers, shortcut none), resnet8 (16 layers, shortcut projection), after" in said(facts(), 1)[1]
    assert said(facts(), 3)[0] == "Partly"
    assert "Parameters: plain8 1,000,000, resnet8 2,000,000. " in said(facts(), 3)[1]


def test_there_is_no_theory(facts):
    assert [said(facts(), number)[0] for number in (4, 5)] == ["Not applicable"] * 2
    assert "[claims.csv](claims.csv)" in said(facts(), 4)[1]


def test_official_data_has_an_address_and_its_own_parts(facts):
    f = facts(OFFICIAL, **CIFAR10)
    statistics, splits, left_out = (said(f, number)[1] for number in (6, 7, 8))
    assert statistics.startswith("CIFAR-10: 50,000 training and 10,000 test images of 32 x 32 pixels in 10 classes, ")
    assert "each with 1,000 of the test images" in statistics
    assert f"These are {OFFICIAL}. Content sha256: `5ba256`." in statistics
    assert "45,000 of the 50,000 training images are trained on and 5,000 held out" in splits
    assert "the same ones for every seed; 10,000 images are tested on" in splits
    assert left_out.startswith("No image was left out. ")
    assert "pipeline/data/flowers17.py" not in splits
    assert [said(f, number)[0] for number in (9, 10)] == ["Yes", "Not applicable"]


def test_a_copy_is_not_what_the_address_gives(facts):
    answer, text = said(facts("a copy of some kind", STARTS, **FLOWERS), 9)
    assert answer == "Partly"
    assert "made with the copy of item 6" in text


def test_generated_data_is_said_to_be_so(facts):
    f = facts()
    begin = "Generated images in the format of CIFAR-10: 2,000 training and 1,000 test images"
    assert said(f, 6)[1].startswith(begin)
    assert said(f, 8)[1].startswith("1,800 training images were left out")
    assert said(f, 9)[0] == "Yes"
    assert "pipeline/acquire/synthetic.py" in said(f, 9)[1]
    assert "makers" not in said(f, 9)[1]
    assert said(f, 10)[1] == "No data was collected; the images were generated."


def test_flowers_are_split_by_seed_shrunk_and_normalised_as_their_start_was(facts):
    f = facts("an archive", STARTS, **FLOWERS)
    statistics, splits, left_out = (said(f, number)[1] for number in (6, 7, 8))
    assert "64 x 64 pixels in 17 classes, each with 16 of the test images" in statistics
    assert "Every seed draws its test images anew" in splits
    assert "for every seed" not in splits
    assert "the middle of each was shrunk to 64 pixels a side" in left_out
    assert "(of pretrained: those that its start was trained on)" in left_out
    generated = said(facts(**FLOWERS | {"dataset": "synthetic_flowers17"}), 8)[1]
    assert "shrunk" not in generated
    assert "its start" not in generated


@pytest.mark.parametrize(("flip", "words"), [(True, "and horizontal flips"), (False, "without flips")])
def test_augmentation_follows_the_parameters(facts, flip, words):
    text = said(facts(horizontal_flip=flip, crop_padding=7), 8)[1]
    assert f"7 pixels of black padding and random crops {words}: [" in text
    none = said(facts(horizontal_flip=False, crop_padding=0), 8)[1]
    assert "In training there are no crops\nand no flips: [" in none or "there are no crops and no flips: [" in none


def test_weights_are_shared(facts):
    answer, text = said(facts("an archive", STARTS, "studies/some", **FLOWERS), 14)
    assert answer == "Yes"
    assert "are in [weights](../../../weights), with a card. " in text
    assert "puts them into `studies/some/data/models`" in text
    assert text.endswith(" pretrained starts from our own net-0 (sha256 `fe9e7e`).")
    assert "puts them into `data/models`" in said(facts(), 14)[1]
    assert "url = ../weights" in (ROOT / ".dvc/config").read_text()


@pytest.mark.parametrize(
    ("folder", "link", "command"),
    [
        (".", "[data/README.md](../data/README.md)", "`dvc repro`"),
        ("studies/some", "[data/README.md](../../../data/README.md)", "`dvc repro studies/some/dvc.yaml`"),
    ],
)
def test_a_link_leads_from_the_reports_and_the_command_is_given_at_the_top(facts, folder, link, command):
    f = facts(folder=folder)
    assert f.link("data/README.md") == link
    assert f.command == command


def test_words_follow_the_number():
    assert [counted(1, "process"), counted(2, "process")] == ["1 process", "2 processes"]
    assert [counted(1, "thread"), counted(1000, "thread")] == ["1 thread", "1,000 threads"]


def in_sessions(f: Facts, **sessions: list[dict]) -> Facts:
    """`f` with other sessions of some runs, `plain8_0` for plain8-0: changes of SESSION."""
    changed = {name.replace("_", "-"): [SESSION | session for session in found] for name, found in sessions.items()}
    return dataclasses.replace(f, sessions=f.sessions | changed)


def test_every_hyperparameter_has_its_value(facts):
    text = said(facts(lr=0.25, lr_milestones=[0.4, 0.6], nesterov=True), 16)[1]
    for key in set(Params.model_fields) - {"arch", "seeds", "variants"}:
        assert f"`{key}: " in text, key
    for value in ("`lr: 0.25`", "`lr_milestones: [0.4, 0.6]`", "`nesterov: true`", "`dataset: synthetic`"):
        assert value in text


def test_runs_are_those_of_the_grid(facts):
    text = said(facts(seeds=[0, 7, 9], epochs=5), 17)[1]
    assert text.startswith("6 training runs: 2 networks with 3 seeds (0, 7, 9), 5 epochs each.")
    assert "Diverged" not in text
    one = said(facts(variants=["plain8"], diverged=("plain8-0",)), 17)[1]
    assert one.startswith("1 training run: 1 network with 1 seed (0), 3 epochs each.")
    assert "Diverged, and counted: plain8-0." in one


def test_what_a_network_starts_from_is_not_counted(facts):
    starts = {"resnet8": {"identity": "our own net-0", "sha256": "fe9e7e"}}
    text = said(facts(starts=starts), 17)[1]
    assert " Not counted is our own net-0, from which resnet8 starts. [LOG.md](" in text


def test_one_seed_has_a_binomial_error_and_no_spread(facts):
    answer, text = said(facts(seeds=[0]), 19)
    assert answer == "Partly"
    assert text.endswith("error of 1,000 images: plain8 10.00 ± 0.50, resnet8 20.00 ± 0.50.")


def test_several_seeds_have_a_mean_and_a_standard_deviation(facts):
    answer, text = said(facts(seeds=[0, 1, 2]), 19)
    assert answer == "Yes"
    assert text.endswith("(runs): plain8 10.00 ± 0.25 (3), resnet8 20.00 ± 0.50 (3).")
    assert "binomial" not in text


def test_runs_that_share_images_are_not_called_independent(facts):
    arch = {"plain8": {"depth": 8, "classes": 17, "shortcut": "none"}}
    flowers = {"dataset": "synthetic_flowers17", "variants": ["plain8"], "arch": arch, "seeds": [0, 1]}
    assert said(facts(**flowers), 19)[1].endswith(" The runs share images and are not independent.")


def test_times_are_means_over_runs_of_the_sum_over_sessions(facts):
    f = in_sessions(
        facts(seeds=[0, 1]), plain8_0=[{"cpu_seconds": 60.0}, {"cpu_seconds": 120.0}],
        plain8_1=[{"cpu_seconds": 420.0}], resnet8_0=[{"cpu_seconds": 20.0}], resnet8_1=[{"cpu_seconds": 40.5}],
    )  # fmt: skip
    text = said(f, 20)[1]
    assert "plain8 5.0 min, resnet8 30.2 s; all runs together 11.0 min." in text
    assert "interrupted whole epochs are counted: plain8-0." in text
    assert "energy was not measured" in text
    assert "interrupted" not in said(facts(), 20)[1]


def test_on_a_gpu_the_time_is_the_clocks_and_several_processes_are_added_up():
    session = {"seconds": 100.0, "cpu_seconds": 60.0, "processes": 1}
    assert checklist.worked(session | {"device": "cuda"}) == 100
    assert checklist.worked(session | {"device": "cpu", "processes": 2}) == 120


def test_one_machine_is_named_once_and_several_with_their_runs(facts):
    same = "Some CPU (AVX2), 4 CPU cores, 1 process of 2 threads, fp32, Linux x86_64, Python 3.11.7, torch 2.11.0"
    assert said(facts(), 21)[1] == f"{same}. The machine's main memory is not recorded."
    gpu = {"hardware": "Some GPU", "capability": "9.0", "device": "cuda", "cuda": "13.0", "gpu_memory_mb": 2345}
    gpu |= {"precision": "bf16"}
    text = said(in_sessions(facts(), resnet8_0=[gpu, gpu | {"gpu_memory_mb": 1000}]), 21)[1]
    other = "Some GPU (9.0), 4 CPU cores, 1 process, bf16, Linux x86_64, Python 3.11.7, torch 2.11.0, CUDA 13.0"
    assert text.startswith(f"{same} (plain8-0); {other} (resnet8-0). At most 2,345 MB of GPU memory were taken.")


@pytest.mark.parametrize(
    ("seconds", "words"), [(0.04, "0.0 s"), (59.9, "59.9 s"), (60, "1.0 min"), (79200, "1,320.0 min")]
)
def test_a_duration_is_in_minutes_or_below_one_in_seconds(seconds, words):
    assert checklist.duration(seconds) == words
