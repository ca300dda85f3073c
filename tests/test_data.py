"""data/README.md is the data's contract: what it says is what the code does."""

import re

import pytest
from conftest import ROOT

from pipeline import download
from pipeline.data import cifar
from pipeline.settings.datasets import DATASETS
from pipeline.transfer import download_flowers

CONTRACT = (ROOT / "data/README.md").read_text()
SECTIONS = dict(re.findall(r"^## (.+)\n((?:(?!## ).*\n)+)", CONTRACT, re.M))


@pytest.mark.parametrize("dataset", download.SOURCES)
def test_source_and_checksums_are_those_of_the_code(dataset):
    source, text = download.SOURCES[dataset], SECTIONS[DATASETS[dataset].title]
    for words in (source.url, *source.archive_md5.values(), source.sha256, f"`{source.variable}=PLACE"):
        assert f"{words}" in text
    assert source.inside[1] in text
    assert f"`dataset: {dataset}`" in text or dataset == "cifar10"


def test_those_of_flowers_are_too():
    for words in (download_flowers.URL, *download_flowers.COPIES):
        assert words in CONTRACT


@pytest.mark.parametrize("dataset", download.SOURCES)
def test_counts_and_formats_are_those_of_the_code(dataset):
    data = DATASETS[dataset]
    text = SECTIONS[data.title]
    assert f"{data.train:,} training images in `{data.files[0]}`" in text
    assert f"{data.test:,} test images in\n  `{data.files[-1]}`" in text or f"test images in `{data.files[-1]}`" in text
    assert f"{len(data.classes)} classes" in text
    assert f"each {data.train // len(data.classes):,} and {data.test // len(data.classes):,} times" in text
    assert f"records of {cifar.record_bytes(data):,} bytes" in text
    assert f"(0 to {len(data.classes) - 1})" in text


def test_the_classes_of_cifar10_and_the_generated_sets_are_those_of_the_code():
    assert f"({' '.join(DATASETS['cifar10'].classes)})" in CONTRACT
    text = SECTIONS["Generated data"]
    for dataset in ("synthetic", "synthetic_cifar100"):
        assert f"`dataset: {dataset}`" in text
        assert DATASETS[dataset][:2] == (2_000, 1_000)
    assert "2,000 training and 1,000 test images" in text


def test_the_committed_runs_used_the_data_that_the_contract_names():
    import json

    runs = list((ROOT / "reports/runs").glob("*/metrics.json"))
    assert runs
    for path in runs:
        assert json.loads(path.read_text())["data"]["content_sha256"] in CONTRACT
