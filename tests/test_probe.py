"""Probe: what it measures against torch's own gradients and a forward pass written out."""

import json
from pathlib import Path

import pandas as pd
import pytest
import torch
import torch.nn.functional as F
from conftest import refused, run
from torch import nn

from pipeline import probe
from pipeline.compute import inference
from pipeline.compute.inference import Inputs
from pipeline.data import loading
from pipeline.networks import blocks
from pipeline.networks.network import build
from pipeline.networks.weights import save_weights
from pipeline.settings.architecture import Arch


@pytest.fixture
def images(generated):
    return loading.load(generated, "synthetic", 0)[0][torch.arange(40)]


@pytest.fixture
def inputs():
    return Inputs.of([0.4, 0.5, 0.6], [0.2, 0.2, 0.3], torch.device("cpu"))


@pytest.fixture
def network():
    return build(Arch(depth=8), 0).train()


def logits(network: nn.Module, x: torch.Tensor, responses: list[float]) -> torch.Tensor:
    """The forward pass of a basic network, written out, with the standard deviation of each 3x3 layer's response."""

    def normed(x, bn):
        out = F.batch_norm(x, None, None, bn.weight, bn.bias, training=True)
        responses.append(out.std().item())
        return out

    x = F.relu(normed(network.conv1(x), network.bn1))
    for name in ("layer1", "layer2", "layer3"):
        for block in network.get_submodule(name):
            short = x
            if isinstance(block.shortcut, nn.Sequential):
                conv, bn = block.shortcut
                short = F.batch_norm(conv(x), None, None, bn.weight, bn.bias, training=True)
            out = F.relu(normed(block.conv1(x), block.bn1))
            x = F.relu(normed(block.conv2(out), block.bn2) + short)
    return network.fc(x.mean((2, 3)))


def test_gradients_and_responses_are_those_of_a_pass_written_out(network, images, inputs):
    std: list[float] = []
    loss = F.cross_entropy(logits(network, inputs(images.images), std), images.labels)
    weights = [network.conv1.weight]
    for block in (network.layer1[0], network.layer2[0], network.layer3[0]):
        weights += [block.conv1.weight, block.conv2.weight]
    weights.append(network.fc.weight)
    expected = [one.norm().item() for one in torch.autograd.grad(loss, weights)]

    found = probe.gradients(network, images, inputs)
    assert found["gradient"].tolist() == pytest.approx(expected, rel=1e-4)
    assert found["layer"].tolist() == list(range(1, 9))
    assert found["name"].iloc[[0, 1, -1]].tolist() == ["conv1", "layer1.0.conv1", "fc"]
    answers = probe.responses(network, images, inputs)
    assert answers["std"].tolist() == pytest.approx(std, rel=1e-4)
    assert answers["name"].tolist() == found["name"].tolist()[:-1]


def test_a_frozen_network_has_gradients_too(images, inputs):
    frozen = build(Arch(depth=8, start="cifar10", frozen=True), 0)
    assert probe.gradients(frozen, images, inputs)["gradient"].gt(0).all()


def test_the_reach_is_the_first_third_less_the_last_in_decades():
    layers = [f"conv{i}" for i in range(6)] + ["fc"]
    norms = [1.0, 100.0, 5.0, 5.0, 0.1, 0.1, 7.0]
    gradients = pd.DataFrame({"when": "initial", "name": layers, "gradient": norms})
    gradients = pd.concat([gradients, gradients.assign(when="trained", gradient=1.0)])
    responses = pd.DataFrame({"when": ["trained"] * 6, "name": layers[:-1], "std": range(6)})
    found = probe.summarise(gradients, responses)
    assert found == pytest.approx({"gradient_reach_initial": 2, "gradient_reach": 0, "response_std": 2.5})


def test_a_block_with_a_branch_of_zero_is_the_identity_and_a_plain_one_has_none(images, inputs):
    for shortcut in ("projection", "identity"):
        assert probe.identity_deviation(build(Arch(depth=14, shortcut=shortcut), 0), images, inputs) == 0
    assert probe.identity_deviation(build(Arch(depth=14, shortcut="none"), 0), images, inputs) is None


