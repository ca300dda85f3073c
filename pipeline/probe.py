"""Stage probe: how gradients and responses go through one network, before training and after it.

    python -m pipeline.probe resnet20 0

On the same training images, unaugmented, batch norm with the statistics of these images: for the weights of
every convolution and of the classifier the norm of their gradient (claim: shortcuts keep the gradient flowing to the
early layers), and for every 3x3 layer the standard deviation of its response before the addition and the ReLU, after
batch norm where that follows (He et al. 2016, Figure 7). Writes reports/runs/resnet20-0/{gradients.csv,
responses.csv}, a row a layer and state (initial, trained) with the number of images, and probe.json:

    train_error_eval        error in percent on all training images as it is tested: not augmented, batch norm with its
                            running statistics (the history's training error is a running one, on augmented images)
    gradient_reach_initial  mean log10 of the gradient norm over the first third of the 3x3 layers minus that over the
    gradient_reach          last third, in decades, before training and after it
    response_std            mean over 3x3 layers, after training
    identity_deviation      by how much a trained block whose residual branch is set to zero differs at most from the
                            identity, over the blocks that keep the shape; null without shortcuts

All of it in fp32, on any machine. Most of the time goes into the error on 50,000 images.
"""

import copy
import math
from collections.abc import Callable

import numpy as np
import pandas as pd
import torch
import torch.nn.functional as F
from torch import Tensor, nn

from pipeline import stage
from pipeline.compute import device, inference
from pipeline.compute.inference import Inputs
from pipeline.data import loading
from pipeline.data.loading import Images
from pipeline.networks.blocks import Block
from pipeline.networks.network import Network, build
from pipeline.networks.weights import load_weights
from pipeline.settings import params
from pipeline.stage import WEIGHTS

IMAGES = 500  # on which gradients and responses are taken
Work = Callable[[nn.Module, Images, Inputs], pd.DataFrame]


def main() -> None:
    run = stage.arguments(__doc__)
    settings = params.load()
    compute = device.prepare(settings, "fp32")
    arch = settings.network(run.variant)
    train, _ = loading.load(run.data, settings.dataset, run.seed, settings.image_size)
    train, _ = loading.split(train, settings.train_size, settings.val_size)
    train = train.to(compute.device)
    trained = Network(arch)
    mean, std = load_weights(trained, stage.MODELS / run.name / WEIGHTS)
    inputs = Inputs.of(mean, std, compute.device)
    states = {"initial": build(arch, run.seed), "trained": trained}
    states = {when: network.to(compute.device, memory_format=torch.channels_last) for when, network in states.items()}
    few = train[torch.arange(min(IMAGES, len(train)), device=compute.device)]

    rows = {name: every(work, states, few, inputs) for name, work in WORK.items()}
    logits = inference.predict(trained, train.images, inputs, compute)
    summary = {"train_error_eval": inference.score(logits, train.labels)[1]} | summarise(**rows)
    summary["identity_deviation"] = identity_deviation(trained, few, inputs)
    folder = stage.RUNS / run.name
    for name, table in rows.items():
        stage.write(folder / f"{name}.csv", table.to_csv(index=False, float_format="%.6g", lineterminator="\n"))
    stage.write_json(folder / "probe.json", {key: number(value) for key, value in summary.items()})
    print(f"{run.name}: {summary['train_error_eval']:.2f} % error on its {len(train):,} training images, as tested")


def every(work: Work, states: dict[str, nn.Module], images: Images, inputs: Inputs) -> pd.DataFrame:
    """What `work` finds of each state of the network, a copy of which it may spoil."""
    tables = []
    for when, network in states.items():
        table = work(copy.deepcopy(network).train(), images, inputs)
        table.insert(0, "when", when)
        table["images"] = len(images)
        tables.append(table)
    return pd.concat(tables)


