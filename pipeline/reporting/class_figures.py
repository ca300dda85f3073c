"""Figures of the errors by class, and of which classes are taken for which: of few classes, and of many.

Each takes the table of confusion counts that aggregate wrote. Looks are those of figures.py.
"""

import matplotlib.pyplot as plt
import numpy as np
import pandas as pd
import seaborn as sns
from matplotlib.figure import Figure

from pipeline.analysis import measures
from pipeline.reporting.figures import looks

PAIRS = 20  # of classes that `confused` shows
SCALE = 1.6  # of colours in `confusion`


def confusion(counts: pd.DataFrame) -> Figure:
    """Confusion matrices side by side: shares in percent of each actual class, summed over seeds.

    Of two networks there is a third panel, the second's shares less the first's. Colours end at SCALE times the
    largest value, so that black digits can be read on all.
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
        shown = {"annot": True, "fmt": ".0f", "square": True, "linewidths": 0.3}
        shown["annot_kws"] = {"size": 7, "color": "black"}
        if title in variants:
            colours = {"vmin": 0, "vmax": 100 * SCALE, "cmap": "Blues"}
        else:
            largest = SCALE * max(1.0, np.abs(matrix.to_numpy()).max())
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
    matrix = matrix.reindex(index=order, columns=order).fillna(0)  # of many classes the table lacks zeros
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


def confused(counts: pd.DataFrame, arch: pd.DataFrame) -> Figure:
    """The pairs of classes confused most often: shares in percent of the actual class, a marker a variant.

    Ordered by the mean over variants; counts are summed over seeds.
    """
    shares = pd.DataFrame({v: by_pair(rows) for v, rows in counts.groupby("variant", sort=False)})
    wrong = shares[shares.index.get_level_values("actual") != shares.index.get_level_values("predicted")]
    top = wrong.loc[wrong.mean(axis=1).nlargest(PAIRS).index[::-1]]
    figure, axis = plt.subplots(figsize=(7, 1.1 + 0.22 * len(top)), layout="constrained")
    places = np.arange(len(top))
    axis.hlines(places, top.min(axis=1), top.max(axis=1), color="0.75", linewidth=1.5)
    look = looks(arch)
    for variant in top:
        colour, marker, _ = look[variant]
        axis.scatter(top[variant], places, s=34, color=colour, marker=marker, label=variant, zorder=3)
    axis.set_yticks(places, [f"{actual} → {predicted}" for actual, predicted in top.index])
    axis.set(xlabel="share of the actual class (%)", xlim=(0, None), ylim=(-0.7, len(top) - 0.3))
    axis.grid(axis="y", visible=False)
    axis.legend(frameon=False, ncols=len(top.columns), loc="lower left", bbox_to_anchor=(0, 1))
    return figure


def by_pair(counts: pd.DataFrame) -> pd.Series:
    """Shares in percent, by actual and predicted class."""
    return share(counts).melt(ignore_index=False).set_index("predicted", append=True)["value"]


def sorted_errors(counts: pd.DataFrame, arch: pd.DataFrame) -> Figure:
    """Errors on the classes in rising order, a panel a depth, a curve a variant; mean over seeds."""
    errors = measures.class_errors(counts).groupby(["variant", "actual"], sort=False)["error"].mean().reset_index()
    errors = errors.merge(arch, on="variant")
    depths, look = sorted(errors["depth"].unique()), looks(arch)
    size = (max(6, 4.5 * len(depths)), 3.6)
    figure, axes = plt.subplots(1, len(depths), figsize=size, layout="constrained", squeeze=False, sharey=True)
    for axis, depth in zip(axes[0], depths, strict=True):
        for variant, rows in errors[errors["depth"] == depth].groupby("variant", sort=False):
            colour, marker, _ = look[variant]
            values = np.sort(rows["error"].to_numpy())
            shown = {"markevery": max(1, len(values) // 10), "marker": marker, "markersize": 4, "linewidth": 1.5}
            axis.plot(np.arange(1, len(values) + 1), values, color=colour, label=variant, **shown)
        axis.set_xlabel("classes in order of their error")
        axis.legend(frameon=False, loc="lower right")
    axes[0, 0].set(ylabel="test error (%)", ylim=(0, None))  # of all panels
    return figure
