"""Stage initial: how the gradient goes through a network before any training, over eight seeds.

    python -m pipeline.initial plain56

Before training seeds cost nothing, so there are more of them than runs. As for the `initial` rows of probe: the norm
of the gradient of each layer's weights on the same training images, unaugmented, in fp32, batch norm with the
statistics of these images. Writes reports/initial/plain56.csv, a row a seed: gradient_reach, the mean log10 of the
norm over the first third of the 3x3 layers less that over the last third, in decades.
"""

import argparse
from pathlib import Path

import pandas as pd
import torch

from pipeline import probe, stage
from pipeline.compute import device
from pipeline.compute.inference import Inputs
from pipeline.data import loading
from pipeline.data.loading import Images
from pipeline.networks.network import build
from pipeline.settings import params

SEEDS = range(8)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("variant", help="a name under arch in params.yaml")
    parser.add_argument("--data", type=Path, default=stage.DATA, help=f"the folder with the data set ({stage.DATA})")
    args = parser.parse_args()
    settings = params.load()
    arch = settings.network(args.variant)
    compute = device.prepare(settings, "fp32")
    train, _ = loading.load(args.data, settings.dataset, 0, settings.image_size)
    train, _ = loading.split(train, settings.train_size, settings.val_size)
    inputs = Inputs.of(*loading.statistics(train.images), compute.device)
    few = Images(train.images[: probe.IMAGES], train.labels[: probe.IMAGES]).to(compute.device)
    rows = []
    for seed in SEEDS:
        network = build(arch, seed).to(compute.device, memory_format=torch.channels_last).train()
        found = probe.gradients(network, few, inputs)
        rows.append({"seed": seed, "gradient_reach": probe.reach(found, probe.middle(network)), "images": len(few)})
    table = pd.DataFrame(rows)
    stage.write(stage.INITIAL / f"{args.variant}.csv", table.to_csv(index=False, float_format="%.6g"))
    mean = table["gradient_reach"].mean()
    print(f"{args.variant}: early minus late gradient {mean:+.2f} decades, mean of {len(table)} seeds")


if __name__ == "__main__":
    stage.run(main)
