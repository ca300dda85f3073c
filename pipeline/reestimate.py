"""Stage reestimate: the errors of one trained network, and those with batch norm's statistics estimated anew.

    python -m pipeline.reestimate slow 2 --data ../transfer/data/flowers17

In training batch norm uses the mean and variance of each batch, in tests running averages of these. After few steps of
a small `bn_momentum` the averages are still near their start, 0 and 1. So they are replaced by the mean over one pass
through the training images, unaugmented, in batches of `batch_size`, weights untouched
(torch.optim.swa_utils.update_bn). Writes reports/runs/slow-2/reestimate.json, in percent and in fp32:

    train_error_eval         error on the training images as it is tested, with the running averages
    train_error_reestimated  the same with the statistics estimated anew
    test_error_reestimated   likewise on the test images
    reestimation_gain        by how many points that is below the error with the running averages

Some seconds.
"""

import torch
from torch.optim.swa_utils import update_bn

from pipeline import stage
from pipeline.compute import device, inference
from pipeline.compute.inference import Inputs
from pipeline.data import loading
from pipeline.networks.network import Network
from pipeline.networks.weights import load_weights
from pipeline.settings import params
from pipeline.stage import WEIGHTS, StageError


def main() -> None:
    run = stage.arguments(__doc__)
    settings = params.load()
    arch = settings.network(run.variant)
    if arch.frozen:
        raise StageError(
            f"arch.{run.variant}.frozen is true; allowed: false, since frozen statistics are those of the start"
        )
    compute = device.prepare(settings, "fp32")
    train, test = loading.load(run.data, settings.dataset, run.seed, settings.image_size)
    train, _ = loading.split(train, settings.train_size, settings.val_size)
    train, test = train.to(compute.device), test.to(compute.device)
    network = Network(arch)
    mean, std = load_weights(network, stage.MODELS / run.name / WEIGHTS)
    network = network.to(compute.device, memory_format=torch.channels_last)
    inputs = Inputs.of(mean, std, compute.device)

    def errors() -> list[float]:
        return [
            inference.score(inference.predict(network, part.images, inputs, compute), part.labels)[1]
            for part in (train, test)
        ]

    before = errors()
    update_bn((inputs(batch) for batch in train.images.split(settings.batch_size)), network)
    after = errors()
    found = {
        "train_error_eval": before[0],
        "train_error_reestimated": after[0],
        "test_error_reestimated": after[1],
        "reestimation_gain": before[1] - after[1],
    }
    stage.write_json(stage.RUNS / run.name / "reestimate.json", {key: round(value, 6) for key, value in found.items()})
    print(f"{run.name}: test error {before[1]:.2f} %, with statistics estimated anew {after[1]:.2f} %")


if __name__ == "__main__":
    stage.run(main)
