"""What a run has come to, to look at while it trains: history.csv and TensorBoard's events in its scratch folder.

tensorboard --logdir .scratch
"""

from collections.abc import Mapping, Sequence
from pathlib import Path

import pandas as pd

from pipeline.stage import write


class Logger:
    """Writes each epoch's row to `folder`, in the curve of the epochs in `history`, which are done already.

    Without the package tensorboard it writes history.csv alone.
    """

    def __init__(self, folder: Path, history: Sequence[Mapping[str, float]]) -> None:
        self.file = folder / "history.csv"
        try:
            from torch.utils.tensorboard import SummaryWriter
        except ImportError:
            self.events = None
        else:  # what was logged after the checkpoint is trained again, and so taken back
            self.events = SummaryWriter(folder, purge_step=len(history) + 1)

    def add(self, history: Sequence[Mapping[str, float]]) -> None:
        """Log the last row of `history`: call before the checkpoint is written, so that no epoch is ever left out."""
        write(self.file, pd.DataFrame(history).to_csv(index=False, na_rep="nan"))
        if self.events:
            for key, value in history[-1].items():
                if key != "epoch":
                    part, _, measure = key.rpartition("_")  # train_loss is loss/train: one chart a measure
                    self.events.add_scalar(f"{measure}/{part}".rstrip("/"), value, history[-1]["epoch"])
            self.events.flush()

    def close(self) -> None:
        if self.events:
            self.events.close()
