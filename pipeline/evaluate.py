"""Stage evaluate: what one trained network makes of the test images.

    python -m pipeline.evaluate resnet20 0

Writes reports/runs/resnet20-0/{metrics.json, confusion.csv, predictions.csv, history.csv}, the files of a run that
git keeps: loss and error, error per class, how sure the network is and how rightly, counts of actual against predicted
class (of 20 classes or more without pairs never confused), the actual and the predicted class of each test image in the
order of the file, as numbers from 0 up, and the training history, copied from beside the weights. Always in fp32, so
that weights score the same on any machine up to rounding; the history has what training saw, in its own precision.

    python -m pipeline.evaluate --weights resnet20.th --arch resnet20 --shortcut identity

Writes nothing and prints error, loss and error per class of weights that others trained, to check a published error;
in fp32 too. Names and shapes are the usual ResNet ones, or the file is refused, with a list.
"""

import math
from pathlib import Path

import pandas as pd
import torch
from torch import Tensor

from pipeline import stage
from pipeline.compute import device, inference
from pipeline.compute.confusion import class_error, confusion, confusion_table
from pipeline.compute.inference import Inputs
from pipeline.data import loading
from pipeline.foreign import scoring
from pipeline.networks.network import Network, parameter_count
from pipeline.networks.weights import load_weights
from pipeline.settings import params
from pipeline.settings.datasets import DATASETS
from pipeline.stage import WEIGHTS, Run, StageError


def main() -> None:
    args = scoring.arguments(__doc__)
    if args.weights:
        scoring.main(args)
    else:
        evaluate(stage.arguments(__doc__))


def evaluate(run: Run) -> None:
    """Write what the network of `run` makes of the test images."""
    settings = params.load()
    compute = device.prepare(settings, "fp32")
    network = Network(settings.network(run.variant))
    mean, std = load_weights(network, stage.MODELS / run.name / WEIGHTS)
    network = network.to(compute.device, memory_format=torch.channels_last)
    _, test = loading.load(run.data, settings.dataset, run.seed, settings.image_size)
    test = test.to(compute.device)
    logits = inference.predict(network, test.images, Inputs.of(mean, std, compute.device), compute)
    loss, error = inference.score(logits, test.labels)

    confidence, chosen = logits.double().softmax(1).max(1)
    correct = chosen == test.labels
    actual, predicted = test.labels.cpu().numpy(), logits.argmax(1).cpu().numpy()
    classes = DATASETS[settings.dataset].classes
    counts = confusion(actual, predicted, len(classes))
    history = pd.read_csv(history_file(run.name))
    metrics = {
        "test_error": round(error, 6),
        "test_loss": number(loss),
        "diverged": inference.diverged(history["train_loss"].iloc[-1]),
        "parameters": parameter_count(network),
        "test_images": len(test),
        "confidence": number(100 * confidence.mean().item()),
        "calibration_error": number(calibration_error(confidence, correct)),
        "class_error": dict(zip(classes, class_error(counts).round(6).tolist(), strict=True)),
        "data": loading.provenance(run.data),
    }
    folder = stage.RUNS / run.name
    stage.write(folder / "confusion.csv", confusion_table(counts, classes).to_csv(index=False))
    stage.write(
        folder / "predictions.csv", pd.DataFrame({"actual": actual, "predicted": predicted}).to_csv(index=False)
    )
    stage.write(folder / "history.csv", history_file(run.name).read_bytes())
    stage.write_json(folder / "metrics.json", metrics)
    print(f"{run.name}: test error {error:.2f} %")


def number(value: float) -> float | None:
    """`value` to six decimals; None if it is not finite, which JSON cannot say."""
    return round(value, 6) if math.isfinite(value) else None


def history_file(name: str) -> Path:
    """The training history beside the weights of run `name`. Raises StageError if it is missing."""
    path = stage.MODELS / name / "history.csv"
    if not path.exists():
        raise StageError(f"{path} is missing: run `dvc repro` to train {name}")
    return path


def calibration_error(confidence: Tensor, correct: Tensor, bins: int = 15) -> float:
    """The expected calibration error in percent (Guo et al. 2017, equation 3), of bins of equal width.

    `confidence` (N,) is the probability of the predicted class, `correct` (N,) whether that is the actual one.
    """
    index = (confidence * bins).ceil().long().clamp(1, bins) - 1
    gaps = torch.zeros(bins, dtype=torch.float64, device=confidence.device)
    gaps.index_add_(0, index, confidence.double() - correct.double())
    return 100 * gaps.abs().sum().item() / len(confidence)


if __name__ == "__main__":
    stage.run(main)
