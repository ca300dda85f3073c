"""Networks: the paper's parameter counts, identity at zero, initialisation."""

import pytest
import torch
import torch.nn.functional as F
import torchvision

from pipeline.networks.network import Network, build, parameter_count
from pipeline.settings.architecture import Arch

# exact counts: convolutions without bias, batch norm's scale and shift, the classifier with its bias
WITHOUT_PROJECTION = {20: 269_722, 32: 464_154, 44: 658_586, 56: 853_018, 110: 1_727_962}
PROJECTIONS = 16 * 32 + 2 * 32 + 32 * 64 + 2 * 64  # two 1x1 convolutions with batch norm, at any depth


@pytest.mark.parametrize("shortcut", ["none", "identity", "projection"])
@pytest.mark.parametrize("depth", WITHOUT_PROJECTION)
def test_parameter_counts_are_exact(depth, shortcut):
    network = Network(Arch(depth=depth, shortcut=shortcut))
    expected = WITHOUT_PROJECTION[depth] + (PROJECTIONS if shortcut == "projection" else 0)
    assert parameter_count(network) == expected


@pytest.mark.parametrize(("depth", "count"), [(20, 272_474), (56, 855_770), (110, 1_730_714)])
def test_option_b_counts_are_the_published_ones(depth, count):
    assert parameter_count(Network(Arch(depth=depth))) == count


@pytest.mark.parametrize("depth", [8, 20, 56])
def test_the_depth_counts_weighted_layers(depth):
    network = Network(Arch(depth=depth, shortcut="identity"))
    layers = [m for m in network.modules() if isinstance(m, torch.nn.Conv2d | torch.nn.Linear)]
    assert len(layers) == depth


IMAGENET = {"widths": [64, 128, 256, 512], "stem": "imagenet", "classes": 1000}
TORCHVISION = {
    "resnet18": {"blocks": [2, 2, 2, 2]},
    "resnet34": {"blocks": [3, 4, 6, 3]},
    "resnet50": {"blocks": [3, 4, 6, 3], "block": "bottleneck"},
    "resnet101": {"blocks": [3, 4, 23, 3], "block": "bottleneck"},
    "resnet152": {"blocks": [3, 8, 36, 3], "block": "bottleneck"},
    "resnext50_32x4d": {"blocks": [3, 4, 6, 3], "block": "bottleneck", "groups": 32},
}


@pytest.mark.parametrize("name", TORCHVISION)
def test_imagenets_networks_are_torchvisions(name):
    arch = Arch(**TORCHVISION[name], **IMAGENET)
    reference = getattr(torchvision.models, name)().eval()
    with torch.device("meta"):
        count = parameter_count(Network(arch))
    assert count == sum(parameter.numel() for parameter in reference.parameters())
    assert f"resne{'x' if 'x' in name else ''}t{arch.layers}" == name.split("_")[0]
    if name in ("resnet18", "resnext50_32x4d"):
        network = Network(arch).eval()
        state = {key.replace("downsample", "shortcut"): value for key, value in reference.state_dict().items()}
        network.load_state_dict(state)
        x = torch.randn(2, 3, 64, 64, generator=torch.Generator().manual_seed(0))
        assert torch.allclose(network(x), reference(x), atol=1e-5)


@pytest.mark.parametrize(
    ("described", "count"),
    [
        # torchvision's documentation
        (TORCHVISION["resnet50"] | IMAGENET, 25_557_032),
        (TORCHVISION["resnet101"] | IMAGENET, 44_549_160),
        (TORCHVISION["resnet152"] | IMAGENET, 60_192_808),
        (TORCHVISION["resnet18"] | IMAGENET, 11_689_512),
        (TORCHVISION["resnet34"] | IMAGENET, 21_797_672),
        # ResNet-50's and for each block of C channels two layers of C * C / 16 weights and C / 16 and C biases
        (TORCHVISION["resnet50"] | IMAGENET | {"squeeze_excitation": True}, 28_088_024),
        # study C, with option B and option A shortcuts
        ({"blocks": [2, 2, 2, 2], "widths": [16, 32, 64, 128]}, 701_466),
        ({"blocks": [2, 2, 2, 2], "widths": [16, 32, 64, 128], "shortcut": "identity"}, 690_266),
        ({"blocks": [2, 2, 2, 2], "widths": [16, 32, 64, 128], "shortcut": "none"}, 690_266),
    ],
)
def test_counts_are_the_published_ones(described, count):
    with torch.device("meta"):
        assert parameter_count(Network(Arch(**described))) == count


