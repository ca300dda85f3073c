"""The report's figures: each function takes tables that aggregate wrote and returns a matplotlib figure.

Plain networks are orange and residual ones blue (Okabe-Ito, which the colour-blind can distinguish); markers, dashes
and hatching distinguish them as well, so that a print in grey can be read.
"""

from functools import partial
from itertools import cycle
from typing import NamedTuple

import matplotlib.pyplot as plt
import numpy as np
import pandas as pd
import seaborn as sns
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.ticker import MaxNLocator

WHOLE = partial(MaxNLocator, integer=True, min_n_ticks=1)  # of an axis of epochs; one tick if there is one epoch


class Look(NamedTuple):
    """How a variant is drawn."""

    colour: str
    marker: str
    hatch: str


FAMILIES = ("plain", "residual", "dense")
KINDS = {  # of a network by its shortcut; each begins with its family
    "none": "plain",
    "identity": "residual, option A",
    "projection": "residual, option B",
    "dense": "dense",
}
LOOKS = {  # of a network by its shortcut
    "none": Look("#D55E00", "s", "///"),
    "identity": Look("#56B4E9", "^", "..."),
    "projection": Look("#0072B2", "o", ""),
    "dense": Look("#009E73", "v", "..."),
}
OTHERS = (
    LOOKS["none"], LOOKS["projection"], Look("#009E73", "^", "..."), Look("#CC79A7", "D", "xx"),
    Look("#E69F00", "v", "\\\\\\"), Look("#000000", "P", "++"),
)  # fmt: skip
PUBLISHED = {"paper": ("D", "He et al. 2016"), "study_a": ("*", "study A")}


def style() -> None:
    """Set seaborn's theme and what makes an SVG the same bytes each time, whatever matplotlibrc the user has."""
    plt.rcdefaults()
    sns.set_theme(context="paper", style="whitegrid", font_scale=1.05)
    plt.rcParams.update({"svg.hashsalt": "report", "svg.fonttype": "path", "savefig.dpi": 200, "figure.dpi": 100})
    plt.rcParams["font.family"] = "DejaVu Sans"  # comes with matplotlib; the theme's Arial is not everywhere


def family(shortcut: str) -> str:
    """Which of FAMILIES networks with such a shortcut belong to."""
    return KINDS[shortcut].split(",")[0]


def looks(arch: pd.DataFrame) -> dict[str, Look]:
    """A look for each variant: that of its shortcut, unless several of a depth have the same one."""
    if not arch.duplicated(["depth", "shortcut"]).any():
        return {variant: LOOKS[kind] for variant, kind in zip(arch["variant"], arch["shortcut"], strict=True)}
    return dict(zip(arch["variant"], cycle(OTHERS), strict=False))


def test_error(results: pd.DataFrame) -> Figure:
    """Test error against layers: ours with its spread, and the published values as open markers."""
    figure, axes = plt.subplots(figsize=(7, 3.8), layout="constrained")
    for shortcut, group in results.groupby("shortcut", sort=False):
        group = group.sort_values("depth")
        look = LOOKS[shortcut]
        style = {"color": look.colour, "marker": look.marker, "label": f"{KINDS[shortcut]}, ours"}
        spread = group["test_error_sd"].fillna(group["test_error_se"])
        axes.errorbar(group["depth"], group["test_error"], spread, capsize=4, markersize=7, linewidth=1.8, **style)
    for name, group in results.groupby(results["shortcut"].map(family), sort=False):
        published = group.groupby("depth")[list(PUBLISHED)].first()  # of all kinds of shortcuts
        for source, (marker, label) in PUBLISHED.items():
            known = published[source].dropna()
            colour = LOOKS[{"plain": "none", "residual": "projection"}.get(name, name)].colour
            shown = {"marker": marker, "s": 70, "facecolors": "none", "edgecolors": colour}
            if len(known):
                axes.scatter(known.index, known, label=f"{name}, {label}", **shown)
    axes.set(xlabel="layers", ylabel="test error (%)", ylim=(0, None), xticks=sorted(set(results["depth"])))
    axes.legend(loc="center left", bbox_to_anchor=(1.01, 0.5), frameon=False)
    return figure


def dynamics(curves: pd.DataFrame, arch: pd.DataFrame) -> Figure:
    """Error and loss by epoch: training dashed with open markers, test solid; mean over seeds, a band of all.

    `arch` has each variant's shortcut. Losses a hundredfold apart are drawn on a logarithmic axis.
    """
    figure, axes = plt.subplots(1, 2, figsize=(9, 3.6), layout="constrained")
    look = looks(arch)
    for axis, measure, label in zip(axes, ("error", "loss"), ("error (%)", "cross-entropy (nats)"), strict=True):
        for variant, runs in curves.groupby("variant", sort=False):
            colour, marker, _ = look[variant]
            for part, dash in (("train", "--"), ("test", "-")):
                mean = band(axis, runs, f"{part}_{measure}", colour)
                shown = {"markevery": max(1, len(mean) // 10), "marker": marker, "markersize": 4, "linewidth": 1.5}
                shown["markerfacecolor"] = "none" if part == "train" else colour
                axis.plot(mean.index, mean, dash, color=colour, label=f"{variant}, {part}", **shown)
        axis.set(xlabel="epoch", ylabel=label)
        drawn = np.concatenate([line.get_ydata() for line in axis.lines])
        drawn = drawn[np.isfinite(drawn)]
        if measure == "loss" and len(drawn) and drawn.max() > 100 * drawn.min() > 0:
            axis.set_yscale("log")
        else:
            axis.set_ylim(0, 1.05 * drawn.max(initial=1e-9))
        axis.xaxis.set_major_locator(WHOLE())
    axes[0].set_ylim(0, 100)
    axes[0].legend(frameon=False)
    figure.get_layout_engine().set(wspace=0.08)
    return figure


def band(axis: Axes, runs: pd.DataFrame, column: str, colour: str, by: str = "epoch") -> pd.Series:
    """Draw from lowest to highest over seeds; the mean by epoch or layer, where all seeds have one, not survivors."""
    grouped = runs.groupby(by)[column]
    axis.fill_between(grouped.min().index, grouped.min(), grouped.max(), color=colour, alpha=0.2, linewidth=0)
    return grouped.mean().where(grouped.size() == runs["seed"].nunique())


def gap(curves: pd.DataFrame, arch: pd.DataFrame) -> Figure:
    """Accuracy in training less that in test, by epoch; mean over seeds, with a band from lowest to highest."""
    figure, axis = plt.subplots(figsize=(7, 3.4), layout="constrained")
    look = looks(arch)
    for variant, runs in curves.groupby("variant", sort=False):
        colour, marker, _ = look[variant]
        mean = band(axis, runs.assign(gap=runs["test_error"] - runs["train_error"]), "gap", colour)
        shown = {"markevery": max(1, len(mean) // 10), "marker": marker, "markersize": 4, "linewidth": 1.5}
        axis.plot(mean.index, mean, color=colour, label=variant, **shown)
    axis.axhline(0, color="0.4", linewidth=0.8)
    axis.set(xlabel="epoch", ylabel="training − test accuracy (points)")
    axis.xaxis.set_major_locator(WHOLE())
    axis.legend(frameon=False)
    return figure
