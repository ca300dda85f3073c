"""Descriptions of networks: what they come to. What is refused is in test_params.py, with the rest of params.yaml."""

import pytest

from pipeline.settings.architecture import Arch


@pytest.mark.parametrize(
    ("described", "layers", "stages"),
    [
        ({"depth": 20}, 20, [3, 3, 3]),
        ({"depth": 164, "block": "bottleneck"}, 164, [18, 18, 18]),
        ({"blocks": [2, 2, 2, 2], "widths": [16, 32, 64, 128]}, 18, [2, 2, 2, 2]),
        ({"blocks": [3, 4, 6, 3], "widths": [64, 128, 256, 512], "block": "bottleneck"}, 50, [3, 4, 6, 3]),
        ({"depth": 40, "block": "dense"}, 40, [12, 12, 12]),
        ({"depth": 100, "block": "dense_bottleneck"}, 100, [16, 16, 16]),
        ({"blocks": [6, 12, 24, 16], "block": "dense_bottleneck"}, 121, [6, 12, 24, 16]),
    ],
)
def test_layers_and_stages(described, layers, stages):
    arch = Arch(**described)
    assert (arch.layers, arch.stages) == (layers, stages)


def test_widths_inside_and_outside_of_blocks():
    assert Arch(depth=8, width_factor=2).outputs == [16, 32, 64, 128]
    assert Arch(depth=11, block="bottleneck").outputs == [16, 64, 128, 256]
    next50 = Arch(blocks=[3, 4, 6, 3], widths=[64, 128, 256, 512], block="bottleneck", groups=32)
    assert [next50.inner(stage) for stage in range(4)] == [128, 256, 512, 1024]  # Xie et al. 2017, Table 1


def test_channels_of_dense_networks():
    assert Arch(depth=40, block="dense").outputs == [16, 160, 304, 448]
    bc = Arch(depth=100, block="dense_bottleneck", compression=0.5)
    assert bc.outputs == [24, 216, 300, 342]  # 24 + 16 * 12, half of it + 16 * 12, and again


def test_what_a_block_is_connected_by():
    assert [Arch(depth=8, shortcut=kind).connection for kind in ("none", "identity")] == ["none", "identity"]
    assert Arch(depth=7, block="dense").connection == "dense"


def test_the_papers_networks_are_those_of_depth_and_shortcut():
    assert Arch(depth=20, shortcut="none").papers
    assert Arch(depth=20, widths=[16, 32, 64]).papers
    assert not Arch(depth=20, width_factor=2).papers
    assert not Arch(depth=20, order="pre").papers
    assert not Arch(blocks=[3, 3, 3]).papers
    assert not Arch(depth=40, block="dense").papers  # no depth of theirs, 6n+2
    assert not Arch(depth=29, block="bottleneck").papers
