"""Networks: the paper's parameter counts, identity at zero, initialisation, and weights that go to a file and back."""

import pytest
import torch
import torch.nn.functional as F
from safetensors.torch import save_file

from pipeline import networks
from pipeline.networks import BasicBlock
from pipeline.params import Arch
from pipeline.stage import StageError

# exact counts: convolutions without bias, batch norm's scale and shift, the classifier with its bias
WITHOUT_PROJECTION = {20: 269_722, 32: 464_154, 44: 658_586, 56: 853_018, 110: 1_727_962}
PROJECTIONS = 16 * 32 + 2 * 32 + 32 * 64 + 2 * 64  # two 1x1 convolutions with batch norm, at any depth


@pytest.mark.parametrize("shortcut", ["none", "identity", "projection"])
@pytest.mark.parametrize("depth", WITHOUT_PROJECTION)
def test_parameter_counts_are_exact(depth, shortcut):
    network = networks.Network(Arch(depth=depth, shortcut=shortcut))
    expected = WITHOUT_PROJECTION[depth] + (PROJECTIONS if shortcut == "projection" else 0)
    assert networks.parameter_count(network) == expected


@pytest.mark.parametrize(("depth", "count"), [(20, 272_474), (56, 855_770), (110, 1_730_714)])
def test_option_b_counts_are_the_published_ones(depth, count):
    assert networks.parameter_count(networks.Network(Arch(depth=depth))) == count


@pytest.mark.parametrize("depth", [8, 20, 56])
def test_the_depth_counts_weighted_layers(depth):
    network = networks.Network(Arch(depth=depth, shortcut="identity"))
    layers = [m for m in network.modules() if isinstance(m, torch.nn.Conv2d | torch.nn.Linear)]
    assert len(layers) == depth


@pytest.mark.parametrize("shortcut", ["identity", "projection"])
@pytest.mark.parametrize(("outputs", "stride"), [(16, 1), (32, 2)])
def test_a_residual_block_whose_branch_is_zero_is_relu_of_its_shortcut(outputs, stride, shortcut):
    block = BasicBlock(16, outputs, stride, shortcut).eval()
    torch.nn.init.zeros_(block.bn2.weight)
    x = torch.randn(4, 16, 8, 8, generator=torch.Generator().manual_seed(0))
    assert torch.equal(block(x), F.relu(block.shortcut(x)))
    if outputs == 16:
        assert torch.equal(block(x), F.relu(x))


def test_a_plain_block_whose_branch_is_zero_is_zero():
    block = BasicBlock(16, 16, 1, "none").eval()
    torch.nn.init.zeros_(block.bn2.weight)
    assert not block(torch.randn(4, 16, 8, 8)).any()


def test_option_a_takes_every_second_pixel_and_adds_empty_channels():
    x = torch.arange(2 * 16 * 4 * 4.0).view(2, 16, 4, 4)
    out = networks.PadShortcut(16, 32)(x)
    assert out.shape == (2, 32, 2, 2)
    assert torch.equal(out[:, 8:24], x[:, :, ::2, ::2])
    assert not out[:, :8].any()
    assert not out[:, 24:].any()


def test_feature_maps_halve_as_channels_double():
    network = networks.Network(Arch(depth=8))
    x = torch.randn(2, 3, 32, 32)
    x = F.relu(network.bn1(network.conv1(x)))
    shapes = []
    for stage in (network.layer1, network.layer2, network.layer3):
        x = stage(x)
        shapes.append(tuple(x.shape[1:]))
    assert shapes == [(16, 32, 32), (32, 16, 16), (64, 8, 8)]


def test_initialisation_is_hes_and_comes_from_the_seed_alone():
    network = networks.build(Arch(depth=56), seed=0)
    for name, weight in network.named_parameters():
        if name.endswith("weight") and weight.dim() == 4 and weight.numel() > 4000:
            fan_in = weight[0].numel()
            assert weight.std().item() == pytest.approx((2 / fan_in) ** 0.5, rel=0.08), name
    assert not network.fc.bias.any()
    torch.manual_seed(123)
    again, other = networks.build(Arch(depth=56), seed=0), networks.build(Arch(depth=56), seed=1)
    assert torch.equal(network.layer3[8].conv2.weight, again.layer3[8].conv2.weight)
    assert not torch.equal(network.layer3[8].conv2.weight, other.layer3[8].conv2.weight)


def test_weights_go_to_a_file_and_back(tmp_path):
    network = networks.build(Arch(depth=8), seed=0)
    network(torch.randn(8, 3, 32, 32))  # moves batch norm's statistics
    path = tmp_path / "weights.safetensors"
    networks.save_weights(network, path, [0.1, 0.2, 0.3], [1 / 3, 0.5, 0.6])
    other = networks.build(Arch(depth=8), seed=1)
    assert networks.load_weights(other, path) == ([0.1, 0.2, 0.3], [1 / 3, 0.5, 0.6])
    for name, tensor in network.state_dict().items():
        assert torch.equal(tensor, other.state_dict()[name]), name


def test_a_file_of_weights_is_the_same_bytes_each_time(tmp_path):
    network = networks.build(Arch(depth=8), seed=0)
    for attempt in range(8):  # safetensors' metadata has a random order as soon as there are two entries
        networks.save_weights(network, tmp_path / f"{attempt}", [0.1, 0.2, 0.3], [0.4, 0.5, 0.6])
    assert len({(tmp_path / f"{attempt}").read_bytes() for attempt in range(8)}) == 1


def test_missing_damaged_and_foreign_weights_are_refused(tmp_path):
    network = networks.build(Arch(depth=8), seed=0)
    path = tmp_path / "weights.safetensors"
    with pytest.raises(StageError, match=r"weights.safetensors is missing: run `dvc repro`"):
        networks.load_weights(network, path)
    networks.save_weights(network, path, [0.0] * 3, [1.0] * 3)
    whole = path.read_bytes()
    for damaged in (whole[:-7], whole[: len(whole) // 2], b"", b"\0" * 100):
        path.write_bytes(damaged)
        with pytest.raises(StageError, match="is damaged"):
            networks.load_weights(network, path)
    path.write_bytes(whole)
    with pytest.raises(StageError, match="holds another network"):
        networks.load_weights(networks.Network(Arch(depth=14)), path)
    save_file({name: tensor.contiguous() for name, tensor in network.state_dict().items()}, path)
    with pytest.raises(StageError, match="is damaged, no safetensors file of ours"):
        networks.load_weights(network, path)
