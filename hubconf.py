"""The trained networks of the main study for torch.hub, with the committed weights.

    network = torch.hub.load(REPO, "resnet20")
    logits = network(images)  # float (N, 3, 32, 32), RGB from 0 to 1; network.classes are the names in order

REPO is OWNER/NAME on GitHub, or with source="local" a folder. weights/README.md says what to expect of each.
"""

from pipeline.pretrained.classifier import Classifier as _Classifier
from pipeline.pretrained.classifier import committed as _committed

dependencies = ["numpy", "pydantic", "ruamel.yaml", "safetensors", "torch"]


def plain20(seed: int = 0) -> _Classifier:
    """20 layers without shortcuts, 269,722 parameters."""
    return _committed("plain20", seed)


def resnet20(seed: int = 0) -> _Classifier:
    """20 layers with projection shortcuts (option B), 272,474 parameters."""
    return _committed("resnet20", seed)


def plain56(seed: int = 0) -> _Classifier:
    """56 layers without shortcuts, 853,018 parameters."""
    return _committed("plain56", seed)


def resnet56(seed: int = 0) -> _Classifier:
    """56 layers with projection shortcuts (option B), 855,770 parameters."""
    return _committed("resnet56", seed)
