"""Weights that go to a file and back."""

import pytest
import torch
from safetensors.torch import save_file

from pipeline.networks.network import Network, build
from pipeline.networks.weights import load_weights, save_weights
from pipeline.settings.architecture import Arch
from pipeline.stage import StageError


def test_weights_go_to_a_file_and_back(tmp_path):
    network = build(Arch(depth=8), seed=0)
    network(torch.randn(8, 3, 32, 32))  # moves batch norm's statistics
    path = tmp_path / "weights.safetensors"
    save_weights(network.state_dict(), path, [0.1, 0.2, 0.3], [1 / 3, 0.5, 0.6])
    other = build(Arch(depth=8), seed=1)
    assert load_weights(other, path) == ([0.1, 0.2, 0.3], [1 / 3, 0.5, 0.6])
    for name, tensor in network.state_dict().items():
        assert torch.equal(tensor, other.state_dict()[name]), name


def test_a_file_of_weights_is_the_same_bytes_each_time(tmp_path):
    network = build(Arch(depth=8), seed=0)
    for attempt in range(8):  # safetensors' metadata has a random order as soon as there are two entries
        save_weights(network.state_dict(), tmp_path / f"{attempt}", [0.1, 0.2, 0.3], [0.4, 0.5, 0.6])
    assert len({(tmp_path / f"{attempt}").read_bytes() for attempt in range(8)}) == 1


def test_missing_damaged_and_foreign_weights_are_refused(tmp_path):
    network = build(Arch(depth=8), seed=0)
    path = tmp_path / "weights.safetensors"
    with pytest.raises(StageError, match=r"weights.safetensors is missing: run `dvc repro`"):
        load_weights(network, path)
    save_weights(network.state_dict(), path, [0.0] * 3, [1.0] * 3)
    whole = path.read_bytes()
    for damaged in (whole[:-7], whole[: len(whole) // 2], b"", b"\0" * 100):
        path.write_bytes(damaged)
        with pytest.raises(StageError, match="is damaged"):
            load_weights(network, path)
    path.write_bytes(whole)
    with pytest.raises(StageError, match="holds another network"):
        load_weights(Network(Arch(depth=14)), path)
    save_file({name: tensor.contiguous() for name, tensor in network.state_dict().items()}, path)
    with pytest.raises(StageError, match="is damaged, no safetensors file of ours"):
        load_weights(network, path)
