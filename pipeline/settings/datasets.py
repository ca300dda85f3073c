"""The data sets by name: how many images, of which classes, in which files."""

from typing import NamedTuple

CIFAR10_CLASSES = ("airplane", "automobile", "bird", "cat", "deer", "dog", "frog", "horse", "ship", "truck")
FLOWERS17_CLASSES = (
    "daffodil", "snowdrop", "lily of the valley", "bluebell", "crocus", "iris", "tiger lily", "tulip", "fritillary",
    "sunflower", "daisy", "coltsfoot", "dandelion", "cowslip", "buttercup", "windflower", "pansy",
)  # fmt: skip
CIFAR10_FILES = (*(f"data_batch_{i}.bin" for i in range(1, 6)), "test_batch.bin")
FLOWERS17_FILES = ("images.safetensors",)


class DataSet(NamedTuple):
    """`train` and `test` images, `classes` in the order of their labels, `files` in a folder; `side` None: as asked."""

    train: int
    test: int
    classes: tuple[str, ...] = CIFAR10_CLASSES
    files: tuple[str, ...] = CIFAR10_FILES
    side: int | None = 32  # pixels
    title: str = "CIFAR-10"

    @property
    def split_by_seed(self) -> bool:
        """Whether each seed draws its own split into training and test images."""
        return self.files == FLOWERS17_FILES


DATASETS = {
    "cifar10": DataSet(50_000, 10_000),
    "synthetic": DataSet(2_000, 1_000),
    "flowers17": DataSet(1_088, 272, FLOWERS17_CLASSES, FLOWERS17_FILES, None, "Oxford Flowers-17"),
    "synthetic_flowers17": DataSet(1_088, 272, FLOWERS17_CLASSES, FLOWERS17_FILES, None, "Oxford Flowers-17"),
}
GENERATED = ("synthetic", "synthetic_flowers17")  # for smoke runs and tests: results on them mean nothing
