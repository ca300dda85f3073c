"""Counts of actual against predicted classes."""

from collections.abc import Sequence

import numpy as np
import pandas as pd

from pipeline.settings.datasets import MANY_CLASSES


def confusion(actual: np.ndarray, predicted: np.ndarray, classes: int) -> np.ndarray:
    """Counts (classes, classes): row the actual class, column the predicted one."""
    counts = np.zeros((classes, classes), np.int64)
    np.add.at(counts, (actual, predicted), 1)
    return counts


def class_error(counts: np.ndarray) -> np.ndarray:
    """Error in percent (C,) on the images of each class, from counts (C, C)."""
    return 100 * (1 - np.diag(counts) / counts.sum(1))


def confusion_table(counts: np.ndarray, classes: Sequence[str]) -> pd.DataFrame:
    """counts (C, C) as rows of actual, predicted, count; from MANY_CLASSES on without the pairs never confused.

    Then most pairs are such. Every class has its row of right predictions, even of none.
    """
    rows = [
        (actual, predicted, counts[i, j])
        for i, actual in enumerate(classes)
        for j, predicted in enumerate(classes)
        if len(classes) < MANY_CLASSES or i == j or counts[i, j]
    ]
    return pd.DataFrame(rows, columns=["actual", "predicted", "count"])
