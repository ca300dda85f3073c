"""Figures behind the claims: each function takes tables that aggregate wrote and returns a matplotlib figure."""

from itertools import cycle
from typing import NamedTuple

import matplotlib.pyplot as plt
import numpy as np
import pandas as pd
from matplotlib.axes import Axes
from matplotlib.colors import to_hex, to_rgb
from matplotlib.figure import Figure
from matplotlib.ticker import LogLocator, NullFormatter

from pipeline.reporting.figures import FAMILIES, KINDS, LOOKS, OTHERS, PUBLISHED, WHOLE, band, family

DARKEST = 0.45  # of the deepest network's colour, the share that is left; the shallowest has all of it


class Line(NamedTuple):
    """How a network is drawn among others of its kind and depth; dashes are left for training."""

    colour: str
    marker: str


def lines(arch: pd.DataFrame) -> dict[str, Line]:
    """Colour by shortcut, darker if deeper, and marker by depth, unless several of a depth have the same shortcut."""
    if arch.duplicated(["depth", "shortcut"]).any():
        styles = zip(cycle(look.colour for look in OTHERS), cycle("osD^v"), strict=False)
        return {variant: Line(*style) for variant, style in zip(arch["variant"], styles, strict=False)}
    depths = sorted(set(arch["depth"]))
    styles = dict(zip(depths, zip(np.linspace(1, DARKEST, len(depths)), cycle("osD^v"), strict=False), strict=True))
    found = {}
    for row in arch.itertuples():
        left, marker = styles[row.depth]
        found[row.variant] = Line(to_hex(np.multiply(left, to_rgb(LOOKS[row.shortcut].colour))), marker)
    return found


