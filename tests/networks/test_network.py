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


@pytest.mark.parametrize(
    ("described", "millions"),
    [
        ({"blocks": [4, 4, 4], "width_factor": 10, "order": "pre"}, 36.5),  # WRN-28-10, its Table 5
        ({"depth": 110, "order": "pre", "shortcut": "identity"}, 1.7),  # He et al. 2016b, Table 3
        ({"depth": 164, "order": "pre", "block": "bottleneck"}, 1.7),
        ({"depth": 40, "block": "dense"}, 1.0),  # Huang et al. 2017, Table 2
        ({"depth": 100, "block": "dense", "growth": 24}, 27.2),
        ({"depth": 100, "block": "dense_bottleneck", "compression": 0.5}, 0.8),
        ({"depth": 250, "block": "dense_bottleneck", "compression": 0.5, "growth": 24}, 15.3),
        ({"depth": 190, "block": "dense_bottleneck", "compression": 0.5, "growth": 40}, 25.6),
    ],
)
def test_rounded_counts_are_the_published_ones(described, millions):
    with torch.device("meta"):
        assert parameter_count(Network(Arch(**described))) / 1e6 == pytest.approx(millions, abs=0.051)


def test_pre_activation_counts_are_exact():
    """Batch norms move and none is lost, so the count is that of post-activation; but projections lose theirs."""
    for depth in (20, 110):
        assert (
            parameter_count(Network(Arch(depth=depth, order="pre", shortcut="identity"))) == WITHOUT_PROJECTION[depth]
        )
        assert parameter_count(Network(Arch(depth=depth, order="pre", shortcut="none"))) == WITHOUT_PROJECTION[depth]
    stages = [(16, 16, 64), (64, 32, 128), (128, 64, 256)]  # of ResNet-164: channels in, inside and out
    expected = 3 * 16 * 9 + 2 * 256 + 10 * 256 + 10  # stem, last batch norm, classifier
    for inputs, inner, outputs in stages:
        for entering in (inputs, *[outputs] * 17):
            expected += inner * (entering + 9 * inner + outputs) + 2 * (entering + 2 * inner)
        expected += inputs * outputs
    assert parameter_count(Network(Arch(depth=164, order="pre", block="bottleneck"))) == expected == 1_703_258


DENSE = {
    "densenet40": ({"depth": 40, "block": "dense"}, None),
    "densenet_bc100": (
        {"depth": 100, "block": "dense_bottleneck", "compression": 0.5},
        {"growth_rate": 12, "block_config": (16, 16, 16), "num_init_features": 24, "num_classes": 10},
    ),
    "densenet121": (
        {"blocks": [6, 12, 24, 16], "block": "dense_bottleneck", "growth": 32, "compression": 0.5}
        | {"stem": "imagenet", "classes": 1000},
        {},
    ),
}


@pytest.mark.parametrize(("name", "count"), [("densenet40", 1_019_722), ("densenet_bc100", 769_162)])
def test_densenets_counts_are_exact(name, count):
    """By hand: of each layer two numbers a channel of its batch norms, and its weights."""
    arch = Arch(**DENSE[name][0])
    channels, bottleneck = (24, True) if name == "densenet_bc100" else (16, False)
    expected = channels * 27
    for stage in range(3):
        if stage:
            left = int(channels * arch.compression)
            expected, channels = expected + 2 * channels + channels * left, left
        for _ in range(arch.stages[stage]):
            expected += 2 * channels + (channels * 48 + 96 + 48 * 12 * 9 if bottleneck else channels * 12 * 9)
            channels += 12
    assert parameter_count(Network(arch)) == expected + 2 * channels + 10 * channels + 10 == count


@pytest.mark.parametrize("name", ["densenet_bc100", "densenet121"])
def test_densenets_are_torchvisions(name):
    """With its weights, in order, the same logits; its stem for ImageNet alone has batch norm and pooling."""
    described, given = DENSE[name]
    reference = torchvision.models.DenseNet(**given).eval()
    network = build(Arch(**described), seed=0).eval()
    if name == "densenet_bc100":
        reference.features.conv0 = torch.nn.Conv2d(3, 24, 3, 1, 1, bias=False)
        reference.features.norm0, reference.features.relu0, reference.features.pool0 = [torch.nn.Identity()] * 3
    ours, theirs = network.state_dict(), reference.state_dict()
    assert [value.shape for value in ours.values()] == [value.shape for value in theirs.values()]
    network.load_state_dict(dict(zip(ours, theirs.values(), strict=True)))
    x = torch.randn(2, 3, 64, 64, generator=torch.Generator().manual_seed(0))
    with torch.no_grad():
        assert torch.allclose(network(x), reference(x), atol=1e-5)


