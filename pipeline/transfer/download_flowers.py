"""Stage download of study transfer: fetch Oxford Flowers-17, check it, and put its images, made small, in one file.

    cd studies/transfer
    PYTHONPATH=../.. python -m pipeline.transfer.download_flowers
    FLOWERS17_SOURCE=17flowers.tgz PYTHONPATH=../.. python -m pipeline.transfer.download_flowers

Nilsback and Zisserman (2006): 1,360 photographs, 80 of each of 17 kinds of flowers, 60 MB. The makers publish no
checksum. So what is checked is the layout, image_0001.jpg to image_1360.jpg, all readable; the sha256 of all files
in order is recorded in data/flowers17/provenance.json and shown in the report. Each image is shrunk until its shorter
side has `image_size` pixels, and its middle is kept. With `dataset: synthetic_flowers17` a set is generated instead.
"""

from pathlib import Path

import numpy as np
from PIL import Image, ImageOps, UnidentifiedImageError

from pipeline import stage
from pipeline.acquire import fetching, synthetic
from pipeline.data import cifar, flowers17
from pipeline.settings import params
from pipeline.settings.datasets import DATASETS, FLOWERS17_FILES
from pipeline.stage import StageError

FOLDER = Path("data/flowers17")
URL = "https://www.robots.ox.ac.uk/~vgg/data/flowers/17/17flowers.tgz"
NAMES = tuple(f"image_{number:04}.jpg" for number in range(1, flowers17.IMAGES + 1))
COPIES = {  # sha256 of the 1,360 files in order: how the copy differs from the makers' files
    "72348c0721df2813b240bb2634bab20f03b61c605ed43f32eed12be02c601b17": (
        "a copy of all 1,360 images, each shrunk until its shorter side has 160 pixels and saved again as JPEG "
        "(quality 90)"
    ),
}


def main() -> None:
    settings = params.load()
    if DATASETS[settings.dataset].files != FLOWERS17_FILES:
        raise StageError(f"dataset is {settings.dataset}; allowed here: flowers17 and synthetic_flowers17")
    with fetching.replaced(FOLDER) as folder:
        if settings.dataset == "flowers17":
            originals = folder.parent / "originals"
            originals.mkdir()
            fetching.collect(fetching.located("FLOWERS17_SOURCE", URL), (NAMES,), originals, "FLOWERS17_SOURCE")
            sha256 = cifar.content_sha256(originals, NAMES)
            identity = COPIES.get(sha256, "an archive of the makers' layout; they publish no checksum to compare with")
            images = np.stack([shrink(originals / name, settings.image_size) for name in NAMES])
            flowers17.write_images(folder, images, np.arange(flowers17.IMAGES) // flowers17.PER_CLASS)
        else:
            synthetic.write_flowers(folder, settings.image_size)
            sha256 = cifar.content_sha256(folder, FLOWERS17_FILES)
            identity = "generated images, not Flowers-17: results on them mean nothing"
        flowers17.read(folder)
        stage.write_json(
            folder / "provenance.json", {"dataset": settings.dataset, "identity": identity, "content_sha256": sha256}
        )
    print(f"{FOLDER}: {flowers17.IMAGES} images, {identity}")


def shrink(path: Path, side: int) -> np.ndarray:
    """The middle of an image, uint8 (side, side, 3). Raises StageError if it cannot be read."""
    try:
        with Image.open(path) as image:
            if min(image.size) < side:
                raise StageError(f"image_size is {side}; allowed: up to {min(image.size)}, the size of {path.name}")
            return np.asarray(ImageOps.fit(image.convert("RGB"), (side, side), Image.Resampling.BILINEAR))
    except (UnidentifiedImageError, OSError) as error:
        raise StageError(f"{path.name} cannot be read as an image ({error}): fetch the data again") from None


if __name__ == "__main__":
    stage.run(main)
