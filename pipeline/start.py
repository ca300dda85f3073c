"""Stage start: the weights that a variant's runs begin with, all but the classifier's.

    python -m pipeline.start cifar10 --cifar10 ../pretraining/data/models/resnet14-0
    RESNET50_WEIGHTS=resnet50-0676ba61.pth python -m pipeline.start imagenet

What a variant starts from is its `start` under arch: `cifar10`, a network of our own that was trained on CIFAR-10;
`imagenet`, torchvision's ResNet-50 (IMAGENET1K_V1, 76.1 % top-1 accuracy), fetched from torch's server (98 MB) unless
$RESNET50_WEIGHTS says which file to take; `random`, nothing. Writes data/starts/cifar10/weights.safetensors, with the
input statistics that go with them, and what they are and their hash to source.json beside them and
reports/starts/cifar10.json. Some seconds.
"""

import argparse
import hashlib
import os
import tempfile
from pathlib import Path

from torchvision.models import ResNet50_Weights

from pipeline import foreign, networks, params, sources, stage
from pipeline.arch import Arch
from pipeline.stage import WEIGHTS

IMAGENET = ResNet50_Weights.IMAGENET1K_V1
IMAGENET_SHA256 = "0676ba61"  # its first digits, which torchvision puts into the file's name
MEAN, STD = [0.485, 0.456, 0.406], [0.229, 0.224, 0.225]  # of ImageNet, with which torchvision trained


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("variant", help="a name under arch in params.yaml")
    parser.add_argument("--cifar10", type=Path, required=True, help="the folder of a network trained on CIFAR-10")
    args = parser.parse_args()
    settings = params.load()
    arch = settings.network(args.variant)
    folder = stage.STARTS / args.variant
    source = {"start": arch.start}
    if arch.start == "cifar10":
        source |= from_cifar10(arch, args.cifar10 / WEIGHTS, folder)
    elif arch.start == "imagenet":
        source |= from_imagenet(arch, folder)
    for path in (folder / "source.json", Path("reports/starts") / f"{args.variant}.json"):
        stage.write_json(path, source)
    print(f"{args.variant} starts from {source.get('identity', 'random weights')}")


def from_cifar10(arch: Arch, path: Path, folder: Path) -> dict[str, str]:
    """Take over the weights of our own network at `path`; what they are. Raises StageError if they do not fit."""
    network = networks.Network(arch.model_copy(update={"classes": 10, "frozen": False}))
    mean, std = networks.load_weights(network, path)
    networks.save_weights(networks.without_classifier(network.state_dict()), folder / WEIGHTS, mean, std)
    identity = f"our own network trained on CIFAR-10, {path.parent.name}"
    return {"identity": identity, "sha256": hashlib.sha256(path.read_bytes()).hexdigest()}


def from_imagenet(arch: Arch, folder: Path) -> dict[str, str]:
    """Take over torchvision's ResNet-50; what it is. Raises StageError if it cannot be had, or does not fit."""
    given = os.environ.get("RESNET50_WEIGHTS")
    with tempfile.TemporaryDirectory() as temporary:
        path = Path(given) if given else Path(temporary) / Path(IMAGENET.url).name
        if not given:
            sources.download(IMAGENET.url, path, "RESNET50_WEIGHTS")
        tensors = networks.without_classifier(foreign.read(path))
        sha256 = hashlib.sha256(path.read_bytes()).hexdigest()
    wanted = networks.without_classifier(networks.Network(arch).state_dict())
    foreign.same_tensors(tensors, wanted, given or IMAGENET.url)
    networks.save_weights(wanted | tensors, folder / WEIGHTS, MEAN, STD)
    official = sha256.startswith(IMAGENET_SHA256)
    identity = (
        "torchvision's ResNet-50 for ImageNet" if official else "weights that are not torchvision's published ones"
    )
    return {"identity": identity, "sha256": sha256}


if __name__ == "__main__":
    stage.run(main)
