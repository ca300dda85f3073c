"""Blocks: the identity where the branch is zero, option A, squeeze-and-excitation."""

import pytest
import torch
import torch.nn.functional as F

from pipeline.networks.blocks import BasicBlock, DenseLayer, PadShortcut, PreActivation, Transition


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
    out = PadShortcut(16, 32)(x)
    assert out.shape == (2, 32, 2, 2)
    assert torch.equal(out[:, 8:24], x[:, :, ::2, ::2])
    assert not out[:, :8].any()
    assert not out[:, 24:].any()


def test_squeeze_and_excitation_scales_each_channel():
    block = BasicBlock(32, 32, 1, "none", squeeze_excitation=True).eval()
    x = torch.randn(2, 32, 8, 8, generator=torch.Generator().manual_seed(0))
    branch = block.branch(x)
    squeezed = branch.mean((2, 3))
    first, second = (layer.weight.flatten(1).T for layer in (block.excitation.fc1, block.excitation.fc2))
    scale = torch.sigmoid(F.relu(squeezed @ first + block.excitation.fc1.bias) @ second + block.excitation.fc2.bias)
    assert torch.allclose(block(x), F.relu(branch * scale[:, :, None, None]), atol=1e-6)


@pytest.mark.parametrize("shares", [True, False])
def test_a_pre_activation_block_whose_branch_is_zero_is_its_shortcut_alone(shares):
    block = PreActivation([(16, 16, 3, 1, 1), (16, 16, 3, 1, 1)], "identity", shares).eval()
    torch.nn.init.zeros_(block.last().weight)
    x = torch.randn(4, 16, 8, 8, generator=torch.Generator().manual_seed(0))
    assert torch.equal(block(x), F.relu(block.bn1(x)) if shares else x)  # no ReLU after the addition
    assert block.identity != shares


def test_a_dense_layer_gives_out_its_input_and_what_it_adds():
    for bottleneck in (False, True):
        layer = DenseLayer(16, 12, bottleneck).eval()
        x = torch.randn(2, 16, 8, 8, generator=torch.Generator().manual_seed(0))
        out = layer(x)
        assert out.shape == (2, 28, 8, 8)
        assert torch.equal(out[:, :16], x)
        begun = layer.conv1(F.relu(layer.bn1(x))) if bottleneck else x
        assert torch.equal(out[:, 16:], layer.conv2(F.relu(layer.bn2(begun))))


def test_a_transition_takes_the_mean_of_four_pixels():
    transition = Transition(16, 8).eval()
    x = torch.randn(2, 16, 4, 4, generator=torch.Generator().manual_seed(0))
    full = transition.conv1(F.relu(transition.bn1(x)))
    assert torch.allclose(transition(x)[:, :, 0, 1], full[:, :, :2, 2:].mean((2, 3)), atol=1e-6)
