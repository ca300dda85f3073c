"""How far all runs of a grid are, on one screen, and line by line in a log file."""

import sys
from collections.abc import Mapping
from datetime import UTC, datetime, timedelta
from pathlib import Path

from rich.live import Live
from rich.table import Table

from pipeline import stage
from pipeline.cluster.worker import News

LOGS = Path(".scratch/logs")
HEADINGS = ("run", "epoch", "test error %", "images/s", "left", "node", "")


class Screen:
    """A table of the runs `names`, of so many `epochs` of so many `images`; without a terminal, lines instead."""

    def __init__(self, names: list[str], epochs: int, images: int) -> None:
        self.epochs, self.images = epochs, images
        self.news: dict[str, News] = {}
        self.states, self.noticed = dict.fromkeys(names, "waiting"), ""
        self.live = Live(self.table(), auto_refresh=False) if sys.stdout.isatty() else None
        LOGS.mkdir(parents=True, exist_ok=True)

    def __enter__(self) -> "Screen":
        if self.live:
            self.live.start()
        self.log = (LOGS / "grid.log").open("a")
        return self

    def __exit__(self, *_: object) -> None:
        self.log.close()
        if self.live:
            self.live.stop()

    def show(self, news: Mapping[str, News]) -> None:
        """Show how far the runs are, if that is new."""
        for name, latest in news.items():
            if latest != self.news.get(name):
                self.news[name] = latest
                self.states[name] = "training" if self.states[name] == "waiting" else self.states[name]
                epoch, error, speed, left, node = self.cells(name)[1:6]
                self.say(f"{name}: epoch {epoch}, test error {error} %, {speed} images/s, {left} left, on {node}")

    def settle(self, name: str, state: str, reason: str = "") -> None:
        """Say how a run has ended."""
        self.states[name] = state
        self.say(f"{name}: {state}{': ' if reason else ''}{reason}", shown=bool(reason))

    def notice(self, line: str) -> None:
        """Say what has happened, but not twice in a row."""
        if line != self.noticed:
            self.noticed = line
            self.say(line, shown=True)

    def say(self, line: str, shown: bool = False) -> None:
        """A line in the log, and without a terminal on stdout; with one, the table, above it the line if `shown`."""
        print(f"{datetime.now(UTC):%Y-%m-%d %H:%M:%S} {line}", file=self.log, flush=True)
        if not self.live:
            print(line, flush=True)
            return
        if shown:
            self.live.console.print(line, highlight=False, markup=False, soft_wrap=True)
        self.live.update(self.table(), refresh=True)

    def table(self) -> Table:
        """A row a run."""
        table = Table(*HEADINGS, box=None)
        for name in self.states:
            table.add_row(*self.cells(name))
        return table

    def cells(self, name: str) -> tuple[str, ...]:
        """What is known of a run, under each heading."""
        news, state = self.news.get(name), self.states[name]
        if not news:
            return name, f"0/{self.epochs}", "", "", "", "", state
        speed = f"{self.images / news.seconds:,.0f}" if news.seconds else "–"
        left = str(timedelta(seconds=round((self.epochs - news.epoch) * news.seconds))) if news.seconds else "–"
        return name, f"{news.epoch}/{self.epochs}", f"{news.test_error:.2f}", speed, left, news.node, state


def keep_output(name: str, said: str) -> Path:
    """Write what a run said to its file; where that is."""
    path = LOGS / f"{name}.log"
    stage.write(path, said)
    return path
