"""The benchmarks run and fill their tables; what they measure is not tested."""

import os
import re
import subprocess
import sys
from collections.abc import Sequence
from pathlib import Path
from types import ModuleType

import pandas as pd
import pytest
import torch
from conftest import ROOT

from benchmarks import cluster, common, growth, stages
from benchmarks.conventional import AugmentedImages
from pipeline.data import loading


def bench(name: str, folder: Path, *args: str, more: Sequence[str] = ()) -> pd.DataFrame:
    """The table of a benchmark, run with its results in `folder`; it may write `more` tables."""
    (folder / "README.md").write_text("".join(f"<!-- {one} -->\n<!-- end of {one} -->\n" for one in (name, *more)))
    command = [sys.executable, "-m", f"benchmarks.{name}", "--folder", str(folder), *args]
    env = os.environ | {"PATH": f"{Path(sys.executable).parent}{os.pathsep}{os.environ['PATH']}"}
    done = subprocess.run(command, cwd=ROOT, env=env, capture_output=True, text=True, timeout=600)
    assert done.returncode == 0, done.stderr
    assert f"torch {torch.__version__}" in (folder / "README.md").read_text()
    return pd.read_csv(folder / f"{name}.csv")


def bench_here(benchmark: ModuleType, folder: Path, monkeypatch: pytest.MonkeyPatch, *args: str) -> pd.DataFrame:
    """The table of a benchmark run in this process, parts of which may be replaced."""
    name = benchmark.__name__.rpartition(".")[2]
    (folder / "README.md").write_text(f"<!-- {name} -->\n<!-- end of {name} -->\n")
    monkeypatch.setattr(sys, "argv", [name, "--folder", str(folder), *args])
    benchmark.main()
    return pd.read_csv(folder / f"{name}.csv")


@pytest.mark.slow
def test_throughput_compares_all_loops(tmp_path):
    table = bench("throughput", tmp_path, "--networks", "plain20", "--steps", "2", "--rounds", "1", "--workers", "0")
    loops = table["loop"].tolist()
    assert loops[:2] == ["ours", "bare step"]
    assert loops[-2:] == ["conventional, fp32, 0 workers", "test pass"]
    assert (table["network"] == "plain20").all()


@pytest.mark.slow
def test_growth_measures_every_point(tmp_path, monkeypatch):
    """One training and one pipeline are measured; what else there is would be made of the same."""
    for name, values in {"EPOCHS": (1, 2), "DEPTHS": (8,), "SEEDS": (1,)}.items():
        monkeypatch.setattr(growth, name, values)
    measure, workspace = growth.measure, common.workspace
    small = {"threads": 1, "train_size": 128}
    monkeypatch.setattr(common, "workspace", lambda folder, **changes: workspace(folder, **(changes | small)))
    made_up = {("depth", 8), ("epochs", 2), (growth.ONE, 1)}
    monkeypatch.setattr(
        growth, "measure", lambda *point: common.Cost(1, 999, 3) if point[:2] in made_up else measure(*point)
    )
    table = bench_here(growth, tmp_path, monkeypatch, "--train-size", "128", "--rounds", "1", "--layers", "8")
    assert table.groupby("against")["value"].apply(list).to_dict() == {
        "depth": [8],
        "epochs": [1, 2],
        "seeds, one at a time": [1],
        "seeds, two at once": [1],
    }
    assert re.search(r"Straight lines through the points: \d+\.\d\d s an epoch", (tmp_path / "README.md").read_text())
    assert (table[["seconds", "memory, MB"]] > 0).all(axis=None)
    assert (tmp_path / "growth.svg").exists()


def test_a_grid_ends_with_its_last_run_and_the_longest_begin_first():
    assert cluster.makespan([4, 4, 4, 1, 1], 1) == 14
    assert cluster.makespan([4, 4, 4, 1, 1], 2) == 8  # 4 + 4 and 4 + 1 + 1
    assert cluster.makespan([4, 4, 4, 1, 1], 5) == 4
    table = cluster.simulation(overhead=20)
    one = table[table["how many"] == 1]["hours"]
    assert one.iloc[0] == round(6 * (200 * 1.7 + 40) / 3600, 2)
    assert (table[table["how many"] == 1]["idle %"] == 0).all()
    assert (table["idle %"] >= 0).all()


@pytest.mark.slow
def test_what_a_cluster_adds_is_measured(tmp_path):
    pytest.importorskip("ray", reason="make test installs requirements-ray.txt")
    table = bench("cluster", tmp_path, "--runs", "2", "--train-size", "100", "--most", "1", more=["grid"])
    assert list(table["nodes"]) == [1]
    assert (table > 0).all(axis=None)
    assert len(pd.read_csv(tmp_path / "grid.csv")) == 6


@pytest.mark.slow
def test_stages_are_all_measured(tmp_path, monkeypatch):
    workspace = common.workspace
    small = {"arch": {"plain8": {"depth": 8, "shortcut": "none"}}, "variants": ["plain8"]}
    monkeypatch.setattr(
        common, "workspace", lambda folder, **changes: workspace(folder, **(changes and small | changes))
    )
    monkeypatch.setattr(stages, "nothing_to_do", lambda rounds: [common.Cost(0, 1, 50)] * rounds)
    measure, imports = common.run, common.Cost(0, 1, 50)
    monkeypatch.setattr(common, "run", lambda command, *rest: imports if "-c" in command else measure(command, *rest))
    args = ["--networks", "plain8", "--train-size", "128", "--rounds", "1"]
    table = bench_here(stages, tmp_path, monkeypatch, *args)
    assert table["what"].tolist() == [
        "aggregate", "report", "initial plain8", "train plain8, one epoch", "evaluate plain8",
        "probe plain8", "dvc repro, nothing to do",
    ]  # fmt: skip
    assert (table["seconds"] > 0).all()


def test_the_conventional_loop_augments_as_ours_does(generated):
    """Every image that it makes is one of those that ours can make of the same image."""
    train, _ = loading.load(generated, "synthetic", 0)
    mean, std = loading.statistics(train.images)
    data = AugmentedImages(train.images.numpy(), train.labels.numpy(), mean, std)
    padded = loading.pad(train.images[:1], 4)
    inputs = [part.float() for part in (torch.tensor(mean), torch.tensor(std))]
    places = torch.cartesian_prod(*(torch.arange(n) for n in (9, 9, 2)))
    crops = loading.crop_and_flip(
        padded, torch.zeros(len(places), dtype=torch.int64), 32, places[:, 0], places[:, 1], places[:, 2] > 0
    )
    possible = loading.normalise(crops, *inputs)
    for _ in range(20):
        image, label = data[0]
        assert label == train.labels[0]
        assert (possible - image).abs().amax((1, 2, 3)).min() < 1e-5
