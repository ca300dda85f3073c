"""Several runs at once: places for them, what is refused. That they end well or badly is in test_pipeline.py."""

import pytest
import torch
from conftest import refused, run

from pipeline.compute import device
from pipeline.stage import StageError
from pipeline.tools import jobs


def visible(places: list[dict[str, str]]) -> list[str]:
    return [place["CUDA_VISIBLE_DEVICES"] for place in places]


def test_gpus_are_handed_out_in_turn(settings, monkeypatch):
    monkeypatch.setattr(torch.cuda, "is_available", lambda: True)
    monkeypatch.setattr(torch.cuda, "device_count", lambda: 2)
    monkeypatch.delenv("CUDA_VISIBLE_DEVICES", raising=False)
    for name in ("auto", "cuda"):
        assert visible(jobs.hand_out(settings(device=name), 5)) == ["0", "1", "0", "1", "0"]
    monkeypatch.setenv("CUDA_VISIBLE_DEVICES", "3,GPU-5e")
    assert visible(jobs.hand_out(settings(device="auto"), 3)) == ["3", "GPU-5e", "3"]


def test_a_gpu_that_the_parameters_name_is_left_to_them(settings, monkeypatch):
    monkeypatch.setattr(torch.cuda, "is_available", lambda: True)
    assert jobs.hand_out(settings(device="cuda:1"), 2) == [{}, {}]


def test_cores_are_shared_out_by_the_parameter_and_never_overbooked(settings, monkeypatch):
    monkeypatch.setattr(device, "cores", lambda: 8)
    assert jobs.hand_out(settings(threads=2), 4) == [{}] * 4
    with pytest.raises(
        StageError, match="5 runs at once of 2 threads need 10 cores, and there are 8; allowed: up to 4"
    ):
        jobs.hand_out(settings(threads=2), 5)
    with pytest.raises(StageError, match="threads is 0, all cores, for each of 2 runs at once; allowed: 1 to 4"):
        jobs.hand_out(settings(threads=0), 2)
    monkeypatch.setattr(device, "cores", lambda: 1)
    assert jobs.hand_out(settings(threads=2), 1) == [{}]


def test_the_deepest_networks_begin_first(settings):
    arch = {"plain8": {"depth": 8, "shortcut": "none"}, "resnet14": {"depth": 14}}
    params = settings(seeds=[1, 0], variants=["plain8", "resnet14"], arch=arch)
    assert jobs.grid(params) == ["resnet14-1", "resnet14-0", "plain8-1", "plain8-0"]


def test_auto_is_a_run_for_each_gpu_or_for_as_many_cores_as_it_has_threads(settings, monkeypatch):
    monkeypatch.setattr(device, "cores", lambda: 8)
    assert [jobs.fitting(settings(threads=threads)) for threads in (1, 2, 3, 16, 0)] == [8, 4, 2, 1, 1]
    monkeypatch.setattr(torch.cuda, "is_available", lambda: True)
    monkeypatch.setattr(torch.cuda, "device_count", lambda: 4)
    monkeypatch.delenv("CUDA_VISIBLE_DEVICES", raising=False)
    assert [jobs.fitting(settings(device=name)) for name in ("auto", "cuda", "cuda:1", "cpu")] == [4, 4, 1, 8]


@pytest.mark.parametrize("text", ["0", "-1", "x", "1.5"])
def test_a_number_of_jobs_that_is_none_is_refused(workspace, text):
    assert f"JOBS is {text}; allowed: a whole number from 1 up, or auto" in refused(run("tools.jobs", "--", text))
