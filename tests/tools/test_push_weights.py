"""weights/ holds the recorded runs' files and no others."""

import json
import shutil

import pytest
from conftest import sh

pytestmark = pytest.mark.slow


def test_one_set_of_weights_is_kept(with_weights, tmp_path):
    folder = shutil.copytree(with_weights, tmp_path / "clone")
    before = {path for path in (folder / "weights/files").rglob("*") if path.is_file()}
    sh(folder, "sed -i 's/^epochs: .*/epochs: 1/' params.yaml && dvc repro aggregate")
    assert "6 files of other runs removed" in sh(folder, "python -m pipeline.tools.push_weights")
    after = {path for path in (folder / "weights/files").rglob("*") if path.is_file()}
    assert len(after) == len(before)
    assert not before & after
    sh(folder, "git checkout -q HEAD params.yaml dvc.lock reports && dvc checkout -q")
    sh(folder, "python -m pipeline.tools.push_weights")
    assert {path for path in (folder / "weights/files").rglob("*") if path.is_file()} == before
    card = json.loads((folder / "reports/runs/resnet8-0/metrics.json").read_text())["test_error"]
    assert f"{card:.2f}" in (folder / "weights/README.md").read_text()


def test_weights_that_are_not_here_are_named(with_weights, tmp_path):
    folder = shutil.copytree(with_weights, tmp_path / "clone")
    sh(folder, "rm -r .dvc/cache data/models weights/files")
    assert "is not in DVC's cache: run `dvc repro`" in sh(folder, "python -m pipeline.tools.push_weights", code=1)
