"""What is logged of a run while it trains: each epoch once, also after a run was resumed."""

import sys
import time

import pandas as pd
from tensorboard.backend.event_processing.event_accumulator import EventAccumulator

from pipeline.training.logger import Logger

ROWS = [
    {"epoch": epoch, "lr": 0.1 / epoch, "train_loss": 2.0 / epoch, "train_error": 50.0, "test_error": 60.0 - epoch}
    for epoch in range(1, 7)
]


def curves(folder):
    events = EventAccumulator(str(folder))
    events.Reload()
    return {tag: [(e.step, round(e.value, 4)) for e in events.Scalars(tag)] for tag in events.Tags()["scalars"]}


def test_every_epoch_is_logged_in_both(tmp_path):
    logger = Logger(tmp_path, [])
    for count in range(1, 4):
        logger.add(ROWS[:count])
    found = curves(tmp_path)  # while the run goes on
    assert set(found) == {"lr", "loss/train", "error/train", "error/test"}
    assert found["error/test"] == [(1, 59), (2, 58), (3, 57)]
    assert pd.read_csv(tmp_path / "history.csv").to_dict("records") == ROWS[:3]
    logger.close()


def test_a_resumed_run_goes_on_in_the_same_curve(tmp_path):
    """What was logged after the last checkpoint is trained again, and is there once."""
    logger = Logger(tmp_path, [])
    for count in range(1, 6):
        logger.add(ROWS[:count])
    logger.close()
    time.sleep(1.1)  # TensorBoard reads files by name: the second, then a number as text, so that 10 comes before 9
    again = Logger(tmp_path, ROWS[:3])
    for count in range(4, 7):
        again.add(ROWS[:count])
    again.close()
    assert curves(tmp_path)["error/test"] == [(row["epoch"], row["test_error"]) for row in ROWS]
    assert pd.read_csv(tmp_path / "history.csv").to_dict("records") == ROWS


def test_without_tensorboard_the_table_alone_is_written(tmp_path, monkeypatch):
    monkeypatch.setitem(sys.modules, "torch.utils.tensorboard", None)
    logger = Logger(tmp_path, [])
    logger.add(ROWS[:1])
    logger.close()
    assert [path.name for path in tmp_path.iterdir()] == ["history.csv"]