@pytest.mark.parametrize("block", ["basic", "bottleneck"])
def test_a_pre_activation_block_with_a_branch_of_zero_is_the_identity(images, inputs, block):
    arch = Arch(blocks=[2, 2], widths=[8, 16], order="pre", block=block)
    assert probe.identity_deviation(build(arch, 0), images, inputs) == 0
    arch = Arch(blocks=[1, 1], widths=[8, 16], order="pre", block=block)  # the first of a stage changes its input
    assert probe.identity_deviation(build(arch, 0), images, inputs) is None


@pytest.mark.parametrize(
    ("described", "names"),
    [
        (
            {"blocks": [1, 1], "widths": [8, 16], "order": "pre"},
            ["conv1", "layer1.0.conv1", "layer1.0.conv2", "layer2.0.conv1", "layer2.0.conv2"],
        ),
        ({"blocks": [1, 1], "block": "dense"}, ["conv1", "layer1.0.conv2", "layer2.1.conv2"]),
    ],
)
def test_the_response_of_a_layer_without_batch_norm_after_it_is_its_own(images, inputs, described, names):
    network = build(Arch(**described), 0).train()
    expected = {}
    for name in names:
        network.get_submodule(name).register_forward_hook(
            lambda module, given, out, name=name: expected.update({name: out.float().std().item()})
        )
    network(inputs(images.images))
    found = probe.responses(build(Arch(**described), 0).train(), images, inputs)
    assert dict(zip(found["name"], found["std"], strict=True)) == pytest.approx(expected)
    layers = probe.gradients(network, images, inputs)["name"].tolist()
    transitions = [name for name in layers if name == "layer2.0.conv1" and described.get("block") == "dense"]
    assert layers == [*names[:2], *transitions, *names[2:], "fc"]


def test_a_block_that_scales_its_input_is_found_out(network, images, inputs, monkeypatch):
    monkeypatch.setattr(blocks.BasicBlock, "forward", lambda self, x: 1.5 * x if x.shape[1] == 16 else x)
    network.layer2, network.layer3 = nn.Sequential(), nn.Sequential()
    network.fc = nn.Linear(16, 10)
    assert probe.identity_deviation(network, images, inputs) > 0.1


def test_the_stage_writes_layers_and_the_error_as_tested(workspace, settings):
    from pipeline import stage

    given = settings()
    network = build(given.network("resnet8"), 0)
    mean, std = [0.4, 0.5, 0.6], [0.2, 0.2, 0.2]
    save_weights(network.state_dict(), stage.MODELS / "resnet8-0" / stage.WEIGHTS, mean, std)
    result = run("probe", "resnet8", 0)
    assert result.returncode == 0, result.stderr
    folder = Path("reports/runs/resnet8-0")
    summary = json.loads((folder / "probe.json").read_text())
    images, _ = loading.split(loading.load(Path("data/cifar10"), "synthetic", 0)[0], given.train_size, 0)
    network.eval()
    with torch.no_grad():
        answer = network(loading.normalise(images.images, torch.tensor(mean), torch.tensor(std)))
    assert summary["train_error_eval"] == pytest.approx(inference.score(answer, images.labels)[1], abs=1e-6)
    table = pd.read_csv(folder / "gradients.csv")
    assert table.groupby("when")["layer"].max().to_dict() == {"initial": 8, "trained": 8}
    norms = {when: rows["gradient"].tolist() for when, rows in table.groupby("when")}
    assert norms["initial"] == norms["trained"]  # its weights are those it began with
    before = {path.name: path.read_bytes() for path in folder.iterdir()}
    assert set(before) == {"gradients.csv", "responses.csv", "probe.json"}
    assert run("probe", "resnet8", 0).returncode == 0
    assert {path.name: path.read_bytes() for path in folder.iterdir()} == before


def test_weights_that_are_not_finite_leave_no_number(workspace, settings):
    from pipeline import stage

    network = build(settings().network("plain8"), 0)
    tensors = network.state_dict() | {"conv1.weight": torch.full((16, 3, 3, 3), torch.nan)}
    save_weights(tensors, stage.MODELS / "plain8-0" / stage.WEIGHTS, [0.5] * 3, [0.2] * 3)
    assert run("probe", "plain8", 0).returncode == 0
    summary = json.loads(Path("reports/runs/plain8-0/probe.json").read_text())
    assert summary["response_std"] is None
    assert summary["gradient_reach"] is None
    assert summary["gradient_reach_initial"] is not None


def test_a_run_that_is_not_trained_is_refused(workspace):
    assert "data/models/resnet8-0/weights.safetensors is missing" in refused(run("probe", "resnet8", 0))
