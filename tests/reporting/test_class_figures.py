"""Figures by class: what is drawn are the numbers of the tables."""

import matplotlib.pyplot as plt
import numpy as np
import pandas as pd
import pytest

from pipeline.reporting import class_figures

ARCH = pd.DataFrame({"variant": ["plain20", "resnet20"], "depth": [20, 20], "shortcut": ["none", "projection"]})


@pytest.fixture(autouse=True)
def _close():
    yield
    plt.close("all")


@pytest.fixture
def counts() -> pd.DataFrame:
    rows = []
    for variant, seed, right in (("plain20", 0, 60), ("plain20", 1, 80), ("resnet20", 0, 90), ("resnet20", 1, 90)):
        for actual in ("cat", "dog"):
            other = "dog" if actual == "cat" else "cat"
            rows += [(variant, seed, actual, actual, right), (variant, seed, actual, other, 100 - right)]
    return pd.DataFrame(rows, columns=["variant", "seed", "actual", "predicted", "count"])


def test_the_confusion_matrix_shows_percentages_over_seeds(counts):
    matrix = class_figures.share(counts[counts["variant"] == "plain20"])
    assert matrix.loc["cat", "cat"] == 70
    assert (matrix.sum(axis=1) == 100).all()
    axes = class_figures.confusion(counts).axes
    assert [axis.get_title() for axis in axes] == ["plain20", "resnet20", "resnet20 − plain20"]
    assert [text.get_text() for text in axes[1].texts] == ["90", "10", "10", "90"]
    assert [text.get_text() for text in axes[2].texts] == ["+20", "-20", "-20", "+20"]
    assert len(class_figures.confusion(counts[counts["variant"] == "plain20"]).axes) == 1


def test_digits_in_the_confusion_matrix_have_a_contrast_of_four_and_a_half(counts):
    for axis in class_figures.confusion(counts.assign(count=counts["count"].where(counts["count"] > 50, 0))).axes:
        (cells,) = axis.collections
        for text, colour in zip(axis.texts, cells.get_facecolors(), strict=True):
            assert text.get_color() == "black"
            linear = [x / 12.92 if x <= 0.04045 else ((x + 0.055) / 1.055) ** 2.4 for x in colour[:3]]
            luminance = np.dot([0.2126, 0.7152, 0.0722], linear)  # WCAG 2.2
            assert (luminance + 0.05) / 0.05 >= 4.5


def test_class_error_bars_are_means_over_seeds(counts):
    (axis,) = class_figures.class_error(counts, ARCH).axes
    heights = [[bar.get_height() for bar in bars] for bars in axis.containers]
    assert heights == [[30, 30], [10, 10]]


@pytest.fixture
def hundred() -> pd.DataFrame:
    """Counts of a hundred classes over two seeds, without pairs never confused; class i is wrong i times of 100."""
    rows = []
    for variant, times in (("plain20", 1), ("resnet20", 0.5)):
        for seed in (0, 1):
            for i in range(100):
                wrong, name = int(times * i), f"class{i}"
                rows.append((variant, seed, name, name, 100 - wrong))
                rows += [(variant, seed, name, "class0", wrong)] * (wrong > 0)
    return pd.DataFrame(rows, columns=["variant", "seed", "actual", "predicted", "count"])


def test_shares_are_zero_where_many_classes_have_no_row(hundred):
    matrix = class_figures.share(hundred[hundred["variant"] == "plain20"])
    assert matrix.shape == (100, 100)
    assert list(matrix.index) == list(matrix.columns) == [f"class{i}" for i in range(100)]
    assert (matrix.sum(axis=1) == 100).all()
    assert matrix.loc["class30"].to_dict() == dict.fromkeys(matrix, 0) | {"class30": 70, "class0": 30}


def test_of_many_classes_the_pairs_confused_most_often_are_shown(hundred):
    (axis,) = class_figures.confused(hundred, ARCH).axes
    names = [label.get_text() for label in axis.get_yticklabels()]
    assert names == [f"class{i} → class0" for i in range(80, 100)]  # from below
    plain, residual = (points.get_offsets()[:, 0].tolist() for points in axis.collections[1:])
    assert plain == list(range(80, 100))
    assert residual == [i // 2 for i in range(80, 100)]
    assert [text.get_text() for text in axis.get_legend().get_texts()] == ["plain20", "resnet20"]
    (one,) = class_figures.confused(hundred[hundred["variant"] == "resnet20"], ARCH[1:]).axes
    assert len(one.collections) == 2


def test_of_many_classes_the_errors_are_in_order_of_each_network(hundred):
    shuffled = hundred.sample(frac=1, random_state=0)
    (axis,) = class_figures.sorted_errors(shuffled, ARCH).axes
    lines = {line.get_label(): line for line in axis.lines}
    assert lines["plain20"].get_ydata().tolist() == list(range(100))
    assert lines["resnet20"].get_ydata().tolist() == [i // 2 for i in range(100)]
    assert lines["plain20"].get_xdata().tolist() == list(range(1, 101))
    assert axis.get_ylim()[0] == 0
    two = class_figures.sorted_errors(hundred, ARCH.assign(depth=[20, 56])).axes
    assert [[line.get_label() for line in one.lines] for one in two] == [["plain20"], ["resnet20"]]
    assert two[1].get_ylim()[1] > 99
