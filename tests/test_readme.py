"""README's results are those of the reports."""

import re
from pathlib import Path

import pytest
from conftest import ROOT

from pipeline import readme
from pipeline.stage import StageError


def test_the_readme_shows_the_committed_results():
    text = (ROOT / "README.md").read_text()
    paths = re.findall(readme.BEGIN, text)
    assert paths == ["reports/results.md", "studies/resnet18/reports/results.md", "studies/transfer/reports/results.md"]
    for path in paths:
        marker = f"<!-- results: from {path} -->"
        assert text == readme.insert(text, (ROOT / path).read_text(), marker), "run `python -m pipeline.readme`"


def test_nothing_in_it_is_left_to_fill_in():
    assert not re.findall(r"TODO|XXX", (ROOT / "README.md").read_text())


def test_results_go_between_the_markers():
    text = f"before\n<1>\nold\n{readme.END}\nbetween\n<2>\nold\n{readme.END}\nafter"
    new = text.replace("<1>\nold\n", "<1>\n| new |\n")
    assert readme.insert(text, "| new |\n", "<1>") == new
    new = text.replace("<2>\nold\n", "<2>\n| new |\n")
    assert readme.insert(text, "| new |\n", "<2>") == new


def test_a_readme_without_markers_is_refused():
    for text in ("no markers", "<1> without an end", f"<1> {readme.END} <1> {readme.END}"):
        with pytest.raises(StageError, match=r"README\.md must have <1> once"):
            readme.insert(text, "", "<1>")
    with pytest.raises(StageError, match=r"README\.md shows nowhere\.md"):
        readme.table(Path("nowhere.md"))