def test_wrn_28_10_has_36_5_million_parameters():
    with torch.device("meta"):
        wide = Network(Arch(blocks=[4, 4, 4], width_factor=10))
    assert parameter_count(wide) / 1e6 == pytest.approx(36.5, abs=0.05)


@pytest.mark.parametrize("block", ["basic", "bottleneck"])
@pytest.mark.parametrize("shortcut", ["none", "projection", "identity"])
def test_every_kind_of_block_trains(block, shortcut):
    described = {"blocks": [1, 1], "widths": [8, 24], "block": block, "shortcut": shortcut, "squeeze_excitation": True}
    network = build(Arch(**described, width_factor=2, groups=2 if block == "bottleneck" else 1), seed=0)
    network(torch.randn(4, 3, 32, 32)).sum().backward()
    assert all(parameter.grad is not None for parameter in network.parameters())


def test_feature_maps_halve_as_channels_double():
    network = Network(Arch(depth=8))
    x = torch.randn(2, 3, 32, 32)
    x = F.relu(network.bn1(network.conv1(x)))
    shapes = []
    for stage in (network.layer1, network.layer2, network.layer3):
        x = stage(x)
        shapes.append(tuple(x.shape[1:]))
    assert shapes == [(16, 32, 32), (32, 16, 16), (64, 8, 8)]


def test_initialisation_is_hes_and_comes_from_the_seed_alone():
    network = build(Arch(depth=56), seed=0)
    for name, weight in network.named_parameters():
        if name.endswith("weight") and weight.dim() == 4 and weight.numel() > 4000:
            fan_in = weight[0].numel()
            assert weight.std().item() == pytest.approx((2 / fan_in) ** 0.5, rel=0.08), name
    assert not network.fc.bias.any()
    torch.manual_seed(123)
    again, other = build(Arch(depth=56), seed=0), build(Arch(depth=56), seed=1)
    assert torch.equal(network.layer3[8].conv2.weight, again.layer3[8].conv2.weight)
    assert not torch.equal(network.layer3[8].conv2.weight, other.layer3[8].conv2.weight)


def test_networks_of_one_seed_share_starting_weights():
    """What networks.build says of plain20 and resnet20: nine of nineteen convolutions."""
    plain, residual = (build(Arch(depth=20, shortcut=kind), seed=3) for kind in ("none", "projection"))
    names = [name for name, module in plain.named_modules() if isinstance(module, torch.nn.Conv2d)]
    same = [torch.equal(plain.get_submodule(n).weight, residual.get_submodule(n).weight) for n in names]
    assert (sum(same), len(same)) == (9, 19)


def test_pooling_and_classifier_are_in_fp32_under_autocast():
    network = build(Arch(depth=8), seed=0).eval()
    seen = {}
    network.layer3.register_forward_hook(lambda module, given, out: seen.update(blocks=out))
    with torch.no_grad(), torch.autocast("cpu", torch.bfloat16):
        logits = network(torch.randn(4, 3, 32, 32))
    assert (seen["blocks"].dtype, logits.dtype) == (torch.bfloat16, torch.float32)
    pooled = seen["blocks"].double().mean((2, 3))
    expected = pooled @ network.fc.weight.double().T + network.fc.bias.double()
    assert torch.allclose(logits.double(), expected, atol=1e-5)  # bf16 would be off by 1e-2


def test_batch_norm_has_the_momentum_and_eps_of_its_entry():
    x = torch.randn(8, 3, 32, 32)
    for arch, momentum, eps in ((Arch(depth=8), 0.1, 1e-5), (Arch(depth=8, bn_momentum=0.01, bn_eps=1e-3), 0.01, 1e-3)):
        network = build(arch, seed=0)
        norms = [module for module in network.modules() if isinstance(module, torch.nn.BatchNorm2d)]
        assert {(norm.momentum, norm.eps) for norm in norms} == {(momentum, eps)}
        response = network.conv1(x).double()
        mean, var = response.mean((0, 2, 3)), response.var((0, 2, 3), unbiased=False)
        expected = (response - mean[:, None, None]) / (var + eps).sqrt()[:, None, None]
        assert torch.allclose(network.bn1(network.conv1(x)).double(), expected, atol=1e-4)
        assert torch.allclose(network.bn1.running_mean.double(), momentum * mean, atol=1e-6)
