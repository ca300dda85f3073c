"""Committed networks by torch.hub: plain images in, the committed predictions' network behind them."""

import json

import numpy as np
import pytest
import torch
import torch.nn.functional as F
from conftest import ROOT

import hubconf
from pipeline.networks.network import Network, parameter_count
from pipeline.pretrained import classifier
from pipeline.settings import params
from pipeline.settings.datasets import CIFAR10_CLASSES

NAMES = ("plain20", "resnet20", "plain56", "resnet56")


def test_hub_lists_the_networks_of_the_grid():
    found = {name for name, value in vars(hubconf).items() if callable(value) and not name.startswith("_")}
    assert found == set(NAMES) == set(params.load(ROOT / "params.yaml").variants)
    assert set(hubconf.dependencies) <= {"numpy", "pydantic", "ruamel.yaml", "safetensors", "torch"}


@pytest.mark.parametrize("name", NAMES)
def test_hub_gives_the_committed_network(name):
    network = torch.hub.load(str(ROOT), name, source="local")
    assert network.classes == CIFAR10_CLASSES
    assert not network.training
    metrics = json.loads((ROOT / f"reports/runs/{name}-0/metrics.json").read_text())
    assert parameter_count(network) == metrics["parameters"]
    assert f"{metrics['parameters']:,} parameters" in getattr(hubconf, name).__doc__
    logits = network(torch.rand(2, 3, 32, 32))
    assert logits.shape == (2, 10)
    assert logits.isfinite().all()


def test_the_normalisation_is_inside():
    network = Network(params.load(ROOT / "params.yaml").network("resnet20")).eval()
    mean, std = np.array([0.4, 0.5, 0.6]), np.array([0.2, 0.3, 0.1])
    whole = classifier.Classifier(network, mean.tolist(), std.tolist(), CIFAR10_CLASSES).eval()
    images = torch.rand(4, 3, 32, 32)
    by_hand = torch.from_numpy((images.numpy() - mean[:, None, None]) / std[:, None, None]).float()
    assert torch.allclose(whole(images), network(by_hand), atol=1e-4)
    assert not torch.allclose(F.softmax(whole(images), 1), F.softmax(network(images), 1), atol=1e-3)
