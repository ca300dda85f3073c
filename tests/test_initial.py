"""Initial: the probe's measure before training, over seeds of its own."""

from pathlib import Path

import pandas as pd
import pytest
from conftest import refused, run


def test_it_measures_what_the_probe_does_for_more_seeds(workspace):
    result = run("initial", "resnet8")
    assert result.returncode == 0, result.stderr
    table = pd.read_csv("reports/initial/resnet8.csv")
    assert table["seed"].tolist() == list(range(8))
    assert table["gradient_reach"].nunique() == 8
    assert (table["images"] == 200).all()
    assert f"{table['gradient_reach'].mean():+.2f} decades, mean of 8 seeds" in result.stdout
    assert run("train", "resnet8", 1).returncode == 0
    assert run("probe", "resnet8", 1).returncode == 0
    probe = pd.read_json("reports/runs/resnet8-1/probe.json", typ="series")
    assert table.loc[1, "gradient_reach"] == pytest.approx(probe["gradient_reach_initial"], abs=1e-5)


def test_an_unknown_variant_is_refused(workspace):
    assert "arch has no entry resnet9" in refused(run("initial", "resnet9"))
    assert not Path("reports/initial").exists()
