"""The tables of README.md and docs/ are those of the reports."""

import re
from pathlib import Path

import pytest
from conftest import ROOT

from pipeline.stage import StageError
from pipeline.tools import readme

PAGE = Path("page.md")
STUDIES = ("epochs200", "resnet18", "transfer", "batchnorm", "cifar100", "networks")  # in the order of the docs
PARTS = {"epochs200": "Networks", "networks": "Networks"}  # of their results; of the others all


def test_every_page_shows_the_committed_results(monkeypatch):
    monkeypatch.chdir(ROOT)
    shown = {page.name: readme.BEGIN.findall(page.read_text()) for page in readme.pages()}
    assert {name: found for name, found in shown.items() if found} == {
        "README.md": [("reports/results.md", "Networks")],
        "claims.md": [("reports/results.md", "Claims")],
        "studies.md": [(f"studies/{study}/reports/results.md", PARTS.get(study, "")) for study in STUDIES],
        "weights.md": [("data/published_weights.csv", "")],
    }
    for page in readme.pages():
        assert page.read_text() == readme.filled(page), "run `python -m pipeline.tools.readme`"


def test_the_readme_is_short_and_nothing_is_left_to_fill_in(monkeypatch):
    monkeypatch.chdir(ROOT)
    assert len(Path("README.md").read_text().splitlines()) <= 150
    for page in readme.pages():
        assert not re.findall(r"TODO|XXX", page.read_text())


def test_results_go_between_the_markers():
    text = f"before\n<1>\nold\n{readme.END}\nbetween\n<2>\nold\n{readme.END}\nafter"
    for marker in ("<1>", "<2>"):
        new = text.replace(f"{marker}\nold\n", f"{marker}\n| new |\n")
        assert readme.insert(text, "| new |\n", marker, readme.END, PAGE) == new


def test_a_part_is_what_is_under_its_heading_and_the_whole_has_no_headings(tmp_path):
    path = tmp_path / "results.md"
    path.write_text("## Claims\n\n| a |\n\n- b\n\n## Networks\n\n| c |\n")
    assert readme.part(PAGE, path, "Claims") == "| a |\n\n- b\n"
    assert readme.part(PAGE, path, "Networks") == "| c |\n"
    assert readme.part(PAGE, path, None) == "| a |\n\n- b\n\n| c |\n"


def test_a_page_without_markers_or_a_missing_file_is_refused(tmp_path):
    for text in ("no markers", "<1> without an end", f"<1> {readme.END} <1> {readme.END}"):
        with pytest.raises(StageError, match=r"page\.md must have <1> once"):
            readme.insert(text, "", "<1>", readme.END, PAGE)
    with pytest.raises(StageError, match=r"page\.md shows nowhere\.md"):
        readme.part(PAGE, Path("nowhere.md"), None)
    (tmp_path / "results.md").write_text("## Networks\n\n| c |\n")
    with pytest.raises(StageError, match=r"has under Claims, which is not there"):
        readme.part(PAGE, tmp_path / "results.md", "Claims")
