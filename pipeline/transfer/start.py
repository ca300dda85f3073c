"""Stage start: the weights that a variant's runs begin with, all but the classifier's.

    cd studies/transfer
    export PYTHONPATH=../..
    python -m pipeline.transfer.start cifar10 --model ../pretraining/data/models/resnet14-0 \\
        --record ../pretraining/reports/runs/resnet14-0/metrics.json
    RESNET50_WEIGHTS=resnet50-0676ba61.pth python -m pipeline.transfer.start imagenet

What a variant starts from is its `start` under arch: `cifar10`, a network of our own that was trained on CIFAR-10, as
its record says; `imagenet`, torchvision's ResNet-50 (IMAGENET1K_V1, 76.1 % top-1 accuracy), fetched from torch's server
(98 MB) unless $RESNET50_WEIGHTS says where the same file is; `random`, nothing. Other weights are refused, unless the
images are generated. Writes data/starts/cifar10/weights.safetensors, with the input statistics that go with them, and
what they are and their hash to source.json beside them and reports/starts/cifar10.json. Some seconds.
"""

import argparse
import hashlib
import json
import tempfile
from pathlib import Path

from torchvision.models import ResNet50_Weights

from pipeline import stage
from pipeline.acquire import fetching
from pipeline.foreign import files
from pipeline.networks.network import Network
from pipeline.networks.weights import load_weights, save_weights, without_classifier
from pipeline.settings import params
from pipeline.settings.architecture import Arch
from pipeline.settings.datasets import GENERATED
from pipeline.stage import WEIGHTS, StageError

IMAGENET = ResNet50_Weights.IMAGENET1K_V1
IMAGENET_SHA256 = "0676ba61"  # its first digits, which torchvision puts into the file's name
MEAN, STD = [0.485, 0.456, 0.406], [0.229, 0.224, 0.225]  # of ImageNet, with which torchvision trained


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("variant", help="a name under arch in params.yaml")
    parser.add_argument("--model", type=Path, help="the folder of a network trained on CIFAR-10")
    parser.add_argument("--record", type=Path, help="the metrics.json of its run")
    args = parser.parse_args()
    settings = params.load()
    arch = settings.network(args.variant)
    generated = settings.dataset in GENERATED
    folder = stage.STARTS / args.variant
    source = {"start": arch.start}
    if arch.start == "cifar10":
        if not (args.model and args.record):
            parser.error(f"{args.variant} starts from a network trained on CIFAR-10: --model and --record are needed")
        source |= from_cifar10(arch, args.model / WEIGHTS, args.record, folder, generated)
    elif arch.start == "imagenet":
        source |= from_imagenet(arch, folder, generated)
    for path in (folder / "source.json", Path("reports/starts") / f"{args.variant}.json"):
        stage.write_json(path, source)
    print(f"{args.variant} starts from {source.get('identity', 'random weights')}")


def from_cifar10(arch: Arch, path: Path, record: Path, folder: Path, generated: bool) -> dict[str, str]:
    """Take over the weights of our own network at `path`; what they are.

    Raises StageError if they do not fit, or learned from generated images and `generated` is false.
    """
    try:
        data = json.loads(record.read_text())["data"]["dataset"]
    except (FileNotFoundError, ValueError, KeyError):
        raise StageError(f"{record} is missing or damaged: it says what {path.parent.name} was trained on") from None
    if data in GENERATED and not generated:
        raise StageError(f"{path.parent.name} was trained on {data}, generated images; allowed here: cifar10")
    network = Network(arch.model_copy(update={"classes": 10, "frozen": False}))
    mean, std = load_weights(network, path)
    save_weights(without_classifier(network.state_dict()), folder / WEIGHTS, mean, std)
    return {
        "identity": f"our own {path.parent.name}, trained on {data}",
        "sha256": hashlib.sha256(path.read_bytes()).hexdigest(),
    }


def from_imagenet(arch: Arch, folder: Path, generated: bool) -> dict[str, str]:
    """Take over torchvision's ResNet-50; what it is.

    Raises StageError if it cannot be had, does not fit, or is another file and `generated` is false.
    """
    given = fetching.located("RESNET50_WEIGHTS", "")
    with tempfile.TemporaryDirectory() as temporary:
        path = Path(given) if given else Path(temporary) / Path(IMAGENET.url).name
        if not given:
            fetching.download(IMAGENET.url, path, "RESNET50_WEIGHTS")
        tensors = without_classifier(files.read(path))
        sha256 = hashlib.sha256(path.read_bytes()).hexdigest()
    wanted = without_classifier(Network(arch).state_dict())
    files.same_tensors(tensors, wanted, given or IMAGENET.url)
    official = sha256.startswith(IMAGENET_SHA256)
    if not official and not generated:
        raise StageError(
            f"{given or IMAGENET.url} is not torchvision's {IMAGENET} (sha256 {sha256}), which begins with "
            f"{IMAGENET_SHA256}"
        )
    save_weights(wanted | tensors, folder / WEIGHTS, MEAN, STD)
    identity = f"torchvision's {IMAGENET}" if official else f"weights that are not torchvision's {IMAGENET}"
    return {"identity": identity, "sha256": sha256}


if __name__ == "__main__":
    stage.run(main)
