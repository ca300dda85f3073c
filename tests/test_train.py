"""Train in processes of its own: deterministic, resumed to the bit, alone on its run, and honest about divergence."""

import json
import os
import shutil
import signal
import subprocess
import time
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
import torch
from conftest import ROOT, change_params, command, refused, run, run_process

from pipeline import stage, train
from pipeline.compute import device
from pipeline.compute.distributed import World
from pipeline.training import checkpoint

MODEL = Path("data/models/resnet8-0")
DEVICES = ["cpu", pytest.param("cuda", marks=pytest.mark.gpu)]
OUTPUTS = [MODEL / "weights.safetensors", MODEL / "history.csv"]


def results() -> list[bytes]:
    return [path.read_bytes() for path in OUTPUTS]


def start() -> subprocess.Popen[str]:
    env = os.environ | {"PYTHONPATH": str(ROOT)}
    pipe = subprocess.PIPE
    return subprocess.Popen(command("train", "resnet8", 0), env=env, stdout=pipe, stderr=pipe, text=True)


def wait_for_checkpoint(process: subprocess.Popen[str]) -> Path:
    for _ in range(1200):
        found = list(Path(".scratch").glob("*/checkpoint.safetensors"))
        if found:
            return found[0]
        assert process.poll() is None, process.communicate()
        time.sleep(0.05)
    raise AssertionError("no checkpoint after a minute")


def test_all_that_decides_bits_is_a_fact_of_the_checkpoint_and_nothing_else(workspace, settings, monkeypatch):
    def mark(variant: str = "resnet8", seed: int = 0, world: World = World(), **changes: object) -> str:  # noqa: B008
        given = settings(**changes)
        compute = device.prepare(given, given.precision)
        return checkpoint.fingerprint(train.facts(stage.Run(variant, seed, stage.DATA), given, compute, world))

    first = mark()
    arch = {name: {"depth": 8, "shortcut": kind} for name, kind in (("plain8", "none"), ("resnet8", "identity"))}
    others = [mark("plain8"), mark(seed=1), mark(world=World(0, 2)), mark(arch=arch), mark(threads=2), mark(lr=0.05)]
    others += [mark(precision="bf16"), mark(epochs=4), mark(train_size=100)]
    for module, name, value in (
        (torch, "__version__", "2.12.0"),
        (np, "__version__", "2.5.0"),
        (torch.backends.cpu, "get_cpu_capability", lambda: "another"),
        (device, "hardware", lambda _: "Another CPU"),
        (train, "code", lambda: {"train.py": "edited"}),
    ):
        with monkeypatch.context() as patch:
            patch.setattr(module, name, value)
            others.append(mark())
    path = workspace / "data/cifar10/data_batch_1.bin"
    content = path.read_bytes()
    path.write_bytes(bytes([*content[:9], content[9] ^ 1]) + content[10:])
    others.append(mark())
    path.write_bytes(content)
    assert len({first, *others}) == len(others) + 1
    monkeypatch.setattr(device, "cores", lambda: 64)
    assert mark(seeds=[0, 1], variants=["resnet8"]) == first


@pytest.mark.parametrize("device", DEVICES)
def test_two_processes_give_the_same_bits_and_another_seed_others(workspace, device):
    change_params(workspace, device=device)
    assert run_process("train", "resnet8", 0).returncode == 0
    first = results()
    shutil.rmtree(MODEL)
    assert run_process("train", "resnet8", 0).returncode == 0
    assert results() == first
    assert run("train", "resnet8", 1).returncode == 0
    assert Path("data/models/resnet8-1/history.csv").read_bytes() != first[1]


