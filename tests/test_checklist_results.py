"""The checklist on the results: numbers of runs, errors with their spread, times and machines."""

import dataclasses

import pytest
from conftest import SESSION

from pipeline import checklist_results
from pipeline.checklist_facts import PARTLY, YES, Facts
from pipeline.params import Params


def in_sessions(f: Facts, **sessions: list[dict]) -> Facts:
    """`f` with other sessions of some runs, `plain8_0` for plain8-0: changes of SESSION."""
    changed = {name.replace("_", "-"): [SESSION | session for session in found] for name, found in sessions.items()}
    return dataclasses.replace(f, sessions=f.sessions | changed)


def test_every_hyperparameter_is_told_with_its_value(facts):
    text = checklist_results.hyperparameters(facts(lr=0.25, lr_milestones=[0.4, 0.6], nesterov=True)).text
    for key in set(Params.model_fields) - {"arch", "seeds", "variants"}:
        assert f"`{key}: " in text, key
    for value in ("`lr: 0.25`", "`lr_milestones: [0.4, 0.6]`", "`nesterov: true`", "`dataset: synthetic`"):
        assert value in text


def test_runs_are_those_of_the_grid(facts):
    text = checklist_results.runs(facts(seeds=[0, 7, 9], epochs=5)).text
    assert text.startswith("6 training runs: 2 networks with 3 seeds (0, 7, 9), 5 epochs each.")
    assert "Diverged" not in text
    one = checklist_results.runs(facts(variants=["plain8"], diverged=("plain8-0",))).text
    assert one.startswith("1 training run: 1 network with 1 seed (0), 3 epochs each.")
    assert "Diverged, and counted: plain8-0." in one


def test_what_a_network_starts_from_is_not_counted(facts):
    starts = {"resnet8": {"identity": "our own net-0"}}
    text = checklist_results.runs(facts(starts=starts)).text
    assert " Not counted is our own net-0, from which resnet8 starts. [LOG.md](" in text


def test_one_seed_has_a_binomial_error_and_no_spread(facts):
    answer = checklist_results.errors(facts(seeds=[0]))
    assert answer.answer == PARTLY
    assert answer.text.endswith("error of 1,000 images: plain8 10.00 ± 0.50, resnet8 20.00 ± 0.50.")


def test_several_seeds_have_a_mean_and_a_standard_deviation(facts):
    answer = checklist_results.errors(facts(seeds=[0, 1, 2]))
    assert answer.answer == YES
    assert answer.text.endswith("(runs): plain8 10.00 ± 0.25 (3), resnet8 20.00 ± 0.50 (3).")
    assert "binomial" not in answer.text


def test_runs_that_share_images_are_not_called_independent(facts):
    arch = {"plain8": {"depth": 8, "classes": 17, "shortcut": "none"}}
    flowers = {"dataset": "synthetic_flowers17", "variants": ["plain8"], "arch": arch, "seeds": [0, 1]}
    assert "are not independent" in checklist_results.errors(facts(**flowers)).text


def test_times_are_means_over_runs_of_the_sum_over_sessions(facts):
    f = in_sessions(
        facts(seeds=[0, 1]), plain8_0=[{"cpu_seconds": 60.0}, {"cpu_seconds": 120.0}],
        plain8_1=[{"cpu_seconds": 420.0}], resnet8_0=[{"cpu_seconds": 20.0}], resnet8_1=[{"cpu_seconds": 40.5}],
    )  # fmt: skip
    text = checklist_results.times(f).text
    assert "plain8 5.0 min, resnet8 30.2 s; all runs together 11.0 min." in text
    assert "interrupted whole epochs are counted: plain8-0." in text
    assert "energy was not measured" in text
    assert "interrupted" not in checklist_results.times(facts()).text


def test_on_a_gpu_the_time_is_the_clocks_and_several_processes_are_added_up():
    session = {"seconds": 100.0, "cpu_seconds": 60.0, "processes": 1}
    assert checklist_results.worked(session | {"device": "cuda"}) == 100
    assert checklist_results.worked(session | {"device": "cpu", "processes": 2}) == 120


def test_one_machine_is_told_once_and_several_with_their_runs(facts):
    same = "Some CPU (AVX2), 4 CPU cores, 1 process of 2 threads, fp32, Linux x86_64, Python 3.11.7, torch 2.11.0"
    assert checklist_results.machines(facts()).text == f"{same}. The machine's main memory is not recorded."
    gpu = {"hardware": "Some GPU", "capability": "9.0", "device": "cuda", "cuda": "13.0", "gpu_memory_mb": 2345}
    gpu |= {"precision": "bf16"}
    text = checklist_results.machines(in_sessions(facts(), resnet8_0=[gpu, gpu | {"gpu_memory_mb": 1000}])).text
    other = "Some GPU (9.0), 4 CPU cores, 1 process, bf16, Linux x86_64, Python 3.11.7, torch 2.11.0, CUDA 13.0"
    assert text.startswith(f"{same} (plain8-0); {other} (resnet8-0). At most 2,345 MB of GPU memory were taken.")


@pytest.mark.parametrize(
    ("seconds", "words"), [(0.04, "0.0 s"), (59.9, "59.9 s"), (60, "1.0 min"), (79200, "1,320.0 min")]
)
def test_a_duration_is_told_in_minutes_or_below_one_in_seconds(seconds, words):
    assert checklist_results.duration(seconds) == words
