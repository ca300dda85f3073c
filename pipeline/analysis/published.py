"""What others report: data/published.csv, on one scale, and data/published_weights.csv, scored by us."""

from pathlib import Path

import numpy as np
import pandas as pd

TABLE = Path("data/published.csv")
WEIGHTS = Path("data/published_weights.csv")  # of others; its last columns are written by tools.score_published


def load(path: Path) -> pd.DataFrame:
    """Published test errors in percent: columns net, test_error, sd, runs, source, protocol."""
    table = pd.read_csv(path)
    accuracy = table["metric"] == "test_accuracy"
    table["test_error"] = np.where(accuracy, 100 - table["value"], table["value"]).round(4)
    return table.loc[accuracy | (table["metric"] == "test_error")].drop(columns=["metric", "value"])


def weights(path: Path) -> pd.DataFrame:
    """What others say of their weights and we find, as it is shown: a row a file, errors in percent."""
    table = pd.read_csv(path)
    return pd.DataFrame(
        {
            "file": table["file"],
            "of": table["source"],
            "published test error %": table["published_error"].map("{:.2f}".format),
            "scored here %": table["test_error"].map("{:.2f}".format),
            "wrong": [f"{row.wrong:,} of {row.test_images:,}" for row in table.itertuples()],
        }
    )
