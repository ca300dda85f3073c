"""The effects that study A claims: what depth does, what shortcuts do, and how the one changes the other.

An effect is a sum of test errors of networks, each with a sign: plain20 − resnet20 is what shortcuts gain at 20 layers.
"""

from collections.abc import Iterator
from typing import NamedTuple

import numpy as np
import pandas as pd

STUDY_EPOCHS = 200  # study A's schedule
PUBLISHED = ("paper", "study_a")
COLUMNS = ["effect", "of", "statement", "measure", "ours", "se", *PUBLISHED, "verdict"]


class Effect(NamedTuple):
    """`signs` says which variants' test errors are added (1) and subtracted (-1); `of` is the variant it is about."""

    effect: str
    of: str
    statement: str
    measure: str
    signs: dict[str, int]

    def value(self, by_variant: pd.Series) -> float:
        """The sum over the variants of a column that is indexed by variant."""
        return float(sum(sign * by_variant[variant] for variant, sign in self.signs.items()))


def depth_effects(results: pd.DataFrame) -> Iterator[Effect]:
    """Each deeper network against the shallowest with the same kind of shortcut."""
    for shortcut, group in results.groupby("shortcut", sort=False):
        shallow, *deeper = group.sort_values("depth").drop_duplicates("depth")["variant"]
        word = "worse" if shortcut == "none" else "better"
        for deep in deeper:
            statement, measure = f"{deep} is {word} than {shallow}", f"{deep} − {shallow}"
            yield Effect("depth_effect", deep, statement, measure, {deep: 1, shallow: -1})


def residual_gains(results: pd.DataFrame) -> Iterator[list[Effect]]:
    """For each kind of shortcut, from shallow to deep: each residual network against the plain one of its depth."""
    plain = results[results["shortcut"] == "none"].drop_duplicates("depth").set_index("depth")["variant"]
    residual = results[(results["shortcut"] != "none") & results["depth"].isin(plain.index)]
    for _, group in residual.groupby("shortcut", sort=False):
        rows = group.sort_values("depth").drop_duplicates("depth")
        pairs = [(plain[depth], variant) for depth, variant in zip(rows["depth"], rows["variant"], strict=True)]
        yield [
            Effect("residual_gain", net, f"{net} is better than {other}", f"{other} − {net}", {other: 1, net: -1})
            for other, net in pairs
        ]


def compare(results: pd.DataFrame, dataset: str, epochs: int) -> pd.DataFrame:
    """A row an effect, in points of test error, ours beside the published ones.

    `se` is the binomial standard error of ours. An effect whose networks are not all in the grid is left out, and so
    are networks that are not the paper's.
    """
    results = results[results["net"] != ""]
    by_variant = results.set_index("variant")

    def row(effect: Effect) -> dict[str, object]:
        nets = by_variant.loc[list(effect.signs)]
        se = float(np.sqrt((nets["test_error_se"] ** 2 / nets["runs"]).sum()))
        values = {"ours": effect.value(by_variant["test_error"]), "se": se}
        values |= {source: effect.value(by_variant[source]) for source in PUBLISHED}
        judged = verdict(values, dataset, epochs, diverged=bool(nets["diverged"].any()))
        return effect._asdict() | values | {"verdict": judged}

    rows = [row(effect) for effect in depth_effects(results)]
    for gains in residual_gains(results):
        first, *deeper = map(row, gains)
        rows += [first, *deeper]
        for effect, deep in zip(gains[1:], deeper, strict=True):
            signs = effect.signs | {variant: -sign for variant, sign in gains[0].signs.items()}
            measure = f"({effect.measure}) − ({gains[0].measure})"
            growth = row(Effect("gain_growth", effect.of, "the residual gain grows with depth", measure, signs))
            rows += [growth, amplification(growth, deep, first)]
    return pd.DataFrame(rows, columns=COLUMNS).round(6)


def amplification(growth: dict, deep: dict, shallow: dict) -> dict[str, object]:
    """The growth of a gain as a factor, where the shallow gain is positive; elsewhere a ratio would say nothing."""
    values = {key: deep[key] / shallow[key] if shallow[key] > 0 else np.nan for key in ("ours", *PUBLISHED)}
    texts = {"effect": "amplification", "statement": f"{growth['statement']}, as a factor"}
    texts["measure"] = f"({deep['measure']}) / ({shallow['measure']})"
    if not np.isfinite(values["ours"]):
        texts["verdict"] = "undefined: there is no gain to grow"
    return growth | values | texts | {"se": np.nan}


def verdict(values: dict[str, float], dataset: str, epochs: int, diverged: bool) -> str:
    """Whether our effect goes in the published direction; its size is not judged.

    It is inconclusive within two standard errors of none. Study A is preferred, where it has the networks.
    """
    published = values["study_a"] if np.isfinite(values["study_a"]) else values["paper"]
    if dataset != "cifar10":
        return "not judged: generated images"
    if diverged:
        return "not judged: a run diverged"
    if not np.isfinite(published):
        return "nothing published"
    if abs(values["ours"]) < 2 * values["se"]:
        direction = "inconclusive"
    else:
        direction = "same direction" if np.sign(values["ours"]) == np.sign(published) else "opposite direction"
    return direction + ("" if epochs >= STUDY_EPOCHS else " (short schedule)")
