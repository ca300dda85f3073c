"""Reestimate: statistics by hand, weights untouched, and a network whose running averages are useless set right."""

import json
from pathlib import Path

import pytest
import torch
from conftest import change_params, refused, run
from torch import nn

from pipeline import stage
from pipeline.data import loading
from pipeline.networks.network import Network, build
from pipeline.networks.weights import load_weights, save_weights
from pipeline.settings.architecture import Arch

RESULT = Path("reports/runs/slow-0/reestimate.json")
SLOW = {"depth": 8, "bn_momentum": 0.001, "bn_eps": 1e-3}


@pytest.fixture
def trained(workspace: Path) -> dict:
    """What reestimate finds of a network whose running averages have hardly moved."""
    change_params(workspace, variants=["slow"], arch={"slow": SLOW}, train_size=1000, epochs=4, lr=0.05, batch_size=50)
    assert run("train", "slow", 0).returncode == 0
    before = (stage.MODELS / "slow-0" / stage.WEIGHTS).read_bytes()
    result = run("reestimate", "slow", 0)
    assert result.returncode == 0, result.stderr
    assert (stage.MODELS / "slow-0" / stage.WEIGHTS).read_bytes() == before
    return json.loads(RESULT.read_text())


def test_a_network_whose_running_averages_are_near_their_start_is_set_right(trained):
    assert run("evaluate", "slow", 0).returncode == 0
    error = json.loads(Path("reports/runs/slow-0/metrics.json").read_text())["test_error"]
    assert error > 60
    assert trained["train_error_eval"] > 60
    assert trained["test_error_reestimated"] < 30
    assert trained["train_error_reestimated"] < 30
    assert trained["reestimation_gain"] == pytest.approx(error - trained["test_error_reestimated"])


def test_the_errors_are_those_with_the_mean_of_the_batches_statistics(trained, generated):
    """By hand, layer after layer: the mean over batches of 50 of each batch's mean and unbiased variance."""
    network = Network(Arch(**SLOW))
    mean, std = map(torch.tensor, load_weights(network, stage.MODELS / "slow-0" / stage.WEIGHTS))
    train, test = loading.load(generated, "synthetic", 0)
    train, _ = loading.split(train, 1000, 0)
    norms = [module for module in network.modules() if isinstance(module, nn.BatchNorm2d)]
    sums = {norm: [0.0, 0.0] for norm in norms}

    def note(norm: nn.Module, given: tuple[torch.Tensor]) -> None:
        sums[norm][0] += given[0].mean((0, 2, 3)) / 20
        sums[norm][1] += given[0].var((0, 2, 3)) / 20

    hooks = [norm.register_forward_pre_hook(note) for norm in norms]
    with torch.no_grad():
        network.train()
        for batch in train.images.split(50):
            network(loading.normalise(batch, mean, std))
        for hook in hooks:
            hook.remove()
        for norm, (means, variances) in sums.items():
            norm.running_mean.copy_(means)
            norm.running_var.copy_(variances)
        answer = network.eval()(loading.normalise(test.images, mean, std)).argmax(1)
    expected = 100 * (answer != test.labels).double().mean().item()
    assert trained["test_error_reestimated"] == pytest.approx(expected, abs=0.11)  # one image of 1,000 may tie


def test_a_frozen_network_and_one_that_is_not_trained_are_refused(workspace):
    arch = {"slow": SLOW, "frozen": {"depth": 8, "start": "cifar10", "frozen": True}}
    change_params(workspace, variants=["slow"], arch=arch)
    assert "data/models/slow-0/weights.safetensors is missing" in refused(run("reestimate", "slow", 0))
    network = build(Arch(**arch["frozen"]), 0)
    save_weights(network.state_dict(), stage.MODELS / "frozen-0" / stage.WEIGHTS, [0.5] * 3, [0.2] * 3)
    assert "arch.frozen.frozen is true; allowed: false" in refused(run("reestimate", "frozen", 0))
