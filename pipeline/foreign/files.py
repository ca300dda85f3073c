"""Weights under others' names: torchvision's and the usual CIFAR networks', brought to ours."""

import pickle
import re
import struct
from collections.abc import Mapping
from pathlib import Path

import torch
from safetensors import SafetensorError
from safetensors.torch import load_file
from torch import Tensor

from pipeline.stage import StageError

RENAMED = (  # what others call it, what we do
    (re.compile(r"^module\."), ""),
    (re.compile(r"\.downsample\."), ".shortcut."),
    (re.compile(r"^linear\."), "fc."),
)
SHOWN = 5  # names in a refusal
DAMAGED = (  # what readers raise at files that are cut off or of another kind
    SafetensorError, pickle.UnpicklingError, struct.error,
    RuntimeError, EOFError, ValueError, LookupError, AssertionError,
)  # fmt: skip


def read(path: Path) -> dict[str, Tensor]:
    """The tensors of a state_dict by our names, from a safetensors file or one of torch's; nothing in it is run.

    Raises StageError if the file is missing, is neither, or holds a tensor by two names.
    """
    if path.is_dir():
        raise StageError(f"{path} is a folder; allowed: a file with a network's state_dict")
    try:
        tensors = load_file(path) if path.suffix == ".safetensors" else _torch_file(path)
    except FileNotFoundError:
        raise StageError(f"{path} is not there; allowed: a file with a network's state_dict") from None
    except DAMAGED as error:
        raise StageError(
            f"{path} is no state_dict in safetensors or torch's format: {' '.join(str(error).split())[:200]}"
        ) from None
    ours: dict[str, Tensor] = {}
    for name, tensor in tensors.items():
        if renamed(name) in ours:
            raise StageError(f"{path} holds {renamed(name)} twice, once as {name}; allowed: one network's state_dict")
        ours[renamed(name)] = tensor
    return ours


def _torch_file(path: Path) -> dict[str, Tensor]:
    content = torch.load(path, map_location="cpu", weights_only=True)
    if isinstance(content, Mapping) and isinstance(content.get("state_dict"), Mapping):
        content = content["state_dict"]  # a checkpoint that holds more than the weights
    if not isinstance(content, Mapping) or not all(
        isinstance(name, str) and isinstance(value, Tensor) for name, value in content.items()
    ):
        raise ValueError("it does not map names to tensors")
    return dict(content)


def renamed(name: str) -> str:
    """A tensor's name among ours."""
    for pattern, ours in RENAMED:
        name = pattern.sub(ours, name)
    return name


def same_tensors(given: Mapping[str, Tensor], wanted: Mapping[str, Tensor], source: Path | str) -> None:
    """Raise StageError, with a list, unless both have the same names and shapes; nothing is ever used in part.

    Batch norm's count of steps, which older files lack, may be missing.
    """
    optional = {name for name in wanted if name.endswith("num_batches_tracked")}
    wrong = [f"{name} is missing" for name in wanted if name not in given and name not in optional]
    wrong += [f"{name} is not in the network" for name in given if name not in wanted]
    for name in given:
        if name in wanted and given[name].shape != wanted[name].shape:
            wrong.append(f"{name} is {tuple(given[name].shape)} instead of {tuple(wanted[name].shape)}")
    if wrong:
        more = f" and {len(wrong) - SHOWN} more" if len(wrong) > SHOWN else ""
        raise StageError(f"{source} holds another network: {'; '.join(wrong[:SHOWN])}{more}")