def test_the_history_has_what_it_should(workspace):
    change_params(workspace, val_size=100)
    result = run("train", "plain8", 0)
    assert result.returncode == 0, result.stderr
    assert "(1 thread, fp32): about 0:00:0" in result.stdout
    history = pd.read_csv("data/models/plain8-0/history.csv")
    assert list(history.columns) == [
        "epoch", "lr", "train_loss", "train_error", "val_loss", "val_error", "test_loss", "test_error",
    ]  # fmt: skip
    assert history["epoch"].tolist() == [1, 2, 3]
    assert history["lr"].tolist() == [0.1, 0.01, 0.001]
    assert history["test_error"].between(0, 100).all()
    kept = sorted(path.name.partition(".out")[0] for path in Path(".scratch").glob("*/*"))
    before_drops = ["epoch-001.safetensors", "epoch-002.safetensors"]  # of the rate
    assert kept == [*before_drops, "events", "history.csv"]
    assert (
        next(Path(".scratch").glob("*/history.csv")).read_bytes()
        == Path("data/models/plain8-0/history.csv").read_bytes()
    )


def test_it_learns(workspace):
    change_params(workspace, train_size=1000, epochs=4, lr=0.05, batch_size=50)
    assert run("train", "resnet8", 0).returncode == 0
    assert pd.read_csv(OUTPUTS[1])["test_error"].iloc[-1] < 30  # guessing is 90


@pytest.fixture(scope="module")
def uninterrupted() -> dict[str, list[bytes]]:
    """The results of the run below that is not stopped, by device, as soon as one test has made them."""
    return {}


@pytest.mark.parametrize("signum", [signal.SIGKILL, signal.SIGTERM, signal.SIGINT])
@pytest.mark.parametrize("device", DEVICES)
def test_a_run_that_is_stopped_goes_on_to_the_same_bits(workspace, uninterrupted, signum, device):
    change_params(workspace, epochs=8 if device == "cpu" else 80, train_size=500, device=device)
    process = start()
    wait_for_checkpoint(process)
    process.send_signal(signum)
    _, stderr = process.communicate(timeout=60)
    assert process.returncode == (-9 if signum == signal.SIGKILL else 130)
    assert "Traceback" not in stderr
    assert not MODEL.exists()
    if signum != signal.SIGKILL:
        assert "resnet8-0 keeps its last checkpoint; the same command goes on from there" in stderr

    resumed = run_process("train", "resnet8", 0)
    assert resumed.returncode == 0, resumed.stderr
    assert " are done" in resumed.stdout
    again = results()
    sessions = json.loads(Path("reports/runs/resnet8-0/environment.json").read_text())["sessions"]
    assert len(sessions) == 2
    assert sum(session["epochs"] for session in sessions) == len(pd.read_csv(OUTPUTS[1])) >= 8
    if device not in uninterrupted:
        shutil.rmtree(MODEL)
        assert " are done" not in run_process("train", "resnet8", 0).stdout
        uninterrupted[device] = results()
    assert again == uninterrupted[device]


KINDS = {
    "bottleneck": {"depth": 11, "block": "bottleneck", "shortcut": "identity"},
    "wide": {"depth": 8, "widths": [4, 8, 16], "width_factor": 2, "order": "pre"},
    "resnext": {"depth": 11, "widths": [4, 8, 16], "block": "bottleneck", "groups": 2, "group_width": 4},
    "excited": {"depth": 8, "widths": [16, 16, 32], "squeeze_excitation": True},
    "pre": {"depth": 8, "order": "pre"},
    "pre_bottleneck": {"depth": 11, "widths": [4, 8, 16], "order": "pre", "block": "bottleneck"},
    "pre_plain": {"depth": 8, "order": "pre", "shortcut": "none"},
    "dense": {"depth": 7, "block": "dense"},
    "dense_bottleneck": {"depth": 10, "block": "dense_bottleneck", "growth": 8, "compression": 0.5},
    "imagenet": {"blocks": [1, 1], "block": "dense_bottleneck", "stem": "imagenet", "growth": 8},
}


