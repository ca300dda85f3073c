"""Several processes for one run: gradients and results of one process, checkpoints, and refusals."""

import dataclasses
import json
import os
import shutil
import subprocess
import sys
import time
from pathlib import Path

import pandas as pd
import pytest
import torch
import torch.distributed as dist
import torch.nn.functional as F
from conftest import ROOT, change_params, kill_what_runs_in, make
from torch import nn
from torch.multiprocessing import spawn

from pipeline.compute.distributed import SyncBatchNorm, World
from pipeline.compute.inference import Inputs
from pipeline.data import loading
from pipeline.settings.params import Params

MODEL = Path("data/models/resnet8-0")


def torchrun(*args: object, processes: int = 2) -> list[str]:
    launcher = [sys.executable, "-m", "torch.distributed.run", "--standalone", f"--nproc-per-node={processes}"]
    return [*launcher, "-m", "pipeline.train", *map(str, args)]


def run(*args: object, processes: int = 2) -> subprocess.CompletedProcess[str]:
    env = os.environ | {"PYTHONPATH": str(ROOT)}
    return subprocess.run(torchrun(*args, processes=processes), env=env, capture_output=True, text=True, timeout=300)


def history() -> pd.DataFrame:
    return pd.read_csv(MODEL / "history.csv")


def in_processes(size: int, folder: Path, job, *args: object) -> list[dict[str, torch.Tensor]]:
    """What `job(world, *args)` returns in each of `size` processes that talk by gloo."""
    spawn(_process, (size, folder, job, args), nprocs=size)
    return [torch.load(folder / f"{rank}.pt", weights_only=True) for rank in range(size)]


def _process(rank: int, size: int, folder: Path, job, args: tuple) -> None:
    dist.init_process_group("gloo", init_method=f"file://{folder}/meeting", rank=rank, world_size=size)
    torch.save(job(World(rank, size), *args), folder / f"{rank}.pt")
    dist.destroy_process_group()


def gradients(world: World, settings: Params, folder: Path) -> dict[str, torch.Tensor]:
    """Gradients of two batches, of 64 and of 33 images, the epoch's loss and error, and batch norm's statistics.

    In double precision: in single precision rounding moves some units across ReLU's edge, and gradients by 0.5 %.
    """
    trainer = make(settings, folder, world=world)
    network = trainer.network.double()
    optimiser = torch.optim.SGD(network.parameters(), lr=0.01, momentum=0.9, fused=True)
    inputs = Inputs(trainer.inputs.mean.double(), trainer.inputs.std.double())
    trainer = dataclasses.replace(trainer, network=network, optimiser=optimiser, inputs=inputs)
    found = {}
    step = optimiser.step

    def keep() -> None:
        found.update({f"{len(found)}.{n}": p.grad.clone() for n, p in network.named_parameters()})
        step()

    optimiser.step = keep
    loss, error = trainer.epoch(loading.draw(0, 0, 97, 0, False), 0.01)
    return found | {"loss": torch.tensor(loss), "error": torch.tensor(error)} | dict(network.named_buffers())


@pytest.mark.parametrize("size", [2, pytest.param(3, marks=pytest.mark.slow)])
def test_with_synchronised_statistics_gradients_are_those_of_one_process(settings, generated, tmp_path, size):
    small = settings(train_size=97, batch_size=64, crop_padding=0, horizontal_flip=False)
    alone = gradients(World(), small, generated)
    for shared in in_processes(size, tmp_path, gradients, small, generated):
        assert shared.keys() == alone.keys()
        for name, tensor in alone.items():
            assert torch.allclose(shared[name].double(), tensor.double(), rtol=1e-5, atol=1e-6), name


def test_statistics_of_its_own_part_alone_give_other_gradients(settings, generated, tmp_path):
    small = settings(train_size=97, batch_size=64, crop_padding=0, horizontal_flip=False, sync_batchnorm=False)
    alone = gradients(World(), small, generated)
    shared, other = in_processes(2, tmp_path, gradients, small, generated)
    assert not torch.allclose(shared["0.conv1.weight"], alone["0.conv1.weight"], rtol=0.01, atol=1e-4)
    assert torch.equal(shared["0.conv1.weight"], other["0.conv1.weight"])


