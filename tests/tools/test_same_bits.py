"""The guard for edits: it sees one that changes results, and lets pass one that does not."""

import re

import pytest
from conftest import clone, commit, sh

from pipeline.settings.datasets import DATASETS, GENERATED
from pipeline.tools import same_bits

pytestmark = pytest.mark.slow


def test_an_edit_that_changes_results_is_seen_and_one_that_does_not_passes(tmp_path):
    folder = clone(tmp_path, studies=True)
    sh(folder, "git rm -rq $(ls -d studies/* | grep -v transfer)")
    edit = "s/depth: 14/depth: 8/; s/^image_size: 64/image_size: 32/; /^  - scratch/d"
    sh(folder, f"sed -i '{edit}' studies/transfer/params.yaml")
    commit(folder, "Less to train")
    sh(folder, "sed -i 's/mean((2, 3))/mean(dim=(2, 3))/' pipeline/networks/network.py")
    sh(folder, "sed -i '/^  - plain8/d' params.yaml")
    output = sh(folder, "python -m pipeline.tools.same_bits main")
    assert "resnet8: the same bits" in output
    assert "transfer/cifar10: the same bits" in output
    assert "`dvc commit -f train` may record it" in output

    sh(folder, "git checkout params.yaml && rm -r studies/transfer")
    sh(folder, "sed -i 's/out + self.shortcut(x)/1.01 * out + self.shortcut(x)/' pipeline/networks/blocks.py")
    output = sh(folder, "python -m pipeline.tools.same_bits main", code=1)
    assert "plain8: the same bits" in output
    assert re.search(r"resnet8: \d+ of \d+ weight tensors differ, by ", output)
    assert "error: the working tree trains resnet8 to other results than main: train anew" in output

    sh(folder, "sed -i 's/fused=True/fused=True, foreach=True/' pipeline/train.py")
    output = sh(folder, "python -m pipeline.tools.same_bits main", code=1)
    assert "error: training plain8 with the code in" in output
    assert "error: BASE is nowhere, and git says: " in sh(folder, "python -m pipeline.tools.same_bits nowhere", code=1)


@pytest.mark.parametrize("dataset", DATASETS)
def test_every_data_set_has_a_generated_one_of_its_form_that_is_large_enough(dataset):
    name = same_bits.stand_in(dataset)
    assert name in GENERATED
    assert DATASETS[name][2:] == DATASETS[dataset][2:]
    assert same_bits.SIZES[name] <= DATASETS[name].train
