"""LOG.md lists every committed run, with what its files say; minutes are CPU minutes."""

import json
import re
from pathlib import Path

import pytest
from conftest import ROOT

ROW = re.compile(r"^\| ((?:\w+/)?\w+-\d+) \| (\d+) \| (\d{4}-\d\d-\d\d \d\d:\d\d) \| ([\d.]+) \| ([\d.]+|–) \|$", re.M)
LOG = (ROOT / "LOG.md").read_text()
RUNS = sorted(path.parent for top in (".", "studies/*") for path in ROOT.glob(f"{top}/reports/runs/*/environment.json"))


def logged(run: Path) -> tuple[str, ...]:
    """The row of a run, from its files: name, epochs, beginning, minutes, test error of the last epoch in percent."""
    study = run.relative_to(ROOT).parts[:-3]
    sessions = json.loads((run / "environment.json").read_text())["sessions"]
    return (
        "/".join((*study[1:], run.name)),
        str(sum(session["epochs"] for session in sessions)),
        sessions[0]["started"][:16].replace("T", " "),
        f"{sum(session['cpu_seconds'] for session in sessions) / 60:.1f}",
        f"{json.loads((run / 'metrics.json').read_text())['test_error']:.2f}",
    )


@pytest.mark.parametrize("run", RUNS, ids=lambda run: "/".join((*run.relative_to(ROOT).parts[1:-3], run.name)))
def test_every_committed_run_is_logged_as_it_was(run):
    assert logged(run) in ROW.findall(LOG)


def test_every_row_can_be_read_and_stands_once():
    rows = [line for line in LOG.splitlines() if line.startswith("|") and not line.startswith(("| run ", "| --- "))]
    assert len(rows) == len(ROW.findall(LOG)) == len(set(rows))
