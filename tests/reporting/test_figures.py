"""Figures: what is drawn are the numbers of the tables."""

import matplotlib.pyplot as plt
import numpy as np
import pandas as pd
import pytest

from pipeline.reporting import figures

ARCH = pd.DataFrame({"variant": ["plain20", "resnet20"], "depth": [20, 20], "shortcut": ["none", "projection"]})


@pytest.fixture(autouse=True)
def _close():
    yield
    plt.close("all")


def test_curves_are_means_and_the_band_spans_the_seeds():
    curves = pd.DataFrame(
        [("plain20", s, e, 50.0 - e, 60.0 - e + s, 2.0, 2.5) for s in (0, 2) for e in (1, 2, 3)],
        columns=["variant", "seed", "epoch", "train_error", "test_error", "train_loss", "test_loss"],
    )
    axis = figures.dynamics(curves, ARCH).axes[0]
    lines = {line.get_label(): line for line in axis.lines}
    assert lines["plain20, test"].get_ydata().tolist() == [60, 59, 58]
    assert lines["plain20, test"].get_linestyle() == "-"
    assert lines["plain20, train"].get_linestyle() == "--"
    band = axis.collections[1].get_paths()[0].vertices[:, 1]
    assert (band.min(), band.max()) == (57, 61)


@pytest.mark.parametrize(("worst", "scale"), [(150.0, "linear"), (300.0, "log"), (np.inf, "linear")])
def test_losses_far_apart_are_drawn_on_a_logarithmic_axis_and_training_has_open_markers(worst, scale):
    columns = ["variant", "seed", "epoch", "train_error", "test_error", "train_loss", "test_loss"]
    curves = pd.DataFrame([("plain20", 0, e, 50.0, 60.0, 2.0, worst) for e in (1, 2)], columns=columns)
    errors, losses = figures.dynamics(curves, ARCH).axes
    assert (errors.get_yscale(), losses.get_yscale()) == ("linear", scale)
    assert [line.get_markerfacecolor() for line in errors.lines] == ["none", figures.LOOKS["none"].colour]


def test_one_epoch_has_one_tick():
    curves = pd.DataFrame(
        [("plain20", 0, 1, 50.0, 60.0)], columns=["variant", "seed", "epoch", "train_error", "test_error"]
    )
    (axis,) = figures.gap(curves, ARCH).axes
    low, high = axis.get_xlim()
    assert [tick for tick in axis.get_xticks() if low <= tick <= high] == [1]


def test_test_errors_are_drawn_at_their_depth_with_published_ones_beside():
    results = ARCH.assign(
        test_error=[10.0, 9.0], test_error_sd=[0.5, np.nan], test_error_se=[0.3, 0.3], paper=[9.69, 8.75], study_a=9.0
    )
    axis = figures.test_error(results).axes[0]
    assert [line.get_xydata().tolist() for line in axis.lines if line.get_marker() in "so"] == [[[20, 10]], [[20, 9]]]
    labels = axis.get_legend_handles_labels()[1]
    assert {"plain, He et al. 2016", "residual, study A"} <= set(labels)
    assert [20, 8.75] in [points.get_offsets()[0].tolist() for points in axis.collections if len(points.get_offsets())]


def test_networks_look_like_their_shortcut_unless_several_have_the_same():
    looks = figures.looks(ARCH)
    assert looks == {"plain20": figures.LOOKS["none"], "resnet20": figures.LOOKS["projection"]}
    looks = figures.looks(ARCH.assign(shortcut="projection"))
    assert len({look.colour for look in looks.values()}) == 2
    many = pd.DataFrame({"variant": list("abcdef"), "depth": 20, "shortcut": "projection"})
    assert len({*figures.looks(many).values()}) == 6


def test_the_gap_is_training_accuracy_less_test_accuracy():
    curves = pd.DataFrame({"variant": "plain20", "seed": [0, 0, 1, 1], "epoch": [1, 2, 1, 2]})
    curves["train_error"], curves["test_error"] = [50, 20, 50, 10], [50, 40, 60, 50]
    (axis,) = figures.gap(curves, ARCH).axes
    assert axis.get_lines()[0].get_ydata().tolist() == [5, 30]
