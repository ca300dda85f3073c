"""New code in dvc.lock without training: what is recorded, and what is refused."""

import pytest
from conftest import change_params, sh

RECORD = "python -m pipeline.tools.record"


@pytest.mark.slow
def test_edited_code_is_recorded_without_data_and_nothing_else_changes(reproduced_once, tmp_path):
    fresh = tmp_path / "fresh"  # with neither data nor cache, as a clone from a forge has it
    sh(tmp_path, f"git clone -q {reproduced_once} {fresh}")
    sh(fresh, "echo '# edited' >> pipeline/networks/network.py")
    assert "train@resnet8-0" in sh(fresh, "python -m pipeline.tools.check", code=1)
    assert "recorded 3 stages" in sh(fresh, RECORD)  # the data and two runs
    after = sh(fresh, "python -m pipeline.tools.check", code=1)
    assert "train@" not in after
    assert "evaluate@resnet8-0" in after  # runs again
    changed = [line for line in sh(fresh, "git diff -U0 dvc.lock").splitlines() if line.startswith("+ ")]
    assert changed
    assert {line.split(":")[0].strip("+ ") for line in changed} <= {"md5", "size"}
    assert not sh(fresh, "git diff --stat -- reports data")

    (fresh / "data/cifar10").mkdir(parents=True)
    (fresh / "data/cifar10/data_batch_1.bin").write_text("another")
    before = (fresh / "dvc.lock").read_text()
    assert "error: data/cifar10 is not what dvc.lock records for download" in sh(fresh, RECORD, code=1)
    assert (fresh / "dvc.lock").read_text() == before


@pytest.mark.slow
def test_another_value_of_a_parameter_is_not_recorded_for_old_weights(reproduced_once, tmp_path):
    fresh = tmp_path / "fresh"
    sh(tmp_path, f"git clone -q {reproduced_once} {fresh}")
    change_params(fresh, train_size=100)
    before = (fresh / "dvc.lock").read_text()
    assert "error: train_size is 100, and train@plain8-0 was run with 200: run `dvc repro`" in sh(fresh, RECORD, code=1)
    assert (fresh / "dvc.lock").read_text() == before
