"""Links and commands of the checklist, of study A and of another."""

import pytest

from pipeline.checklist_facts import counted


@pytest.mark.parametrize(
    ("folder", "link", "command"),
    [
        (".", "[data/README.md](../data/README.md)", "`dvc repro`"),
        ("studies/some", "[data/README.md](../../../data/README.md)", "`dvc repro studies/some/dvc.yaml`"),
    ],
)
def test_a_link_leads_from_the_reports_and_the_command_is_given_at_the_top(facts, folder, link, command):
    f = facts(folder=folder)
    assert f.link("data/README.md") == link
    assert f.command == command


def test_words_follow_the_number():
    assert [counted(1, "process"), counted(2, "process")] == ["1 process", "2 processes"]
    assert [counted(1, "thread"), counted(1000, "thread")] == ["1 thread", "1,000 threads"]
