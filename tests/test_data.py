"""data/README.md is the data's contract: what it says is what the code does."""

from conftest import ROOT

from pipeline import download
from pipeline.data import cifar10
from pipeline.settings.datasets import DATASETS
from pipeline.transfer import download_flowers

CONTRACT = (ROOT / "data/README.md").read_text()


def test_source_and_checksums_are_those_of_the_code():
    assert download.URL in CONTRACT
    assert download_flowers.URL in CONTRACT
    for digest in (*download.ARCHIVE_MD5.values(), download.OFFICIAL_SHA256, *download_flowers.COPIES):
        assert digest in CONTRACT


def test_counts_and_classes_are_those_of_the_code():
    for dataset, words in (("cifar10", "{:,} training images"), ("synthetic", "{:,} training and")):
        assert words.format(DATASETS[dataset].train) in CONTRACT
        assert f"{DATASETS[dataset].test:,} test images" in CONTRACT
    assert f"({' '.join(cifar10.CLASSES)})" in CONTRACT
    assert f"records of {cifar10.RECORD:,} bytes" in CONTRACT
    for name in (cifar10.TRAIN_FILES[0], cifar10.TRAIN_FILES[-1], cifar10.TEST_FILE):
        assert name in CONTRACT


def test_the_committed_runs_used_the_data_that_the_contract_names():
    import json

    runs = list((ROOT / "reports/runs").glob("*/metrics.json"))
    assert runs
    for path in runs:
        assert json.loads(path.read_text())["data"]["content_sha256"] in CONTRACT