def gradients(network: nn.Module, images: Images, inputs: Inputs) -> pd.DataFrame:
    """A row a layer that the papers count, from the input on: the norm of its weights' gradient."""
    network.requires_grad_(True).zero_grad()
    F.cross_entropy(network(inputs(images.images)), images.labels).backward()
    rows = []
    for layer, (name, module) in enumerate(layers(network), 1):
        rows.append({"layer": layer, "name": name, "gradient": module.weight.grad.norm().item()})
    return pd.DataFrame(rows)


@torch.no_grad()
def responses(network: nn.Module, images: Images, inputs: Inputs) -> pd.DataFrame:
    """A row a 3x3 layer, from the input on: the standard deviation of what it gives out, its batch norm included."""
    rows: list[dict[str, object]] = []

    def watch(name: str) -> None:
        def note(module: nn.Module, given: object, response: Tensor) -> None:
            rows.append({"layer": len(rows) + 1, "name": name, "std": response.float().std().item()})

        network.get_submodule(normed(network, name)).register_forward_hook(note)

    for name in middle(network):
        watch(name)
    network(inputs(images.images))
    return pd.DataFrame(rows, columns=["layer", "name", "std"])


WORK: dict[str, Work] = {"gradients": gradients, "responses": responses}


def layers(network: nn.Module) -> list[tuple[str, nn.Module]]:
    """The layers that the papers count, by name, from the input on: convolutions but the shortcuts', the classifier."""
    return [
        (name, module)
        for name, module in network.named_modules()
        if isinstance(module, nn.Conv2d | nn.Linear) and "shortcut" not in name and "excitation" not in name
    ]


def middle(network: nn.Module) -> list[str]:
    """The names of the 3x3 layers, from the input on."""
    return [name for name, module in layers(network) if getattr(module, "kernel_size", None) == (3, 3)]


def normed(network: nn.Module, name: str) -> str:
    """The batch norm that follows the convolution `name`; where none does before the next layer, the convolution."""
    names = [each for each, module in network.named_modules() if isinstance(module, nn.Conv2d | nn.BatchNorm2d)]
    after = names[names.index(name) + 1 :][:1]
    return after[0] if after == [name.replace("conv", "bn")] else name


def reach(gradients: pd.DataFrame, names: list[str]) -> float:
    """Mean log10 of the gradient norm over the first third of layers `names` less that over the last, in decades."""
    with np.errstate(divide="ignore"):
        decades = np.log10(gradients.loc[gradients["name"].isin(names), "gradient"].to_numpy())
    third = max(1, len(decades) // 3)
    return float(decades[:third].mean() - decades[-third:].mean())


def summarise(gradients: pd.DataFrame, responses: pd.DataFrame) -> dict[str, float]:
    """The measures of both tables."""
    names = responses["name"].unique().tolist()
    by_state = {when: reach(rows, names) for when, rows in gradients.groupby("when")}
    std = responses.loc[responses["when"] == "trained", "std"].mean()
    return {
        "gradient_reach_initial": by_state["initial"],
        "gradient_reach": by_state["trained"],
        "response_std": float(std),
    }


@torch.no_grad()
def identity_deviation(network: nn.Module, images: Images, inputs: Inputs) -> float | None:
    """The largest difference between what goes in and out of a block whose branch is zero; None without such a block.

    He et al. 2016, section 3.1: were the identity optimal, the branch would be pushed to zero.
    """
    network, found = copy.deepcopy(network).eval(), []
    for block in network.modules():
        if isinstance(block, Block) and not block.plain and block.identity:
            for parameter in block.last().parameters():
                nn.init.zeros_(parameter)
            block.register_forward_hook(lambda _, given, out: found.append((out - given[0]).abs().max().item()))
    network(inputs(images.images))
    return max(found) if found else None


def number(value: float | None) -> float | None:
    """`value` to six decimals; None if it is not finite, which JSON cannot say."""
    return round(value, 6) if value is not None and math.isfinite(value) else None


if __name__ == "__main__":
    stage.run(main)
