"""The training step against an update written out by hand."""

import copy

import pytest
import torch
from conftest import make
from torch._subclasses.fake_tensor import DataDependentOutputException, FakeTensorMode

from pipeline.compute import cuda_graph
from pipeline.compute.device import Compute
from pipeline.compute.inference import Inputs
from pipeline.data import loading
from pipeline.networks.network import Network
from pipeline.settings.params import Params
from pipeline.training import trainer
from pipeline.training.trainer import Trainer


def same(one: Trainer, other: Trainer) -> bool:
    """Whether two trainers have the same state, to the bit."""
    return all(torch.equal(tensor, other.state()[name]) for name, tensor in one.state().items())


def fake_trainer(settings: Params, count: int, name: str) -> Trainer:
    """A trainer whose tensors have a shape and a device but no content."""
    with torch.device(name):
        network = Network(settings.network("resnet8"))
        padded = torch.empty((count, 40, 40, 3), dtype=torch.uint8)
        labels = torch.empty(count, dtype=torch.int64)
        inputs = Inputs(torch.empty(3), torch.empty(3))
    optimiser = torch.optim.SGD(network.parameters(), lr=0.1, momentum=0.9, weight_decay=1e-4, fused=True)
    compute = Compute(torch.device(name), settings.precision, 1)
    return Trainer(network, optimiser, padded, 32, labels, inputs, compute, settings.batch_size, 0.0)


def test_steps_are_sgd_with_momentum_and_weight_decay(settings, generated):
    trainer = make(settings(momentum=0.9, weight_decay=0.01), generated)
    reference = copy.deepcopy(trainer.network).train()
    velocity = [torch.zeros_like(p) for p in reference.parameters()]
    for start in (0, 50, 100):
        images, labels = trainer.padded[start : start + 50, 4:36, 4:36], trainer.labels[start : start + 50]
        trainer.lr.fill_(0.05)
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
    seen, sizes = [], []
    step = trainer.step

    def spy(images, labels, weight):
        seen.extend(zip(images, labels, strict=True))
        return step(images, labels, weight)

    trainer.step = spy
    draws = loading.draw(0, 0, 200, 4, True)
    trainer.epoch(draws, 0.1, sizes.append)
    assert sizes == [64, 64, 64, 8]
    assert sorted(draws.order.tolist()) == list(range(200))
    for place, (image, label) in enumerate(seen):
        which = draws.order[place]
        row, column = draws.rows[place], draws.columns[place]
        crop = trainer.padded[which, row : row + 32, column : column + 32]
        assert torch.equal(image, crop.flip(1) if draws.flips[place] else crop)
        assert label == trainer.labels[which]


def test_the_epochs_loss_and_error_are_means_over_images(settings, generated):
    trainer = make(settings(train_size=200, batch_size=64), generated)
    seen = []
    step = trainer.step

    def spy(images, labels, weight):
        assert weight == 1
        loss, logits = step(images, labels)
        seen.append((loss.item(), (logits.argmax(1) != labels).sum().item(), len(labels)))
        return loss, logits

    trainer.step = spy
    loss, error = trainer.epoch(loading.draw(0, 0, 200, 4, True), 0.1)
    assert loss == pytest.approx(sum(l * n for l, _, n in seen) / 200)  # noqa: E741
    assert error == 100 * sum(wrong for _, wrong, _ in seen) / 200


def test_the_rate_of_the_epoch_is_the_one_given(settings, generated):
    trainer = make(settings(momentum=0.0), generated)
    start = trainer.network.fc.weight.clone()
    trainer.epoch(loading.draw(0, 0, 200, 4, True), 0.1)
    before = copy.deepcopy(trainer.network.state_dict())
    assert not torch.equal(before["fc.weight"], start)
    trainer.epoch(loading.draw(0, 0, 200, 4, True), 0.0)
    for name, parameter in trainer.network.named_parameters():
        assert torch.equal(parameter, before[name]), name


