"""What others report: data/published.csv, on one scale."""

from pathlib import Path

import numpy as np
import pandas as pd

TABLE = Path("data/published.csv")


def load(path: Path) -> pd.DataFrame:
    """Published test errors in percent: columns net, test_error, sd, runs, source, protocol."""
    table = pd.read_csv(path)
    accuracy = table["metric"] == "test_accuracy"
    table["test_error"] = np.where(accuracy, 100 - table["value"], table["value"]).round(4)
    return table.loc[accuracy | (table["metric"] == "test_error")].drop(columns=["metric", "value"])
