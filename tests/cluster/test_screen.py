"""How far runs are: a table on a terminal, lines elsewhere, and always lines in the log."""

import io

import pytest
from rich.console import Console

from pipeline.cluster import screen
from pipeline.cluster.screen import Screen
from pipeline.cluster.worker import News


@pytest.fixture
def here(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    return tmp_path


def test_without_a_terminal_each_step_is_a_line_said_once(here, capsys):
    with Screen(["resnet20-0", "plain20-0"], 200, 50_000) as shown:
        shown.show({"plain20-0": News(1, 61.234, None, "vm (12ab)")})
        shown.show({"plain20-0": News(1, 61.234, None, "vm (12ab)")})
        shown.show({"plain20-0": News(2, 50.0, 62.5, "vm (12ab)")})
        shown.settle("plain20-0", "trained and recorded")
        shown.settle("resnet20-0", "failed", "the disk is full")
    lines = [
        "plain20-0: epoch 1/200, test error 61.23 %, – images/s, – left, on vm (12ab)",
        "plain20-0: epoch 2/200, test error 50.00 %, 800 images/s, 3:26:15 left, on vm (12ab)",
        "plain20-0: trained and recorded",
        "resnet20-0: failed: the disk is full",
    ]
    assert capsys.readouterr().out.splitlines() == lines
    assert [line[20:] for line in (here / ".scratch/logs/grid.log").read_text().splitlines()] == lines


def test_on_a_terminal_there_is_a_row_a_run_and_above_them_why_one_failed(here, monkeypatch):
    terminal = Console(file=io.StringIO(), force_terminal=True, width=100)
    monkeypatch.setattr(screen.sys.stdout, "isatty", lambda: True, raising=False)
    monkeypatch.setattr(screen, "Live", lambda *args, **kwargs: LIVE(*args, console=terminal, **kwargs))
    with Screen(["resnet20-0", "plain20-0"], 200, 50_000) as shown:
        shown.show({"plain20-0": News(2, 50.0, 62.5, "vm (12ab)")})
        shown.settle("resnet20-0", "failed", "the disk is full")
    text = terminal.file.getvalue()
    assert "resnet20-0: failed: the disk is full" in text
    row = next(line for line in reversed(text.splitlines()) if "plain20-0" in line)
    assert [word for word in row.split() if word.isprintable()][-8:] == [
        "plain20-0", "2/200", "50.00", "800", "3:26:15", "vm", "(12ab)", "training",
    ]  # fmt: skip
    assert "waiting" in text


def test_what_a_run_said_is_in_a_file_of_its_name(here):
    assert screen.keep_output("plain20-0", "words").read_text() == "words"


LIVE = screen.Live
