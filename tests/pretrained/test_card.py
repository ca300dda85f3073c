"""The model card is that of the committed runs."""

import json
from pathlib import Path

from conftest import ROOT

from pipeline.pretrained import card


def test_the_committed_card_is_that_of_the_committed_runs(monkeypatch):
    monkeypatch.chdir(ROOT)
    assert card.CARD.read_text() == card.text(), "run `make weights`"


def test_every_run_is_in_it_with_its_error_and_its_hash():
    text = (ROOT / card.CARD).read_text()
    lines = [line.split(" | ") for line in text.splitlines() if line.startswith("| ")]
    found = {(row[0].removeprefix("| "), row[1], row[5]) for row in lines}
    paths = [*ROOT.glob("reports/runs/*/metrics.json"), *ROOT.glob("studies/*/reports/runs/*/metrics.json")]
    expected = set()
    for path in paths:
        variant, _, seed = path.parent.name.rpartition("-")
        expected.add((variant, seed, f"{json.loads(path.read_text())['test_error']:.2f}"))
    assert expected <= found
    for line in lines:
        md5 = line[-1].strip("` |")
        if len(md5) == 32:
            assert (ROOT / "weights/files/md5" / md5[:2] / md5[2:]).exists()
    assert Path(ROOT / "LICENSE").read_text().startswith("MIT")
