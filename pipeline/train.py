"""Stage train: fit one network from one seed, as study A does: SGD, step schedule, the last epoch counts.

    python -m pipeline.train resnet20 0

Writes data/models/resnet20-0/{weights.safetensors, history.csv} and reports/runs/resnet20-0/environment.json (times
and hardware; of all that is deterministic only the report reads it, to warn where runs differ). After a kill the same
command goes on from the last checkpoint, to the same bits. A run whose training loss is not finite ends early; the
history's last row shows it. How long an epoch takes is in README.md. To expect after 200 epochs: 8.05 % test error of
resnet20 (study A).
"""

from contextlib import nullcontext
from typing import Any

import pandas as pd
import torch

from pipeline import stage
from pipeline.compute import device, distributed
from pipeline.compute.distributed import World
from pipeline.compute.inference import Inputs, Scorer
from pipeline.data import cifar, loading
from pipeline.data.loading import Images
from pipeline.networks.network import Network, build
from pipeline.networks.weights import load_weights, save_weights
from pipeline.settings import params
from pipeline.settings.datasets import DATASETS
from pipeline.stage import WEIGHTS, Run, StageError
from pipeline.training.checkpoint import Scratch, code
from pipeline.training.loop import fit
from pipeline.training.trainer import Trainer


def main() -> None:
    run = stage.arguments(__doc__)
    settings = params.load()
    arch = settings.network(run.variant)
    compute = device.prepare(settings, settings.precision)
    with distributed.world(compute.device) as world:
        if world.size != settings.processes:
            raise StageError(
                f"processes is {settings.processes} in params.yaml; allowed: what was started, {world.size}"
            )
        train, test = loading.load(run.data, settings.dataset, run.seed, settings.image_size)
        train, val = loading.split(train, settings.train_size, settings.val_size)
        norm_layer = world.norm_layer(settings.sync_batchnorm, compute.device)
        network = build(arch, run.seed, norm_layer).to(compute.device)
        if arch.start == "random":
            mean, std = loading.statistics(train.images)
        else:  # what it was trained with stays
            mean, std = load_weights(network, stage.STARTS / run.variant / WEIGHTS, classifier=False)
        inputs = Inputs.of(mean, std, compute.device)
        trainer = make_trainer(network, train, inputs, compute, settings, world)

        scratch = Scratch(run.name, facts(run, settings, compute, world))
        with scratch if world.first else nullcontext():
            if world.first:
                scratch.compare()
            scorers = {
                part: Scorer(network, images.to(compute.device), inputs, compute, trainer.captures)
                for part, images in (("val", val), ("test", test))
                if world.first and len(images)
            }
            progress = fit(trainer, settings, run.seed, scorers, scratch, device.environment(compute, world.size))
            if world.first:
                model = stage.MODELS / run.name
                save_weights(network.state_dict(), model / WEIGHTS, mean, std)
                stage.write(model / "history.csv", pd.DataFrame(progress.history).to_csv(index=False, na_rep="nan"))
                stage.write_json(stage.RUNS / run.name / "environment.json", {"sessions": progress.sessions})
                scratch.remove()


def facts(run: Run, settings: params.Params, compute: device.Compute, world: World) -> dict[str, Any]:
    """All that decides the bits of a run's result: what a checkpoint must have been made with to be gone on from.

    Not the number of cores, the version of Python, the driver or the system. Raises StageError if data is missing.
    """
    arch = settings.network(run.variant)
    found = {"variant": run.variant, "seed": run.seed, "arch": arch.model_dump()}
    found["params"] = settings.model_dump(exclude={"seeds", "variants", "arch"})
    found["data"] = cifar.content_sha256(run.data, DATASETS[settings.dataset].files)
    if arch.start != "random":
        found["start"] = cifar.content_sha256(stage.STARTS / run.variant, [WEIGHTS])
    return found | device.deciding(compute, world.size) | {"code": code()}


def make_trainer(
    network: Network,
    train: Images,
    inputs: Inputs,
    compute: device.Compute,
    settings: params.Params,
    world: World,
) -> Trainer:
    """`network` with SGD over all that is not frozen (weight decay on batch norm and bias too) and its padded images.

    Raises StageError if a batch has fewer images than there are processes.
    """
    optimiser = torch.optim.SGD(
        [parameter for parameter in network.parameters() if parameter.requires_grad],
        lr=settings.lr,
        momentum=settings.momentum,
        nesterov=settings.nesterov,
        weight_decay=settings.weight_decay,
        fused=True,  # the one that takes a rate which lies on the device
    )
    train = train.to(compute.device)
    padded = loading.pad(train.images, settings.crop_padding)
    trainer = Trainer(
        network,
        optimiser,
        padded,
        train.images.shape[1],
        train.labels,
        inputs,
        compute,
        settings.batch_size,
        settings.label_smoothing,
        world,
    )
    smallest = min(trainer.sizes())
    if smallest < world.size:
        raise StageError(
            f"a batch of {smallest} images is too small for {world.size} processes; allowed: up to {smallest}"
        )
    return trainer


if __name__ == "__main__":
    stage.run(main)