@pytest.mark.parametrize("block", ["basic", "bottleneck"])
@pytest.mark.parametrize("shortcut", ["none", "projection", "identity"])
def test_every_kind_of_block_trains(block, shortcut):
    described = {"blocks": [1, 1], "widths": [8, 24], "block": block, "shortcut": shortcut, "squeeze_excitation": True}
    network = build(Arch(**described, width_factor=2, groups=2 if block == "bottleneck" else 1), seed=0)
    network(torch.randn(4, 3, 32, 32)).sum().backward()
    assert all(parameter.grad is not None for parameter in network.parameters())


NEW = {
    "pre": {"blocks": [2, 1], "widths": [8, 16], "order": "pre"},
    "pre_bottleneck": {"blocks": [2, 1], "widths": [8, 16], "order": "pre", "block": "bottleneck"},
    "pre_plain": {"blocks": [2, 1], "widths": [8, 16], "order": "pre", "shortcut": "none"},
    "dense": {"blocks": [2, 2], "block": "dense", "growth": 4},
    "dense_bottleneck": {"blocks": [2, 2], "block": "dense_bottleneck", "growth": 4, "compression": 0.5},
}


@pytest.mark.parametrize("name", NEW)
def test_every_other_order_and_dense_networks_train(name):
    network = build(Arch(**NEW[name]), seed=0)
    network(torch.randn(4, 3, 32, 32)).sum().backward()
    assert all(parameter.grad.abs().sum() > 0 for parameter in network.parameters())


def test_a_pre_activation_network_is_its_pass_written_out():
    network = build(Arch(depth=14, order="pre"), seed=0).train()
    x = torch.randn(4, 3, 32, 32, generator=torch.Generator().manual_seed(0))

    def activated(x, norm):
        return F.relu(F.batch_norm(x, None, None, norm.weight, norm.bias, training=True))

    out = network.conv1(x)
    for stage in (network.layer1, network.layer2, network.layer3):
        for i, block in enumerate(stage):
            begun = activated(out, block.bn1)
            short = (begun if stage is network.layer1 else block.shortcut(begun)) if i == 0 else out
            out = short + block.conv2(activated(block.conv1(begun), block.bn2))
    expected = network.fc(activated(out, network.bn).mean((2, 3)))
    assert torch.allclose(network(x), expected, atol=1e-5)


def test_feature_maps_halve_as_channels_double():
    network = Network(Arch(depth=8))
    x = torch.randn(2, 3, 32, 32)
    x = F.relu(network.bn1(network.conv1(x)))
    shapes = []
    for stage in (network.layer1, network.layer2, network.layer3):
        x = stage(x)
        shapes.append(tuple(x.shape[1:]))
    assert shapes == [(16, 32, 32), (32, 16, 16), (64, 8, 8)]


@pytest.mark.parametrize(
    "described",
    [{"blocks": [1] * 6, "block": "dense"}, {"blocks": [1] * 4, "block": "dense", "stem": "imagenet"}, {"depth": 8},
     {"blocks": [1] * 7, "widths": [4] * 7}, {"blocks": [1] * 3, "widths": [4] * 3, "stem": "imagenet"}],
)  # fmt: skip
@pytest.mark.parametrize("pixels", [32, 50])
def test_the_last_stage_has_the_side_that_its_description_tells(described, pixels):
    arch, sides = Arch(**described), []
    network = Network(arch)
    network.get_submodule(network.stages[-1]).register_forward_hook(lambda _, given, out: sides.append(out.shape[-1]))
    network(torch.zeros(2, 3, pixels, pixels))
    assert sides == [arch.side(pixels)]
    assert Arch(blocks=[1] * 7, block="dense").side(32) == 0


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
