"""Confusion counts: those of a loop; the table of many classes leaves out pairs that are never confused."""

import numpy as np
import pandas as pd
import pytest

from pipeline.compute import confusion
from pipeline.settings.datasets import MANY_CLASSES


def drawn(classes: int, images: int = 1000) -> tuple[np.ndarray, np.ndarray]:
    """Actual classes, which come equally often, and random predicted ones."""
    return np.arange(images) % classes, np.random.default_rng(0).integers(0, classes, images)


def test_counts_are_those_of_a_loop():
    actual, predicted = drawn(10)
    slow = np.zeros((10, 10), int)
    for a, p in zip(actual, predicted, strict=True):
        slow[a, p] += 1
    assert np.array_equal(confusion.confusion(actual, predicted, 10), slow)


def test_errors_are_shares_of_each_class():
    actual, predicted = drawn(5)
    errors = [100 * np.mean(predicted[actual == label] != label) for label in range(5)]
    assert confusion.class_error(confusion.confusion(actual, predicted, 5)) == pytest.approx(errors)


@pytest.mark.parametrize("count", [2, MANY_CLASSES - 1, MANY_CLASSES, 100])
def test_the_table_has_every_pair_that_is_confused_and_of_few_classes_all(count):
    classes = [f"class{i}" for i in range(count)]
    actual, predicted = drawn(count)
    predicted[actual == 1] = 0  # of whose images none is right
    table = confusion.confusion_table(confusion.confusion(actual, predicted, count), classes)
    pairs = pd.Series(zip(actual, predicted, strict=True)).value_counts()
    order = []
    for i in range(count):
        for j in range(count):
            if count < MANY_CLASSES or i == j or (i, j) in pairs:
                order.append((classes[i], classes[j], pairs.get((i, j), 0)))
    assert [*table.itertuples(index=False, name=None)] == order
    assert len(table) == count**2 or count >= MANY_CLASSES
    assert table["count"].sum() == 1000