def normalised(world: World, x: torch.Tensor, parts: list[int]) -> dict[str, torch.Tensor]:
    """This process's part of synchronised batch norm's output, the gradient of its input, and its statistics."""
    torch.manual_seed(0)
    layer = SyncBatchNorm(3)
    nn.init.uniform_(layer.weight)
    part = x.split(parts)[world.rank].clone().requires_grad_()
    out = layer(part)
    (out * out.detach().cos()).sum().backward()
    return {"out": out.detach(), "grad": part.grad, "mean": layer.running_mean, "var": layer.running_var}


def test_batch_norm_over_processes_is_torchs_over_the_whole_batch(tmp_path):
    x = torch.randn(10, 3, 4, 4, generator=torch.Generator().manual_seed(1)) * 3 + 5
    torch.manual_seed(0)
    layer = nn.BatchNorm2d(3)
    nn.init.uniform_(layer.weight)
    whole = x.clone().requires_grad_()
    out = F.batch_norm(whole, layer.running_mean, layer.running_var, layer.weight, layer.bias, True)
    (out * out.detach().cos()).sum().backward()
    parts = in_processes(2, tmp_path, normalised, x, [7, 3])
    assert torch.allclose(torch.cat([part["out"] for part in parts]), out, atol=1e-5)
    assert torch.allclose(torch.cat([part["grad"] for part in parts]), whole.grad, atol=1e-5)
    for part in parts:
        assert torch.allclose(part["mean"], layer.running_mean, atol=1e-6)
        assert torch.allclose(part["var"], layer.running_var, atol=1e-5)


def test_torchrun_trains_as_one_process_does(workspace):
    change_params(workspace, train_size=1000, epochs=2, lr=0.05)
    env = os.environ | {"PYTHONPATH": str(ROOT)}
    subprocess.run([sys.executable, "-m", "pipeline.train", "resnet8", "0"], env=env, check=True, capture_output=True)
    alone = history()
    shutil.rmtree(MODEL)
    result = run("resnet8", 0)
    assert "error: processes is 1 in params.yaml; allowed: what was started, 2" in result.stderr
    change_params(workspace, processes=2)
    result = run("resnet8", 0)
    assert result.returncode == 0, result.stderr
    assert result.stdout.count("(1 thread, fp32), 2 processes: about") == 1
    shared = history()
    assert shared["train_loss"].tolist() == pytest.approx(alone["train_loss"].tolist(), rel=0.02)
    assert (shared["test_error"] - alone["test_error"]).abs().max() < 5
    sessions = json.loads(Path("reports/runs/resnet8-0/environment.json").read_text())["sessions"]
    assert [session["processes"] for session in sessions] == [2]
    assert not list(Path(".scratch").glob("*/checkpoint.safetensors"))


@pytest.mark.slow
@pytest.mark.parametrize("sync", [True, False])
def test_a_shared_run_that_is_killed_goes_on_to_the_same_bits(workspace, sync):
    change_params(workspace, epochs=5, train_size=300, sync_batchnorm=sync, processes=2)
    env = os.environ | {"PYTHONPATH": str(ROOT)}
    null = subprocess.DEVNULL
    process = subprocess.Popen(torchrun("resnet8", 0), env=env, stdout=null, stderr=null)
    deadline = time.monotonic() + 120
    while not list(Path(".scratch").glob("*/checkpoint.safetensors")):
        assert process.poll() is None
        assert time.monotonic() < deadline
        time.sleep(0.05)
    process.kill()
    process.wait()
    kill_what_runs_in(workspace)
    resumed = run("resnet8", 0)
    assert resumed.returncode == 0, resumed.stderr
    assert " are done" in resumed.stdout
    again = (MODEL / "weights.safetensors").read_bytes()
    shutil.rmtree(MODEL)
    assert " are done" not in run("resnet8", 0).stdout
    assert (MODEL / "weights.safetensors").read_bytes() == again


def test_a_batch_that_is_too_small_to_share_is_refused(workspace):
    change_params(workspace, train_size=129, batch_size=128, processes=2)
    result = run("resnet8", 0)
    assert result.returncode == 1
    assert "error: a batch of 1 images is too small for 2 processes; allowed: up to 1" in result.stderr


def test_parts_make_up_the_batch():
    for size in (1, 2, 3, 7):
        for batch in (7, 80, 128):
            parts = [World(rank, size).part(batch) for rank in range(size)]
            assert [start for start, _ in parts] + [batch] == [0] + [end for _, end in parts]
            assert max(end - start for start, end in parts) - min(end - start for start, end in parts) <= 1
