"""The training step against an update written out by hand; losses and errors against NumPy."""

import copy

import numpy as np
import pytest
import torch
from conftest import make

from pipeline import dataset, engine
from pipeline.engine import Inputs


def test_steps_are_sgd_with_momentum_and_weight_decay(settings, generated):
    trainer = make(settings(momentum=0.9, weight_decay=0.01, lr=0.05), generated)
    reference = copy.deepcopy(trainer.network).train()
    velocity = [torch.zeros_like(p) for p in reference.parameters()]
    for start in (0, 50, 100):
        images, labels = trainer.padded[start : start + 50, 4:36, 4:36], trainer.labels[start : start + 50]
        trainer.step(images, labels)
        reference.zero_grad()
        log_p = torch.log_softmax(reference(trainer.inputs(images)), 1)
        (-log_p[torch.arange(50), labels].mean()).backward()
        with torch.no_grad():
            for v, p in zip(velocity, reference.parameters(), strict=True):
                v.mul_(0.9).add_(p.grad + 0.01 * p)
                p.sub_(0.05 * v)
    for ours, theirs in zip(trainer.network.parameters(), reference.parameters(), strict=True):
        assert torch.allclose(ours, theirs, rtol=1e-4, atol=1e-6)


def test_label_smoothing_mixes_in_the_uniform_distribution(settings, generated):
    trainer = make(settings(label_smoothing=0.1), generated)
    images, labels = trainer.padded[:20, 4:36, 4:36], trainer.labels[:20]
    loss, logits = trainer.step(images, labels)
    log_p = torch.log_softmax(logits, 1)
    expected = -(0.9 * log_p[torch.arange(20), labels] + 0.1 * log_p.mean(1)).mean()
    assert loss.item() == pytest.approx(expected.item(), rel=1e-5)


def test_an_epoch_uses_every_image_once_and_the_small_last_batch(settings, generated):
    trainer = make(settings(train_size=200, batch_size=64), generated)
    sizes = []
    trainer.epoch(dataset.draw(0, 0, 200, 4, True), 0.1, sizes.append)
    assert sizes == [64, 64, 64, 8]


def test_the_epochs_loss_and_error_are_means_over_images(settings, generated):
    trainer = make(settings(train_size=200, batch_size=64), generated)
    seen = []
    step = trainer.step

    def spy(images, labels):
        loss, logits = step(images, labels)
        seen.append((loss.item(), (logits.argmax(1) != labels).sum().item(), len(labels)))
        return loss, logits

    trainer.step = spy
    loss, error = trainer.epoch(dataset.draw(0, 0, 200, 4, True), 0.1)
    assert loss == pytest.approx(sum(l * n for l, _, n in seen) / 200)  # noqa: E741
    assert error == 100 * sum(wrong for _, wrong, _ in seen) / 200


def test_the_rate_of_the_epoch_is_the_one_given(settings, generated):
    trainer = make(settings(momentum=0.0), generated)
    before = copy.deepcopy(trainer.network.state_dict())
    trainer.epoch(dataset.draw(0, 0, 200, 4, True), 0.0)
    for name, parameter in trainer.network.named_parameters():
        assert torch.equal(parameter, before[name]), name


def test_the_estimate_leaves_network_and_optimiser_alone(settings, generated):
    trainer = make(settings(), generated)
    before = copy.deepcopy(trainer.network.state_dict())
    assert trainer.seconds_per_epoch() > 0
    assert all(torch.equal(tensor, before[name]) for name, tensor in trainer.network.state_dict().items())
    assert not trainer.optimiser.state


def test_loss_and_error_equal_numpys():
    rng = np.random.default_rng(0)
    logits, labels = rng.normal(0, 3, (500, 10)), rng.integers(0, 10, 500)
    shifted = np.exp(logits - logits.max(1, keepdims=True))
    probabilities = shifted / shifted.sum(1, keepdims=True)
    loss, error = engine.score(torch.tensor(logits), torch.tensor(labels))
    assert loss == pytest.approx(-np.log(probabilities[np.arange(500), labels]).mean(), rel=1e-12)
    assert error == pytest.approx(100 * np.mean(logits.argmax(1) != labels), rel=1e-12)


def test_a_prediction_does_not_depend_on_its_neighbours(settings, generated):
    trainer = make(settings(), generated)
    _, test = dataset.load(generated, "synthetic")
    whole = engine.predict(trainer.network, test.images, trainer.inputs, trainer.compute)
    assert whole.shape == (1000, 10)
    alone = engine.predict(trainer.network, test.images[500:501], trainer.inputs, trainer.compute)
    assert torch.allclose(whole[500:501], alone, atol=1e-5)


def test_bf16_is_near_fp32(settings, generated):
    _, test = dataset.load(generated, "synthetic")
    both = [make(settings(precision=precision), generated) for precision in ("fp32", "bf16")]
    exact, rounded = (engine.predict(t.network, test.images, t.inputs, t.compute) for t in both)
    assert rounded.dtype == torch.float32
    assert not torch.equal(exact, rounded)
    assert (exact - rounded).abs().mean() < 0.03 * exact.abs().mean()


@pytest.mark.gpu
@pytest.mark.skipif(not torch.cuda.is_available(), reason="needs a GPU")
def test_a_gpu_trains_to_the_same_bits_twice_and_near_the_cpu(settings, generated):
    losses = {}
    for run, name in enumerate(("cuda", "cuda", "cpu")):
        trainer = make(settings(device=name), generated)
        draws = dataset.draw(0, 0, 200, 4, True)
        losses[run] = trainer.epoch(draws, 0.1)[0]
    assert losses[0] == losses[1]
    assert losses[0] == pytest.approx(losses[2], rel=0.02)


def test_inputs_are_normalised_on_the_0_1_scale():
    inputs = Inputs.of([0.5, 0.5, 0.5], [0.25, 0.25, 0.25], torch.device("cpu"))
    assert inputs(torch.full((1, 32, 32, 3), 255, dtype=torch.uint8)).unique().tolist() == [2.0]
