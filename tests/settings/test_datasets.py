"""The data sets' descriptions agree with themselves."""

import pytest

from pipeline.settings.datasets import DATASETS, GENERATED


@pytest.mark.parametrize("name", DATASETS)
def test_classes_are_distinct_and_images_fall_evenly_into_them(name):
    data = DATASETS[name]
    assert len(set(data.classes)) == len(data.classes)
    assert data.train % len(data.classes) == data.test % len(data.classes) == 0


def test_generated_sets_have_the_form_of_real_ones():
    assert set(GENERATED) < set(DATASETS)
    for generated, real in zip(GENERATED, ("cifar10", "cifar100", "flowers17"), strict=True):
        assert DATASETS[generated][2:] == DATASETS[real][2:]
