"""Published values: errors and accuracies come out on one scale."""

from conftest import ROOT

from pipeline.analysis import published


def test_published_errors_and_accuracies_are_one_scale():
    table = published.load(ROOT / "data/published.csv").set_index(["net", "source"])
    assert table.loc[("resnet56", "study A"), "test_error"] == 6.75
    assert table.loc[("resnet56", "He et al. 2016, Table 6"), "test_error"] == 6.97
