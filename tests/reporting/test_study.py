"""A study as the report sees it: the committed ones are read as they are."""

import pandas as pd
import pytest
from conftest import ROOT

from pipeline.reporting import study


@pytest.mark.parametrize("folder", [".", "studies/resnet18", "studies/transfer"])
def test_a_committed_study_is_read_as_it_is(folder, monkeypatch):
    monkeypatch.chdir(ROOT / folder)
    s = study.load("", by_depth=folder == ".")
    assert list(s.results["variant"]) == s.settings.variants
    assert len(s.runs) == len(s.settings.variants) * s.n
    assert set(pd.unique(s.curves["seed"])) == set(s.settings.seeds)
    assert [variant for group in s.groups.values() for variant in group] == list(
        s.results.sort_values("depth", kind="stable")["variant"]
    )
    assert s.data["dataset"] == s.settings.dataset


def test_words_follow_the_number(settings):
    one, two = (
        study.Study(settings(seeds=seeds, epochs=len(seeds)), None, None, None, {}, {}, "") for seeds in ([4], [0, 1])
    )
    assert (one.seeds, one.epochs, one.title) == ("1 seed (4)", "1 epoch", "CIFAR-10")
    assert (two.seeds, two.epochs) == ("2 seeds (0, 1)", "2 epochs")