def by_family(curves: pd.DataFrame, arch: pd.DataFrame) -> Figure:
    """Error by epoch as in He et al.'s Figure 6: a panel a family, plain networks left.

    Training dashed, test solid and bold; mean over seeds, with a band from lowest to highest.
    """
    groups = {name: rows for name in FAMILIES if len(rows := arch[arch["shortcut"].map(family) == name])}
    figure, axes = plt.subplots(1, len(groups), figsize=(9, 3.8), layout="constrained", sharey=True, squeeze=False)
    look = lines(arch)
    for axis, (name, rows) in zip(axes[0], groups.items(), strict=True):
        for row in rows.sort_values("depth").itertuples():
            colour, marker = look[row.variant]
            runs = curves[curves["variant"] == row.variant]
            for part, dash, width in (("train", "--", 1.0), ("test", "-", 2.2)):
                mean = band(axis, runs, f"{part}_error", colour)
                shown = {"marker": marker, "markersize": 4, "linewidth": width}
                shown["markerfacecolor"] = "none" if part == "train" else colour
                shown["markevery"] = max(1, len(mean) // 10)
                axis.plot(mean.index, mean, dash, color=colour, label=f"{row.variant}, {part}", **shown)
        axis.set(title=name, xlabel="epoch", ylim=(0, None))
        axis.xaxis.set_major_locator(WHOLE())
        axis.legend(frameon=False)
    axes[0, 0].set_ylabel("error (%)")
    return figure


def gains(table: pd.DataFrame) -> Figure:
    """What shortcuts gain against depth, with its interval, and the published gains as open markers."""
    figure, axis = plt.subplots(figsize=(7, 3.6), layout="constrained")
    for shortcut, rows in table.groupby("shortcut", sort=False):
        look = LOOKS[shortcut]
        ends = np.clip([rows["gain"] - rows["low"], rows["high"] - rows["gain"]], 0, None)
        style = {"color": look.colour, "marker": look.marker, "label": f"{KINDS[shortcut]}, ours"}
        axis.errorbar(rows["depth"], rows["gain"], ends, capsize=4, markersize=7, linewidth=1.8, **style)
        for source, (marker, label) in PUBLISHED.items():
            known = rows[rows[source].notna()]
            shown = {"marker": marker, "s": 70, "facecolors": "none", "edgecolors": "0.2", "zorder": 3}
            if len(known):
                axis.scatter(known["depth"], known[source], label=label, **shown)
    axis.axhline(0, color="0.4", linewidth=0.8)
    axis.set(xlabel="layers", ylabel="plain − residual test error (points)", xticks=sorted(set(table["depth"])))
    axis.legend(loc="center left", bbox_to_anchor=(1.01, 0.5), frameon=False)
    return figure


def convergence(runs: pd.DataFrame, arch: pd.DataFrame) -> Figure:
    """Epochs to fixed test errors: mean over seeds of those errors that all runs of a network come down to.

    Later networks have smaller markers, so that equal values can be seen.
    """
    figure, axis = plt.subplots(figsize=(7, 3.4), layout="constrained")
    columns = {int(name.removeprefix("epochs_to_")): name for name in runs.columns if name.startswith("epochs_to_")}
    look = lines(arch)
    for (variant, line), size in zip(look.items(), np.linspace(11, 5, len(look)), strict=True):
        epochs = runs.set_index("variant").loc[variant, list(columns.values())].to_numpy(float)
        label = variant if np.isfinite(epochs).any() else f"{variant}: none reached"
        style = {"color": line.colour, "marker": line.marker, "markersize": size, "linewidth": 1.5, "label": label}
        axis.plot(list(columns), epochs, **style)
    axis.set(xlabel="test error reached (%)", ylabel="epochs", ylim=(0, None), xticks=sorted(columns))
    axis.invert_xaxis()
    axis.yaxis.set_major_locator(WHOLE())
    axis.legend(loc="center left", bbox_to_anchor=(1.01, 0.5), frameon=False)
    return figure


def gradients(table: pd.DataFrame, arch: pd.DataFrame) -> Figure:
    """Norm of the gradient of each layer's weights, before training and after it, from the input on."""
    return by_layer(table, arch, "gradient", "gradient norm of the weights", {"initial": "before", "trained": "after"})


def responses(table: pd.DataFrame, arch: pd.DataFrame) -> Figure:
    """Standard deviation of each 3x3 layer's response after training, by layer and sorted, as He et al.'s Figure 7.

    The scale is logarithmic.
    """
    trained = table[table["when"] == "trained"]
    trained = trained.sort_values("std", ascending=False).assign(
        rank=lambda rows: rows.groupby(["variant", "seed"]).cumcount() + 1
    )
    figure, axes = plt.subplots(1, 2, figsize=(9, 3.6), layout="constrained", sharey=True)
    for axis, by, label in zip(axes, ("layer", "rank"), ("layer, from the input on", "layer, by size"), strict=True):
        for variant, line in lines(arch).items():
            draw(axis, band(axis, trained[trained["variant"] == variant], "std", line.colour, by), line, variant)
        axis.set(xlabel=label, yscale="log")
        axis.yaxis.set_major_locator(LogLocator(subs=(1, 2, 5)))
        axis.yaxis.set_major_formatter("{x:g}")
        axis.yaxis.set_minor_formatter(NullFormatter())
    axes[0].set_ylabel("standard deviation of the response")
    axes[1].legend(frameon=False)
    return figure


def by_layer(table: pd.DataFrame, arch: pd.DataFrame, column: str, label: str, states: dict[str, str]) -> Figure:
    """A panel a state, a line a network; mean over seeds on a logarithmic scale, with a band from lowest to highest."""
    figure, axes = plt.subplots(1, len(states), figsize=(9, 3.6), layout="constrained", sharey=True)
    for axis, (when, words) in zip(axes, states.items(), strict=True):
        for variant, line in lines(arch).items():
            rows = table[(table["when"] == when) & (table["variant"] == variant)]
            draw(axis, band(axis, rows, column, line.colour, "layer"), line, variant)
        axis.set(title=f"{words} training", xlabel="layer, from the input on", yscale="log")
    axes[0].set_ylabel(label)
    axes[-1].legend(frameon=False)
    return figure


def draw(axis: Axes, mean: pd.Series, line: Line, label: str) -> None:
    """Draw the mean by layer, with about ten markers."""
    shown = {"marker": line.marker, "markersize": 4, "markevery": max(1, len(mean) // 10), "linewidth": 1.5}
    axis.plot(mean.index, mean, color=line.colour, label=label, **shown)
