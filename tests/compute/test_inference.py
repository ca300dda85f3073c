"""Predictions; losses and errors against NumPy."""

import numpy as np
import pytest
import torch
from conftest import make

from pipeline.compute import inference
from pipeline.compute.inference import Inputs, Scorer
from pipeline.data import loading


def test_loss_and_error_equal_numpys():
    rng = np.random.default_rng(0)
    logits, labels = rng.normal(0, 3, (500, 10)), rng.integers(0, 10, 500)
    shifted = np.exp(logits - logits.max(1, keepdims=True))
    probabilities = shifted / shifted.sum(1, keepdims=True)
    loss, error = inference.score(torch.tensor(logits), torch.tensor(labels))
    assert loss == pytest.approx(-np.log(probabilities[np.arange(500), labels]).mean(), rel=1e-12)
    assert error == pytest.approx(100 * np.mean(logits.argmax(1) != labels), rel=1e-12)


def test_a_prediction_does_not_depend_on_its_neighbours(settings, generated):
    trainer = make(settings(), generated)
    _, test = loading.load(generated, "synthetic", 0)
    whole = inference.predict(trainer.network, test.images, trainer.inputs, trainer.compute)
    assert whole.shape == (1000, 10)
    alone = inference.predict(trainer.network, test.images[500:501], trainer.inputs, trainer.compute)
    assert torch.allclose(whole[500:501], alone, atol=1e-5)


def test_bf16_is_near_fp32(settings, generated):
    _, test = loading.load(generated, "synthetic", 0)
    both = [make(settings(precision=precision), generated) for precision in ("fp32", "bf16")]
    exact, rounded = (inference.predict(t.network, test.images, t.inputs, t.compute) for t in both)
    assert rounded.dtype == torch.float32
    assert not torch.equal(exact, rounded)
    assert (exact - rounded).abs().mean() < 0.03 * exact.abs().mean()


def test_inputs_are_normalised_on_the_0_1_scale():
    inputs = Inputs.of([0.5, 0.5, 0.5], [0.25, 0.25, 0.25], torch.device("cpu"))
    assert inputs(torch.full((1, 32, 32, 3), 255, dtype=torch.uint8)).unique().tolist() == [2.0]


@pytest.mark.parametrize(("loss", "has"), [(2.3, False), (float("inf"), True), (float("nan"), True)])
def test_a_run_has_diverged_if_its_training_loss_is_not_finite(loss, has):
    assert inference.diverged(loss) is has


def test_a_scorer_tells_of_the_network_as_it_is_now(settings, generated):
    trainer = make(settings(), generated)
    _, test = loading.load(generated, "synthetic", 0)
    scorer = Scorer(trainer.network, test, trainer.inputs, trainer.compute)
    for epoch in range(2):
        trainer.epoch(loading.draw(0, epoch, 200, 4, True), 0.1)
        logits = inference.predict(trainer.network, test.images, trainer.inputs, trainer.compute)
        assert scorer() == inference.score(logits, test.labels)
