"""What DVC says of a grid, and what is recorded of a run that was trained elsewhere."""

import json
import shutil
from contextlib import chdir
from pathlib import Path

import pytest
from conftest import ROOT, change_params, clone, refused, run, sh

from pipeline.cluster import worker
from pipeline.cluster.stages import Stages
from pipeline.stage import StageError

pytestmark = pytest.mark.filterwarnings("ignore::DeprecationWarning")  # of a package that DVC uses

MODEL = "data/models/resnet8-0"
RECORD = "reports/runs/resnet8-0/environment.json"


@pytest.fixture
def here(monkeypatch):
    monkeypatch.chdir(ROOT)


def test_study_a_is_known_with_all_that_its_training_depends_on(here):
    stages = Stages(Path())
    assert stages.data == ["data/cifar10"]
    assert stages.before == ["download"]
    assert {"params.yaml", "pipeline/training/loop.py"} <= {*stages.files()}
    assert not [path for path in stages.files() if "reporting" in path or "cluster" in path]
    task = stages.tasks["resnet56-0"]
    assert task.command == "python -m pipeline.train resnet56 0"
    assert set(task.outputs) == {"data/models/resnet56-0", "reports/runs/resnet56-0/environment.json"}
    assert stages.addresses["resnet56-0"] == "train@resnet56-0"


def test_another_study_is_known_with_the_weights_that_it_starts_from(here):
    stages = Stages(Path("studies/transfer"))
    assert {"studies/transfer/data/flowers17", "studies/transfer/data/starts/cifar10"} <= set(stages.data)
    assert "studies/transfer/dvc.yaml:start@cifar10" in stages.before
    assert "studies/transfer/params.yaml" in stages.files() and "params.yaml" not in stages.files()
    task = stages.tasks["cifar10-3"]
    assert (task.folder, task.outputs[0]) == ("studies/transfer", "studies/transfer/data/models/cifar10-3")
    assert stages.addresses["cifar10-3"] == "studies/transfer/dvc.yaml:train@cifar10-3"


@pytest.mark.slow
def test_stale_are_the_runs_that_dvc_would_train_the_deepest_first(reproduced):
    with chdir(reproduced):
        assert Stages(Path()).stale() == []
        arch = {"plain8": {"depth": 8, "shortcut": "none"}, "resnet8": {"depth": 14, "shortcut": "projection"}}
        change_params(Path(), arch=arch)
        assert Stages(Path()).stale() == ["resnet8-0"]
        change_params(Path(), epochs=4)
        assert Stages(Path()).stale() == ["resnet8-0", "plain8-0"]
        sh(Path(), "git checkout -q HEAD params.yaml && rm -rf dvc.lock data/models")
        assert Stages(Path()).stale() == []  # the run cache has them
        sh(Path(), "git checkout -q HEAD dvc.lock && dvc checkout -q")


@pytest.mark.slow
def test_what_lies_in_weights_is_pulled_and_not_trained(with_weights, tmp_path):
    folder = tmp_path / "fresh"
    sh(tmp_path, f"git clone -q {with_weights} {folder}")
    with chdir(folder):
        stages = Stages(Path())
        stages.prepare()
        assert stages.stale() == []
    assert (folder / MODEL / "weights.safetensors").exists()


@pytest.mark.slow
def test_results_are_put_in_place_and_recorded_or_kept_aside_if_parameters_were_edited(reproduced, tmp_path):
    folder = shutil.copytree(reproduced, tmp_path / "copy")
    with chdir(folder):
        stages = Stages(Path())
        stages.bundles()
        before = worker.pack(Path(), [Path(MODEL), Path(RECORD)])
        (incoming := tmp_path / "node").mkdir()
        worker.unpack(before, incoming)
        (incoming / MODEL / "history.csv").write_text("of another training")
        sessions = [{"commit": None, "epochs": 1}, {"commit": "abc", "epochs": 2}]
        (incoming / RECORD).write_text(json.dumps({"sessions": sessions}))
        for name in ("checkpoint.safetensors", "epoch-002.safetensors"):
            path = Path(".scratch/resnet8-0-abc") / name
            path.parent.mkdir(parents=True, exist_ok=True)
            path.touch()
        files = worker.pack(incoming, [incoming / MODEL, incoming / RECORD])

        change_params(Path(), lr=0.01)
        with pytest.raises(
            StageError, match=r"edited while it was trained: its results were put in \.scratch/aside/res"
        ):
            stages.record("resnet8-0", files, (".scratch/resnet8-0-abc/checkpoint.safetensors",))
        assert Path(".scratch/aside/resnet8-0.zip").read_bytes() == files
        assert worker.pack(Path(), [Path(MODEL), Path(RECORD)]) == before

        sh(folder, "git checkout -q HEAD params.yaml")
        Path("data/cifar10/test_batch.bin").touch()
        assert not stages.is_current()  # the data counts, too
        stages.bundles()
        stages.record("resnet8-0", files, (".scratch/resnet8-0-abc/checkpoint.safetensors",))
        assert Path(MODEL, "history.csv").read_text() == "of another training"
        assert [one["commit"] for one in json.loads(Path(RECORD).read_text())["sessions"]] == [stages.commit, "abc"]
        assert [path.name for path in Path(".scratch/resnet8-0-abc").iterdir()] == ["epoch-002.safetensors"]
        assert "train@resnet8-0" not in sh(folder, "dvc status")
        assert "dvc.lock" in sh(folder, "git status --porcelain")


@pytest.mark.slow
def test_a_wrong_parameter_is_one_sentence(tmp_path, monkeypatch):
    folder = clone(tmp_path, lr=-1)
    monkeypatch.chdir(folder)
    assert "lr" in refused(run("cluster.driver"))
