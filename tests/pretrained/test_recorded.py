"""What dvc.lock records is found without DVC, and damage is seen."""

import json
import shutil
from pathlib import Path

import pytest
from conftest import ROOT

from pipeline import stage
from pipeline.pretrained import recorded
from pipeline.stage import StageError

RUNS = [
    (path.parents[3].relative_to(ROOT), path.parent.name)
    for folder in ("", "studies/*/")
    for path in sorted(ROOT.glob(f"{folder}reports/runs/*/metrics.json"))
]


@pytest.mark.parametrize(("study", "name"), RUNS, ids=str)
def test_the_weights_of_every_committed_run_are_there_whole(study, name):
    path = recorded.weights(name, ROOT / study)
    assert path.is_relative_to(ROOT / "weights")
    history = recorded.stored(recorded.files(recorded.of_run(name, ROOT / study))["history.csv"])
    assert history.read_bytes() == (ROOT / study / "reports/runs" / name / "history.csv").read_bytes()


def test_weights_hold_what_is_recorded_and_nothing_else():
    digests = {recorded.of_run(name, ROOT / study) for study, name in RUNS}
    digests |= {md5 for digest in digests for md5 in recorded.files(digest).values()}
    for path in recorded.REMOTE.glob("*/*"):
        digest = path.parent.name + path.name
        if digest not in digests:  # what study B starts from: the weights of a run without their last layer
            names = json.loads(path.read_text()) if digest.endswith(".dir") else []
            assert {entry["relpath"] for entry in names} <= {"source.json", "weights.safetensors"}
        assert recorded.file_md5(path) == digest.removesuffix(".dir")


def test_an_unknown_run_and_a_damaged_file_are_refused(tmp_path, monkeypatch):
    with pytest.raises(StageError, match="records no run resnet20-7; allowed: plain20-0, "):
        recorded.weights("resnet20-7")
    store = tmp_path / "weights/files/md5"
    monkeypatch.setattr(recorded, "REMOTE", store)
    monkeypatch.setattr(recorded, "STORES", (store,))
    shutil.copytree(ROOT / "weights/files/md5", store)
    path = recorded.weights("resnet20-0")
    path.chmod(0o644)
    content = bytearray(path.read_bytes())
    content[-1] ^= 1
    path.write_bytes(content)
    with pytest.raises(StageError, match=f"{path.name} is damaged: `git checkout weights` restores it"):
        recorded.weights("resnet20-0")
    path.unlink()
    with pytest.raises(StageError, match="lacks the weights of resnet20-0: run `dvc repro`"):
        recorded.weights("resnet20-0")


def test_the_hash_of_a_folder_is_dvcs(tmp_path):
    """Of the committed run's model, put together again from the remote."""
    digest = recorded.of_run("resnet20-0")
    for name, md5 in recorded.files(digest).items():
        shutil.copy(recorded.stored(md5), tmp_path / name)
    assert recorded.md5(tmp_path) == digest
    (tmp_path / "more").touch()
    assert recorded.md5(tmp_path) != digest
    assert recorded.md5(stage.TOP / "LICENSE") == recorded.file_md5(Path(stage.TOP / "LICENSE"))
