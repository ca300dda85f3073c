"""A network's weights as a file: safetensors, with the statistics of the images that it was trained on."""

import json
from collections.abc import Mapping
from pathlib import Path

from safetensors import SafetensorError, safe_open
from safetensors.torch import save
from torch import Tensor, nn

from pipeline.stage import StageError, write


def save_weights(tensors: Mapping[str, Tensor], path: Path, mean: list[float], std: list[float]) -> None:
    """Write a state_dict as safetensors, with the input statistics (0-1 scale, RGB) that it was trained with."""
    tensors = {name: tensor.cpu().contiguous() for name, tensor in tensors.items()}
    inputs = json.dumps({"mean": mean, "std": std})  # one entry: safetensors writes several in a random order
    write(path, save(tensors, {"inputs": inputs}))


def without_classifier(tensors: Mapping[str, Tensor]) -> dict[str, Tensor]:
    """All tensors of a network but those of its last layer."""
    return {name: tensor for name, tensor in tensors.items() if not name.startswith("fc.")}


def load_weights(network: nn.Module, path: Path, classifier: bool = True) -> tuple[list[float], list[float]]:
    """Fill `network`, or all of it but its classifier, from `path`; mean and std of its inputs, three numbers each.

    Raises StageError if the file is missing, damaged, or of another network.
    """
    try:
        with safe_open(path, "pt") as file:
            tensors = {name: file.get_tensor(name) for name in file.keys()}  # noqa: SIM118 (not a mapping)
            inputs = json.loads((file.metadata() or {})["inputs"])
        if not classifier:
            tensors |= {"fc.weight": network.fc.weight, "fc.bias": network.fc.bias}
        network.load_state_dict(tensors)
        return inputs["mean"], inputs["std"]
    except FileNotFoundError:
        raise StageError(f"{path} is missing: run `dvc repro` to make it, or `dvc checkout` if it was made") from None
    except (SafetensorError, KeyError, ValueError) as error:
        raise StageError(f"{path} is damaged, no safetensors file of ours: {error}") from None
    except RuntimeError as error:
        raise StageError(f"{path} holds another network: {' '.join(str(error).split())[:300]}") from None