@pytest.mark.parametrize("momentum", [0.9, 0.0])
def test_the_estimate_leaves_no_trace(settings, generated, momentum):
    one, other = (make(settings(momentum=momentum), generated) for _ in range(2))
    one.epoch(loading.draw(0, 0, 200, 4, True), 0.1)
    assert one.seconds_per_epoch() > 0
    other.epoch(loading.draw(0, 0, 200, 4, True), 0.1)
    assert one.epoch(loading.draw(0, 1, 200, 4, True), 0.1) == other.epoch(loading.draw(0, 1, 200, 4, True), 0.1)
    assert same(one, other)


def test_a_trainers_state_is_all_that_the_next_step_depends_on(settings, generated):
    one, other = make(settings(), generated), make(settings(), generated, seed=1)
    one.epoch(loading.draw(0, 0, 200, 4, True), 0.1)
    for name, tensor in other.state().items():
        tensor.copy_(one.state()[name])
    for each in (one, other):
        each.epoch(loading.draw(0, 1, 200, 4, True), 0.1)
    assert same(one, other)


def test_what_a_capture_does_beforehand_leaves_no_trace(settings, generated, monkeypatch):
    """All of it but the graph itself, which needs a GPU; in the middle of an epoch, too."""

    def warmed_up(work, before, device):
        cuda_graph.warm_up(work, before)
        warmed.append(work)
        return work

    warmed = []
    monkeypatch.setattr(trainer, "capture", warmed_up)
    one, other = (make(settings(), generated) for _ in range(2))
    one.captures = True
    for epoch in range(2):
        draws = loading.draw(0, epoch, 200, 4, True)
        assert one.epoch(draws, 0.1) == other.epoch(draws, 0.1)
    assert len(warmed) == 2  # for batches of 128 and of 72 images
    assert same(one, other)


@pytest.mark.parametrize(("name", "precision"), [("cpu", "bf16"), ("cuda", "fp32")])  # autocast needs the GPU
def test_a_step_never_reads_back_from_the_device(settings, monkeypatch, name, precision):
    """Tensors without content show it: reading one is an error. So is mixing devices, and this needs no GPU."""

    def gradients(loss: torch.Tensor) -> None:
        for parameter in trainer.network.parameters():
            parameter.grad = torch.empty_like(parameter)

    if name == "cuda":  # autograd alone needs one
        monkeypatch.setattr(torch.Tensor, "backward", gradients)
    with FakeTensorMode():
        trainer = fake_trainer(settings(batch_size=64, precision=precision), 100, name)
        if name == "cuda":  # SGD's fused kernel has no stand-in
            monkeypatch.setattr(trainer.optimiser, "step", lambda: None)
        for size in trainer.sizes():
            trainer.next_batch(size)
        assert {tensor.device.type for tensor in (*trainer.state().values(), trainer.total)} == {name}
        with pytest.raises(DataDependentOutputException):
            trainer.total.item()


@pytest.mark.gpu
@pytest.mark.parametrize("precision", ["fp32", "bf16"])
def test_graphs_and_single_kernels_give_the_same_bits(settings, generated, precision):
    """20 steps, incomplete batches and the estimate among them."""
    replayed, again, eager = (make(settings(device="cuda", precision=precision), generated) for _ in range(3))
    eager.captures = False
    assert replayed.captures
    replayed.seconds_per_epoch()
    for epoch in range(10):  # of a batch of 128 and one of 72
        draws = loading.draw(0, epoch, 200, 4, True)
        losses = [trainer.epoch(draws, 0.1 if epoch < 5 else 0.01) for trainer in (replayed, again, eager)]
        assert losses[0] == losses[1] == losses[2]
    assert same(replayed, again)
    assert same(replayed, eager)


@pytest.mark.gpu
def test_a_gpu_trains_near_the_cpu(settings, generated):
    losses = []
    for name in ("cuda", "cpu"):
        trainer = make(settings(device=name), generated)
        losses.append(trainer.epoch(loading.draw(0, 0, 200, 4, True), 0.1)[0])
    assert losses[0] == pytest.approx(losses[1], rel=0.02)
