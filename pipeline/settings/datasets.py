"""The data sets by name: how many images, of which classes, in which files."""

from typing import NamedTuple

CIFAR10_CLASSES = ("airplane", "automobile", "bird", "cat", "deer", "dog", "frog", "horse", "ship", "truck")
CIFAR100_CLASSES = (  # the fine ones, as the makers write them
    "apple", "aquarium_fish", "baby", "bear", "beaver", "bed", "bee", "beetle", "bicycle", "bottle", "bowl", "boy",
    "bridge", "bus", "butterfly", "camel", "can", "castle", "caterpillar", "cattle", "chair", "chimpanzee", "clock",
    "cloud", "cockroach", "couch", "crab", "crocodile", "cup", "dinosaur", "dolphin", "elephant", "flatfish", "forest",
    "fox", "girl", "hamster", "house", "kangaroo", "keyboard", "lamp", "lawn_mower", "leopard", "lion", "lizard",
    "lobster", "man", "maple_tree", "motorcycle", "mountain", "mouse", "mushroom", "oak_tree", "orange", "orchid",
    "otter", "palm_tree", "pear", "pickup_truck", "pine_tree", "plain", "plate", "poppy", "porcupine", "possum",
    "rabbit", "raccoon", "ray", "road", "rocket", "rose", "sea", "seal", "shark", "shrew", "skunk", "skyscraper",
    "snail", "snake", "spider", "squirrel", "streetcar", "sunflower", "sweet_pepper", "table", "tank", "telephone",
    "television", "tiger", "tractor", "train", "trout", "tulip", "turtle", "wardrobe", "whale", "willow_tree", "wolf",
    "woman", "worm",
)  # fmt: skip
FLOWERS17_CLASSES = (
    "daffodil", "snowdrop", "lily of the valley", "bluebell", "crocus", "iris", "tiger lily", "tulip", "fritillary",
    "sunflower", "daisy", "coltsfoot", "dandelion", "cowslip", "buttercup", "windflower", "pansy",
)  # fmt: skip
CIFAR10_FILES = (*(f"data_batch_{i}.bin" for i in range(1, 6)), "test_batch.bin")
CIFAR100_FILES = ("train.bin", "test.bin")
FLOWERS17_FILES = ("images.safetensors",)


class DataSet(NamedTuple):
    """`train` and `test` images, `classes` in the order of their labels, `files` in a folder; `side` None: as asked.

    `label_bytes` are those of a record in CIFAR's binary format; the last is the label. Its last file is tested on.
    """

    train: int
    test: int
    classes: tuple[str, ...] = CIFAR10_CLASSES
    files: tuple[str, ...] = CIFAR10_FILES
    side: int | None = 32  # pixels
    title: str = "CIFAR-10"
    label_bytes: int = 1

    @property
    def split_by_seed(self) -> bool:
        """Whether each seed draws its own split into training and test images."""
        return self.files == FLOWERS17_FILES


CIFAR100 = (CIFAR100_CLASSES, CIFAR100_FILES, 32, "CIFAR-100", 2)
FLOWERS17 = (FLOWERS17_CLASSES, FLOWERS17_FILES, None, "Oxford Flowers-17")
DATASETS = {
    "cifar10": DataSet(50_000, 10_000),
    "cifar100": DataSet(50_000, 10_000, *CIFAR100),
    "flowers17": DataSet(1_088, 272, *FLOWERS17),
    "synthetic": DataSet(2_000, 1_000),
    "synthetic_cifar100": DataSet(2_000, 1_000, *CIFAR100),
    "synthetic_flowers17": DataSet(1_088, 272, *FLOWERS17),
}
GENERATED = ("synthetic", "synthetic_cifar100", "synthetic_flowers17")  # for tests: results on them mean nothing
MANY_CLASSES = 20  # classes from which tables and figures leave out pairs of classes that are not confused
