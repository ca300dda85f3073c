"""What a trained network takes images for: the five likeliest classes of each.

    python -m pipeline.predict cat.jpg dog.png
    python -m pipeline.predict --network resnet20 --seed 0 cat.jpg

Any image file will do. Its middle square is shrunk to the size that the network learned, 32 x 32 pixels for CIFAR-10
and CIFAR-100. The weights are those in data/models, or else the committed ones in weights/. It always names one of its
classes, also for an image that shows none of them.
"""

import argparse
from pathlib import Path

import torch
from PIL import Image, ImageOps, UnidentifiedImageError
from torch import Tensor
from torchvision.transforms.functional import pil_to_tensor

from pipeline import stage
from pipeline.pretrained import classifier, recorded
from pipeline.settings import params
from pipeline.stage import WEIGHTS, StageError

LIKELIEST = 5


def main() -> None:
    settings = params.load()
    args = arguments(settings)
    settings.network(args.network)  # refuses what is not there
    name = f"{args.network}-{args.seed}"
    trained = stage.MODELS / name / WEIGHTS
    network = classifier.load(
        settings, args.network, trained if trained.exists() else recorded.weights(name, Path.cwd())
    )
    images = torch.stack([read(path, settings.image_size) for path in args.files])
    with torch.no_grad():
        likely = network(images).softmax(1).topk(min(LIKELIEST, len(network.classes)))
    print(f"{name}, trained on {settings.dataset}")
    for path, probabilities, indices in zip(args.files, likely.values, likely.indices, strict=True):
        print(path)
        for probability, index in zip(probabilities.tolist(), indices.tolist(), strict=True):
            print(f"  {network.classes[index]:<20}{100 * probability:6.2f} %")


def arguments(settings: params.Params) -> argparse.Namespace:
    """The command line; by default the last of params.yaml's variants, and its first seed."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    variant, seed = settings.variants[-1], settings.seeds[0]
    parser.add_argument("files", type=Path, nargs="+", metavar="FILE", help="an image, of any format that Pillow reads")
    parser.add_argument("--network", default=variant, metavar="NAME", help=f"a name under arch ({variant})")
    parser.add_argument("--seed", type=int, default=seed, help=f"of its run ({seed})")
    return parser.parse_args()


def read(path: Path, side: int) -> Tensor:
    """The middle of an image, float (3, side, side), from 0 to 1. Raises StageError if it cannot be read."""
    try:
        with Image.open(path) as image:
            upright = ImageOps.exif_transpose(image).convert("RGB")
            return pil_to_tensor(ImageOps.fit(upright, (side, side), Image.Resampling.LANCZOS)) / 255
    except FileNotFoundError:
        raise StageError(f"{path} is not there; allowed: an image file") from None
    except (UnidentifiedImageError, OSError) as error:
        raise StageError(f"{path} cannot be read as an image: {error}") from None


if __name__ == "__main__":
    stage.run(main)
