"""Figures behind the claims: what is drawn are the numbers of the tables."""

from itertools import product

import matplotlib.pyplot as plt
import numpy as np
import pandas as pd
import pytest
from matplotlib.colors import rgb_to_hsv, to_rgb

from pipeline.reporting import evidence_figures

ARCH = pd.DataFrame(
    {
        "variant": ["plain20", "resnet20", "plain56", "resnet56"],
        "depth": [20, 20, 56, 56],
        "shortcut": ["none", "projection"] * 2,
    }
)


@pytest.fixture(autouse=True)
def _close():
    yield
    plt.close("all")


def drawn(axis) -> dict[str, list[float]]:
    return {line.get_label(): line.get_ydata().tolist() for line in axis.lines if not line.get_label().startswith("_")}


def test_curves_are_split_by_family_with_test_bold_and_training_dashed():
    rows = [(v, s, e, 50 - e, 60.0 - e + s) for v in ARCH["variant"] for s in (0, 2) for e in (1, 2, 3)]
    curves = pd.DataFrame(rows, columns=["variant", "seed", "epoch", "train_error", "test_error"])
    plain, residual = evidence_figures.by_family(curves, ARCH).axes
    assert (plain.get_title(), residual.get_title()) == ("plain", "residual")
    assert drawn(plain)["plain56, test"] == [60, 59, 58]
    assert drawn(residual)["resnet20, train"] == [49, 48, 47]
    styles = {line.get_label(): (line.get_linestyle(), line.get_linewidth()) for line in plain.lines}
    assert styles["plain20, train"][0] == "--"
    assert styles["plain20, test"][0] == "-"
    assert styles["plain20, test"][1] > styles["plain20, train"][1]
    edges = plain.collections[1].get_paths()[0].vertices[:, 1]
    assert (edges.min(), edges.max()) == (57, 61)
    (alone,) = evidence_figures.by_family(curves, ARCH[ARCH["shortcut"] == "none"]).axes
    assert alone.get_title() == "plain"
    mixed = ARCH.assign(shortcut=["none", "projection", "dense", "identity"])
    titles = [axis.get_title() for axis in evidence_figures.by_family(curves, mixed).axes]
    assert titles == ["plain", "residual", "dense"]


def test_gains_have_their_interval_and_published_ones_beside():
    table = pd.DataFrame({"depth": [20, 56], "shortcut": "projection", "gain": [1.0, 6.0], "low": [0.5, 4.0]})
    table = table.assign(high=[1.5, 8.0], paper=[0.94, 6.29], study_a=[1.11, np.nan])
    (axis,) = evidence_figures.gains(table).axes
    assert axis.containers[0].lines[0].get_ydata().tolist() == [1, 6]
    bars = [path.vertices[:, 1].tolist() for path in axis.containers[0].lines[2][0].get_paths()]
    assert bars == [[0.5, 1.5], [4, 8]]
    points = {one.get_label(): one.get_offsets().tolist() for one in axis.collections if len(one.get_offsets())}
    assert points["He et al. 2016"] == [[20, 0.94], [56, 6.29]]
    assert points["study A"] == [[20, 1.11]]


def test_convergence_is_drawn_where_it_was_reached():
    results = pd.DataFrame({"variant": ARCH["variant"], "epochs_to_50": [1.0, 1, 2, 1]})
    results["epochs_to_20"] = [5, 3, np.nan, 4]
    (axis,) = evidence_figures.convergence(results, ARCH).axes
    assert drawn(axis)["resnet20"] == [1, 3]
    assert np.isnan(drawn(axis)["plain56"][1])
    assert axis.xaxis_inverted()
    sizes = [line.get_markersize() for line in axis.lines]
    assert sizes == sorted(sizes, reverse=True), "equal values hide one another"
    never = results.assign(epochs_to_50=[1, 1, np.nan, 1])
    (axis,) = evidence_figures.convergence(never, ARCH).axes
    assert "plain56: none reached" in drawn(axis)


def test_layers_are_means_over_seeds_before_and_after_training():
    keys = product(ARCH["variant"], (0, 2), ("initial", "trained"), (1, 2))
    table = pd.DataFrame(keys, columns=["variant", "seed", "when", "layer"])
    table["gradient"] = 10.0 ** -table["layer"] * (1 + table["seed"])
    before, after = evidence_figures.gradients(table, ARCH).axes
    assert (before.get_title(), after.get_title()) == ("before training", "after training")
    assert drawn(before)["plain56"] == pytest.approx([0.2, 0.02])
    assert before.get_yscale() == "log"


def test_responses_are_shown_by_layer_and_by_size():
    keys = product(ARCH["variant"], (0,), ("initial", "trained"), (1, 2))
    table = pd.DataFrame(keys, columns=["variant", "seed", "when", "layer"])
    table["std"] = table["layer"].map({1: 0.5, 2: 2.0}).where(table["when"] == "trained", 9)
    by_layer, by_size = evidence_figures.responses(table, ARCH).axes
    assert drawn(by_layer)["resnet56"] == [0.5, 2]
    assert drawn(by_size)["resnet56"] == [2, 0.5]
    assert by_size.get_yscale() == "log"


def test_networks_are_told_apart_without_colour():
    alike = evidence_figures.lines(ARCH.assign(shortcut="projection", depth=20))
    assert len(set(alike.values())) == 4
    looks = evidence_figures.lines(ARCH)
    assert looks["plain20"].marker == looks["resnet20"].marker != looks["plain56"].marker
    hue, _, shallow = rgb_to_hsv(to_rgb(looks["plain20"].colour))
    same_hue, _, deep = rgb_to_hsv(to_rgb(looks["plain56"].colour))
    assert same_hue == pytest.approx(hue, abs=0.01)
    assert deep < 0.6 * shallow
    assert looks["resnet20"].colour == evidence_figures.LOOKS["projection"].colour.lower()
