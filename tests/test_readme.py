"""README's results are those of the reports."""

import re

import pytest
from conftest import ROOT

from pipeline import readme
from pipeline.stage import StageError


def test_the_readme_shows_the_committed_results():
    text = (ROOT / "README.md").read_text()
    assert text == readme.insert(text, (ROOT / "reports/results.md").read_text()), "run `python -m pipeline.readme`"


def test_nothing_in_it_is_left_to_fill_in():
    assert not re.findall(r"TIME[A-Z0-9]+|TODO|XXX", (ROOT / "README.md").read_text())


def test_results_go_between_the_markers():
    text = f"before\n{readme.BEGIN}\nold\n{readme.END}\nafter"
    assert readme.insert(text, "| new |\n") == f"before\n{readme.BEGIN}\n| new |\n{readme.END}\nafter"


def test_a_readme_without_markers_is_refused():
    with pytest.raises(StageError, match="once each"):
        readme.insert("no markers", "")