@pytest.mark.parametrize("kind", KINDS)
def test_every_kind_of_network_trains_goes_on_to_the_same_bits_and_is_measured(workspace, kind):
    change_params(workspace, variants=[kind], arch={kind: KINDS[kind]}, epochs=2, lr_milestones=[0.5])
    model = Path(f"data/models/{kind}-0")
    assert run("train", kind, 0).returncode == 0
    first = [path.read_bytes() for path in sorted(model.iterdir())]
    shutil.rmtree(model)
    kept = next(Path(".scratch").glob("*/epoch-001.safetensors"))
    kept.rename(kept.with_name("checkpoint.safetensors"))
    resumed = run("train", kind, 0)
    assert "for 1 epoch, 1 are done" in resumed.stdout, resumed.stderr
    assert [path.read_bytes() for path in sorted(model.iterdir())] == first
    for stage_of_run in ("evaluate", "probe"):
        result = run(stage_of_run, kind, 0)
        assert result.returncode == 0, result.stderr
    summary = json.loads(Path(f"reports/runs/{kind}-0/probe.json").read_text())
    assert summary["gradient_reach"] is not None
    assert summary["identity_deviation"] in (0, None)


def test_a_second_process_says_so_and_stops(workspace):
    change_params(workspace, epochs=200)
    process = start()
    try:
        wait_for_checkpoint(process)
        assert "another process is training resnet8-0 already" in refused(run_process("train", "resnet8", 0))
        assert process.poll() is None
    finally:
        process.kill()
        process.communicate()


def test_other_parameters_do_not_take_up_the_checkpoint(workspace):
    change_params(workspace, epochs=50)
    process = start()
    wait_for_checkpoint(process)
    process.kill()
    process.communicate()
    change_params(workspace, epochs=3, lr=0.05)
    result = run_process("train", "resnet8", 0)
    assert " are done" not in result.stdout
    assert "does not fit: params.epochs: 3 now, 50 then; params.lr: 0.05 now, 0.1 then. It is kept." in result.stdout
    assert pd.read_csv(OUTPUTS[1])["lr"].iloc[0] == 0.05


def test_a_loss_that_is_not_finite_ends_the_run_and_is_recorded(workspace):
    change_params(workspace, lr=1e30, epochs=5)
    result = run("train", "plain8", 0)
    assert result.returncode == 0, result.stderr
    assert "it has diverged and ends with epoch" in result.stdout
    history = pd.read_csv("data/models/plain8-0/history.csv")
    assert len(history) < 5
    assert history["train_loss"].isna().iloc[-1]
    assert run("evaluate", "plain8", 0).returncode == 0
    metrics = json.loads(Path("reports/runs/plain8-0/metrics.json").read_text())
    assert metrics["diverged"] is True
    assert metrics["test_loss"] is None


@pytest.mark.parametrize(
    ("changes", "sentence"),
    [
        ({"lr": -1}, "params.yaml: lr is -1; allowed: a number above 0"),
        ({"train_size": 3000}, "do not fit the 2000 training images"),
    ],
)
def test_wrong_parameters_are_refused_before_anything_is_touched(workspace, changes, sentence):
    MODEL.mkdir(parents=True)
    (MODEL / "weights.safetensors").write_text("kept")
    change_params(workspace, **changes)
    assert sentence in refused(run("train", "resnet8", 0))
    assert (MODEL / "weights.safetensors").read_text() == "kept"


def test_a_seed_that_is_no_number_is_refused(workspace):
    result = run("train", "resnet8", "x1")
    assert result.returncode == 2
    assert "argument seed: x1 is no whole number from 0 up" in result.stderr


def test_an_unknown_variant_is_refused(workspace):
    assert "arch has no entry resnet9; allowed: plain8, resnet8" in refused(run("train", "resnet9", 0))


def test_damaged_data_is_refused(workspace):
    path = workspace / "data/cifar10/data_batch_3.bin"
    path.write_bytes(path.read_bytes()[:-5])
    assert "data_batch_3.bin is truncated" in refused(run("train", "resnet8", 0))
    path.unlink()
    assert "data_batch_3.bin is missing" in refused(run("train", "resnet8", 0))


@pytest.mark.parametrize("stage", ["train", "evaluate", "probe", "download", "aggregate"])
def test_no_stage_imports_what_it_seldom_needs(stage):
    """DVC, which a machine that only trains may lack, and torchvision, which takes over a second."""
    code = f"import sys, pipeline.{stage}; sys.exit(bool({{'dvc', 'torchvision'}} & set(sys.modules)))"
    assert subprocess.run(command("train")[:1] + ["-c", code], cwd=ROOT).returncode == 0
