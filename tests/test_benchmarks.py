"""The benchmarks run and fill their tables; what they measure is not tested."""

import os
import subprocess
import sys
from pathlib import Path

import pandas as pd
import pytest
import torch
from conftest import ROOT

from benchmarks import common, stages
from benchmarks.conventional import AugmentedImages
from pipeline import dataset


def bench(name: str, folder: Path, *args: str) -> pd.DataFrame:
    (folder / "README.md").write_text(f"<!-- {name} -->\n<!-- end of {name} -->\n")
    command = [sys.executable, "-m", f"benchmarks.{name}", "--folder", str(folder), *args]
    env = os.environ | {"PATH": f"{Path(sys.executable).parent}{os.pathsep}{os.environ['PATH']}"}
    done = subprocess.run(command, cwd=ROOT, env=env, capture_output=True, text=True, timeout=600)
    assert done.returncode == 0, done.stderr
    assert f"torch {torch.__version__}" in (folder / "README.md").read_text()
    return pd.read_csv(folder / f"{name}.csv")


def test_throughput_compares_all_loops(tmp_path):
    table = bench("throughput", tmp_path, "--networks", "plain20", "--steps", "2", "--rounds", "1", "--workers", "0")
    loops = table["loop"].tolist()
    assert loops[:2] == ["ours", "bare step"]
    assert loops[-2:] == ["conventional, fp32, 0 workers", "test pass"]
    assert (table["network"] == "plain20").all()


@pytest.mark.slow
def test_growth_measures_every_point(tmp_path):
    table = bench("growth", tmp_path, "--train-size", "128", "--most", "2", "--rounds", "1", "--layers", "8")
    assert table.groupby("against")["value"].apply(list).to_dict() == {
        "epochs": [1, 2],
        "seeds, one at a time": [1, 2],
        "seeds, two at once": [1, 2],
    }
    assert (table[["seconds", "memory, MB"]] > 0).all(axis=None)
    assert (tmp_path / "growth.svg").exists()


@pytest.mark.slow
def test_stages_are_all_measured(tmp_path, monkeypatch):
    monkeypatch.setattr(stages, "nothing_to_do", lambda rounds: [common.Cost(0, 1, 50)] * rounds)
    args = ["--networks", "plain20", "--train-size", "128", "--rounds", "1", "--folder", str(tmp_path)]
    monkeypatch.setattr(sys, "argv", ["stages", *args])
    stages.main()
    table = pd.read_csv(tmp_path / "stages.csv")
    assert table["what"].tolist() == [
        "aggregate", "report", "train plain20, one epoch", "evaluate plain20", "probe plain20",
        "dvc repro, nothing to do",
    ]  # fmt: skip
    assert (table["seconds"] > 0).all()


def test_the_conventional_loop_augments_as_ours_does(generated):
    """Every image that it makes is one of those that ours can make of the same image."""
    train, _ = dataset.load(generated, "synthetic", 0)
    mean, std = dataset.statistics(train.images)
    data = AugmentedImages(train.images.numpy(), train.labels.numpy(), mean, std)
    padded = dataset.pad(train.images[:1], 4)
    inputs = [part.float() for part in (torch.tensor(mean), torch.tensor(std))]
    places = torch.cartesian_prod(*(torch.arange(n) for n in (9, 9, 2)))
    crops = dataset.crop_and_flip(
        padded, torch.zeros(len(places), dtype=torch.int64), 32, places[:, 0], places[:, 1], places[:, 2] > 0
    )
    possible = dataset.normalise(crops, *inputs)
    for _ in range(20):
        image, label = data[0]
        assert label == train.labels[0]
        assert (possible - image).abs().amax((1, 2, 3)).min() < 1e-5
