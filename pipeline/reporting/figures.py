"""The report's figures: each function takes tables that aggregate wrote and returns a matplotlib figure.

Plain networks are orange and residual ones blue (Okabe-Ito, which the colour-blind can distinguish); markers, dashes
and hatching distinguish them as well, so that a print in grey can be read.
"""

from itertools import cycle
from typing import NamedTuple

import matplotlib.pyplot as plt
import numpy as np
import pandas as pd
import seaborn as sns
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.ticker import MaxNLocator

from pipeline.analysis import measures


class Look(NamedTuple):
    """How a variant is drawn."""

    colour: str
    marker: str
    hatch: str


FAMILIES = {
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
OTHERS = (LOOKS["none"], LOOKS["projection"], Look("#009E73", "^", "..."), Look("#CC79A7", "D", "xx"))
PUBLISHED = {"paper": ("D", "He et al. 2016"), "study_a": ("*", "study A")}


def style() -> None:
    """Set seaborn's theme and what makes an SVG the same bytes each time, whatever matplotlibrc the user has."""
    plt.rcdefaults()
    sns.set_theme(context="paper", style="whitegrid", font_scale=1.05)
    plt.rcParams.update({"svg.hashsalt": "report", "svg.fonttype": "path", "savefig.dpi": 200, "figure.dpi": 100})
    plt.rcParams["font.family"] = "DejaVu Sans"  # comes with matplotlib; the theme's Arial is not everywhere


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
        style = {"color": look.colour, "marker": look.marker, "label": f"{FAMILIES[shortcut]}, ours"}
        spread = group["test_error_sd"].fillna(group["test_error_se"])
        axes.errorbar(group["depth"], group["test_error"], spread, capsize=4, markersize=7, linewidth=1.8, **style)
    for family, group in results.groupby(np.where(results["shortcut"] == "none", "plain", "residual"), sort=False):
        published = group.groupby("depth")[list(PUBLISHED)].first()  # of all kinds of shortcuts
        for source, (marker, label) in PUBLISHED.items():
            colour = LOOKS["none" if family == "plain" else "projection"].colour
            shown = {"marker": marker, "s": 70, "facecolors": "none", "edgecolors": colour}
            axes.scatter(published.index, published[source], label=f"{family}, {label}", **shown)
    axes.set(xlabel="layers", ylabel="test error (%)", ylim=(0, None), xticks=sorted(set(results["depth"])))
    axes.legend(loc="center left", bbox_to_anchor=(1.01, 0.5), frameon=False)
    return figure


def dynamics(curves: pd.DataFrame, arch: pd.DataFrame) -> Figure:
    """Error and loss by epoch: training dashed, test solid; mean over seeds, with a band from lowest to highest.

    `arch` has each variant's shortcut.
    """
    figure, axes = plt.subplots(1, 2, figsize=(9, 3.6), layout="constrained")
    look = looks(arch)
    for axis, measure, label in zip(axes, ("error", "loss"), ("error (%)", "cross-entropy (nats)"), strict=True):
        for variant, runs in curves.groupby("variant", sort=False):
            colour, marker, _ = look[variant]
            for part, dash in (("train", "--"), ("test", "-")):
                mean = band(axis, runs, f"{part}_{measure}", colour)
                shown = {"markevery": max(1, len(mean) // 10), "marker": marker, "markersize": 4, "linewidth": 1.5}
                axis.plot(mean.index, mean, dash, color=colour, label=f"{variant}, {part}", **shown)
        axis.set(xlabel="epoch", ylabel=label, ylim=(0, None))
        axis.xaxis.set_major_locator(MaxNLocator(integer=True))
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
    axis.xaxis.set_major_locator(MaxNLocator(integer=True))
    axis.legend(frameon=False)
    return figure


def confusion(counts: pd.DataFrame) -> Figure:
    """Confusion matrices side by side: shares in percent of each actual class, summed over seeds.

    Of two networks there is a third panel, the second's shares less the first's.
    """
    variants = counts["variant"].unique()
    panels = {variant: share(counts[counts["variant"] == variant]) for variant in variants}
    if len(variants) == 2:
        panels[f"{variants[1]} − {variants[0]}"] = panels[variants[1]] - panels[variants[0]]
    side = 1.6 + 0.3 * counts["actual"].nunique()
    names = 0.07 * counts["actual"].str.len().max()  # inches
    size = ((side + names - 0.7) * len(panels), side - 0.2)
    figure, axes = plt.subplots(1, len(panels), figsize=size, layout="constrained", squeeze=False)
    for axis, (title, matrix) in zip(axes[0], panels.items(), strict=True):
        shown = {"annot": True, "fmt": ".0f", "annot_kws": {"size": 7}, "square": True, "linewidths": 0.3}
        if title in variants:
            colours = {"vmin": 0, "vmax": 100, "cmap": "Blues"}
        else:
            largest = max(1.0, np.abs(matrix.to_numpy()).max())
            colours = {"vmin": -largest, "vmax": largest, "cmap": "RdBu"}
            shown |= {"fmt": "", "annot": matrix.round().astype(int).map(lambda x: f"{x:+d}" if x else "0")}
        sns.heatmap(matrix, ax=axis, cbar=False, **colours, **shown)
        axis.set(title=title, xlabel="predicted", ylabel="actual")
        plt.setp(axis.get_xticklabels(), rotation=45, ha="right", rotation_mode="anchor")
        axis.tick_params(axis="y", rotation=0)
    return figure


def share(counts: pd.DataFrame) -> pd.DataFrame:
    """Rows actual, columns predicted, in percent of the actual class; classes in the data's own order."""
    order = list(dict.fromkeys(counts["actual"]))
    matrix = counts.pivot_table(index="actual", columns="predicted", values="count", aggfunc="sum")
    matrix = matrix.loc[order, order]
    return 100 * matrix.div(matrix.sum(axis=1), axis=0)


def class_error(counts: pd.DataFrame, arch: pd.DataFrame) -> Figure:
    """Error on each class, a panel a depth, a bar a variant; mean over seeds."""
    errors = measures.class_errors(counts).merge(arch, on="variant")
    depths, every = sorted(errors["depth"].unique()), looks(arch)
    figure, axes = plt.subplots(len(depths), 1, figsize=(9, 2.7 * len(depths)), layout="constrained", squeeze=False)
    for axis, depth in zip(axes[:, 0], depths, strict=True):
        rows = errors[errors["depth"] == depth]
        look = {variant: every[variant] for variant in rows["variant"].unique()}
        colours = {variant: one.colour for variant, one in look.items()}
        sns.barplot(rows, x="actual", y="error", hue="variant", palette=colours, saturation=1, ax=axis, errorbar=None)
        for bars, one in zip(axis.containers, look.values(), strict=True):
            for bar in bars:
                bar.set(hatch=one.hatch, edgecolor="white", linewidth=0.5)
        axis.set(xlabel="", ylabel="test error (%)", ylim=(0, 100 if rows["error"].max() > 60 else None))
        if rows["actual"].nunique() > 10:
            plt.setp(axis.get_xticklabels(), rotation=45, ha="right", rotation_mode="anchor")
        shown = {"frameon": False, "ncols": len(colours), "loc": "lower left", "bbox_to_anchor": (0, 1)}
        axis.legend([bars[0] for bars in axis.containers], list(colours), **shown)
    return figure
