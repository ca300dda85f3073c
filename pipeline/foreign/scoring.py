"""Weights that others trained, on our test images: what evaluate does with --weights, to check a published error.

Always in fp32, whatever params.yaml says of precision, since published errors are fp32 ones. Nothing is written.
Identity shortcuts have no weights, so a file looks the same with and without them: --arch and --shortcut decide.
"""

import argparse
import math
import re
from pathlib import Path
from typing import NamedTuple, get_args

import torch
from torch import Tensor, nn

from pipeline import stage
from pipeline.compute import device, inference
from pipeline.compute.inference import Inputs
from pipeline.data import loading
from pipeline.foreign import files
from pipeline.foreign.files import SHOWN
from pipeline.networks.network import Network, parameter_count
from pipeline.settings import params
from pipeline.settings.architecture import Arch
from pipeline.settings.datasets import DATASETS
from pipeline.settings.params import Params
from pipeline.stage import StageError

USAGE = """python -m pipeline.evaluate variant seed [--data FOLDER]
       python -m pipeline.evaluate --weights FILE --arch NAME [--shortcut KIND]
                                   [--mean R G B --std R G B] [--data FOLDER]"""
SHORTCUTS = get_args(Arch.model_fields["shortcut"].annotation)


def arguments(doc: str | None) -> argparse.Namespace:
    """The command line with --weights, or one without, left to stage.arguments; exits if it is of neither form."""
    parser = _parser(doc)
    args, others = parser.parse_known_args()
    if args.weights is None:
        for option in ("arch", "shortcut", "mean", "std"):
            if getattr(args, option) is not None:
                parser.error(f"--{option} goes with --weights FILE alone")
    elif others:
        parser.error(f"--weights FILE does not go with {' '.join(others)}")
    elif args.arch is None:
        parser.error("--weights FILE takes --arch NAME")
    elif (args.mean is None) != (args.std is None):
        parser.error("--mean R G B and --std R G B are given both or neither")
    return args


