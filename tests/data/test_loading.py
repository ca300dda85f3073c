"""Batches: augmentation against a slow loop over single images and in distribution, statistics against NumPy."""

import numpy as np
import pytest
import torch

from pipeline.data import loading
from pipeline.data.loading import Images
from pipeline.stage import StageError


@pytest.fixture
def images() -> torch.Tensor:
    return torch.from_numpy(np.random.default_rng(0).integers(0, 256, (40, 32, 32, 3), dtype=np.uint8))


def slow_crop(image: np.ndarray, padding: int, row: int, column: int, flip: bool) -> np.ndarray:
    """Pixel by pixel: what a padded, cropped and mirrored image holds."""
    out = np.zeros((32, 32, 3), np.uint8)
    for y in range(32):
        for x in range(32):
            across = 31 - x if flip else x
            source_y, source_x = y + row - padding, across + column - padding
            if 0 <= source_y < 32 and 0 <= source_x < 32:
                out[y, x] = image[source_y, source_x]
    return out


@pytest.mark.parametrize("padding", [0, 1, 4])
def test_augmentation_equals_a_loop_over_pixels(images, padding):
    draws = loading.draw(seed=3, epoch=1, count=40, padding=padding, flip=True)
    fast = loading.crop_and_flip(loading.pad(images, padding), draws.order, 32, draws.rows, draws.columns, draws.flips)
    for i in range(40):
        image = images[draws.order[i]].numpy()
        slow = slow_crop(image, padding, int(draws.rows[i]), int(draws.columns[i]), bool(draws.flips[i]))
        assert np.array_equal(fast[i].numpy(), slow)


def test_offsets_and_flips_are_uniform_and_each_image_comes_once():
    draws = loading.draw(seed=0, epoch=0, count=81_000, padding=4, flip=True)
    assert torch.equal(draws.order.sort().values, torch.arange(81_000))
    cells = torch.bincount(draws.rows * 9 + draws.columns, minlength=81)
    assert len(cells) == 81
    chi_square = ((cells - 1000.0) ** 2 / 1000).sum()
    assert chi_square < 129.5  # the 99.96 % point for 80 degrees of freedom is 129.5
    assert abs(draws.flips.float().mean() - 0.5) < 4 * 0.5 / 81_000**0.5


def test_without_padding_and_flips_nothing_changes(images):
    draws = loading.draw(0, 0, 40, padding=0, flip=False)
    assert torch.equal(
        loading.crop_and_flip(images, draws.order, 32, draws.rows, draws.columns, draws.flips), images[draws.order]
    )


def test_draws_depend_on_seed_and_epoch_alone():
    first, again = loading.draw(1, 2, 500, 4, True), loading.draw(1, 2, 500, 4, True)
    assert torch.equal(first.order, again.order)
    assert torch.equal(first.flips, again.flips)
    for other in (loading.draw(2, 1, 500, 4, True), loading.draw(1, 3, 500, 4, True), loading.draw(0, 2, 500, 4, True)):
        assert not torch.equal(first.order, other.order)


def test_statistics_equal_numpys():
    images = torch.randint(0, 256, (2500, 32, 32, 3), dtype=torch.uint8, generator=torch.Generator().manual_seed(0))
    images[..., 1] //= 2
    mean, std = loading.statistics(images)
    scaled = images.numpy() / 255
    assert mean == pytest.approx(scaled.mean((0, 1, 2)), rel=1e-10)
    assert std == pytest.approx(scaled.std((0, 1, 2)), rel=1e-10)


def test_normalised_images_have_mean_0_and_deviation_1(images):
    mean, std = (torch.tensor(values) for values in loading.statistics(images))
    batch = loading.normalise(images, mean, std)
    assert batch.shape == (40, 3, 32, 32)
    assert batch.is_contiguous(memory_format=torch.channels_last)
    assert batch.mean((0, 2, 3)).tolist() == pytest.approx([0, 0, 0], abs=1e-5)
    assert batch.std((0, 2, 3)).tolist() == pytest.approx([1, 1, 1], abs=1e-4)


def test_training_and_validation_images_are_apart_and_fixed():
    whole = Images(torch.arange(100, dtype=torch.uint8), torch.arange(100))
    train, val = loading.split(whole, 70, 20)
    assert (len(train), len(val)) == (70, 20)
    assert not set(train.labels.tolist()) & set(val.labels.tolist())
    assert torch.equal(val.labels, loading.split(whole, 10, 20)[1].labels)
    everything, none = loading.split(whole, 100, 0)
    assert torch.equal(everything.labels, whole.labels)
    assert len(none) == 0


def test_more_images_than_there_are_is_refused():
    with pytest.raises(StageError, match="train_size 90 and val_size 20 do not fit 100 images"):
        loading.split(Images(torch.zeros(100), torch.zeros(100)), 90, 20)


def test_a_folder_with_another_data_set_is_refused(generated):
    with pytest.raises(StageError, match=r"dataset is cifar10; allowed: synthetic, which is what .* holds"):
        loading.load(generated, "cifar10", 0)


def test_a_data_set_without_its_provenance_is_read_and_told_to_lack_it(generated, tmp_path):
    for file in generated.glob("*.bin"):
        (tmp_path / file.name).symlink_to(file)
    assert len(loading.load(tmp_path, "synthetic", 0)[0]) == 2000
    with pytest.raises(StageError, match=r"provenance\.json is missing or damaged: run `dvc repro --force`"):
        loading.provenance(tmp_path)


def test_the_files_are_read_in_order(generated):
    train, test = loading.load(generated, "synthetic", 0)
    assert (train.images.shape, test.images.shape) == ((2000, 32, 32, 3), (1000, 32, 32, 3))
    assert train.images.dtype == torch.uint8
    raw = np.fromfile(generated / "data_batch_2.bin", np.uint8)
    assert train.images[400, 0, 0].tolist() == [raw[1], raw[1 + 1024], raw[1 + 2048]]