def _parser(doc: str | None) -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(usage=USAGE, description=doc, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument(
        "--data", type=Path, default=stage.DATA, metavar="FOLDER", help=f"the folder with the data set ({stage.DATA})"
    )
    parser.add_argument_group(
        "a run of our own", "variant: a name under arch in params.yaml; seed: a whole number from 0 up"
    )
    theirs = parser.add_argument_group("weights of others", "scored in fp32, and the result printed, not written")
    theirs.add_argument("--weights", type=Path, metavar="FILE", help="a state_dict, of safetensors or of torch")
    theirs.add_argument(
        "--arch", metavar="NAME", help="a name under arch in params.yaml, or plainN or resnetN with N = 6n+2"
    )
    theirs.add_argument("--shortcut", choices=SHORTCUTS, help="of NAME; needed unless params.yaml or the name says it")
    for option in ("--mean", "--std"):
        text = "what inputs were normalised by in training, on the 0-1 scale (those of our training images)"
        theirs.add_argument(option, type=float, nargs=3, metavar=("R", "G", "B"), help=text)
    return parser


class Scored(NamedTuple):
    """What weights of others make of the test images: `logits` (N, classes) of images with `labels` (N,)."""

    parameters: int
    mean: list[float]
    std: list[float]
    precision: str
    logits: Tensor
    labels: Tensor


def main(args: argparse.Namespace) -> None:
    settings = params.load()
    sizes = DATASETS[settings.dataset]
    if sizes.split_by_seed:
        allowed = ", ".join(name for name, sizes in DATASETS.items() if not sizes.split_by_seed)
        raise StageError(
            f"dataset is {settings.dataset}, which every seed splits anew; allowed with --weights: {allowed}"
        )
    check_statistics(args.mean, args.std)
    arch = described(args.arch, args.shortcut, settings)
    found = score(args.weights, arch, args.mean, args.std, settings, args.data)
    source = "as given" if args.mean else "of the training images"
    rows = {
        "file": args.weights,
        "network": f"{args.arch}, {arch.layers} layers, shortcut {arch.connection}",
        "parameters": f"{found.parameters:,}",
        "input mean": f"{' '.join(f'{value:.6g}' for value in found.mean)} ({source})",
        "input std": f"{' '.join(f'{value:.6g}' for value in found.std)} ({source})",
        "precision": found.precision,
        "test images": f"{len(found.labels):,} of {settings.dataset}",
    }
    rows |= scores(found.logits, found.labels, sizes.classes)
    width = 2 + max(map(len, rows))
    print("\n".join(f"{name:<{width}}{value}" for name, value in rows.items()))


def score(
    weights: Path, arch: Arch, mean: list[float] | None, std: list[float] | None, settings: Params, data: Path
) -> Scored:
    """What a network of `arch` with the `weights` makes of the test images in the folder `data`, in fp32.

    Without `mean` and `std` inputs are normalised as our training images are. Raises StageError if the file or the
    data are missing, or the file does not fit.
    """
    network = Network(arch)
    fill(network, weights)
    train, test = loading.load(data, settings.dataset, seed=0)
    if mean is None or std is None:
        mean, std = loading.statistics(train.images)
    compute = device.prepare(settings, "fp32")
    test = test.to(compute.device)
    network = network.to(compute.device, memory_format=torch.channels_last)
    logits = inference.predict(network, test.images, Inputs.of(mean, std, compute.device), compute)
    return Scored(parameter_count(network), mean, std, compute.precision, logits, test.labels)


def check_statistics(mean: list[float] | None, std: list[float] | None) -> None:
    """Raise StageError unless both are missing or inputs on the 0-1 scale may have them."""
    for option, values, span in (("--mean", mean, "from 0 to 1"), ("--std", std, "above 0, at most 1")):
        if values and not all(0 <= value <= 1 and (value or option == "--mean") for value in values):
            given = " ".join(f"{value:g}" for value in values)
            raise StageError(f"{option} is {given}; allowed: three numbers {span}; the scale is 0-1, not 0-255")


def described(name: str, shortcut: str | None, settings: Params) -> Arch:
    """The network `name`, under arch or else of the paper, with `shortcut` in place of its own if that is given.

    One of the paper has as many classes as the data set. Raises StageError if there is no such network, or the two
    contradict each other.
    """
    given = settings.model_dump(exclude_unset=True)
    known = given["arch"]
    paper = re.fullmatch(r"(plain|resnet)(\d+)", name)
    if name not in known and not paper:
        raise StageError(f"--arch is {name}; allowed: {', '.join(known)}, and plainN or resnetN with N = 6n+2")
    if name.startswith("plain") and shortcut not in (None, "none"):
        raise StageError(f"--shortcut is {shortcut} with --arch {name}; allowed with a plain network: none")
    if name.startswith("resnet") and shortcut == "none":
        raise StageError(f"--shortcut is none with --arch {name}; allowed: identity and projection")
    if name not in known and name.startswith("resnet") and shortcut is None:
        raise StageError(f"--arch {name} is not in params.yaml and takes --shortcut; allowed: identity and projection")
    classes = len(DATASETS[settings.dataset].classes)
    entry = known[name] if name in known else {"depth": int(paper[2]), "shortcut": "none", "classes": classes}
    if shortcut:
        entry = entry | {"shortcut": shortcut}
    return params.parse(given | {"variants": [name], "arch": {name: entry}}).network(name)


def fill(network: nn.Module, path: Path) -> None:
    """Load the state_dict at `path`, by others' names or ours, in float32.

    Raises StageError, and loads nothing, if names or shapes are not the network's, or a value is no finite float.
    """
    wanted, given = network.state_dict(), files.read(path)
    files.same_tensors(given, wanted, path)
    tensors = {name: tensor.to(wanted[name].dtype) for name, tensor in given.items()}
    broken = [name for name, tensor in tensors.items() if not tensor.isfinite().all()]
    broken += [name for name in given if wanted[name].is_floating_point() and not given[name].is_floating_point()]
    if broken:
        more = f" and {len(broken) - SHOWN} more" if len(broken) > SHOWN else ""
        raise StageError(f"{path} has values that are no finite float32 in {', '.join(broken[:SHOWN])}{more}")
    network.load_state_dict(wanted | tensors)


def scores(logits: Tensor, labels: Tensor, classes: tuple[str, ...]) -> dict[str, str]:
    """Error with its binomial standard error, loss, and error by class, of logits (N, C), as lines to print."""
    loss, error = inference.score(logits, labels)
    standard_error = math.sqrt(error * (100 - error) / len(labels))
    rows = {
        "test error": f"{error:.2f} % (binomial standard error {standard_error:.2f})",
        "test loss": f"{loss:.4f}",
    }
    wrong = (logits.argmax(1) != labels).double()
    by_class = [100 * wrong[labels == index].mean().item() for index in range(len(classes))]
    return rows | {f"error, {name}": f"{value:.2f} %" for name, value in zip(classes, by_class, strict=True)}
