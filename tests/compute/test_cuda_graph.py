"""Captured work: nothing of the warm-up remains, and a replay does what the work does."""

import functools

import pytest
import torch

from pipeline.compute import cuda_graph


def test_what_happens_inside_leaves_no_trace():
    weight, count = torch.tensor([1 / 3, -0.0, float("nan")]), torch.tensor(7)
    before = weight.clone().view(torch.int32)
    with cuda_graph.restored([weight, count]):
        weight += 1
        count += 1
        assert count == 8
    assert torch.equal(weight.view(torch.int32), before)
    assert count == 7
    with pytest.raises(ZeroDivisionError), cuda_graph.restored([count]):
        count += 1 // 0
    assert count == 7


@pytest.mark.gpu
def test_a_replay_does_what_the_work_does():
    device = torch.device("cuda")
    total, step = torch.zeros((), device=device), torch.ones((), device=device)

    def work() -> None:
        total.add_(step)

    with cuda_graph.restored([total]):
        replay = cuda_graph.capture(work, lambda: None, device)
    assert total.item() == 0
    replay()
    step.fill_(10)
    replay()
    assert total.item() == 11


@pytest.mark.gpu
def test_a_replay_keeps_what_it_reads_alive():
    device = torch.device("cuda")
    total = torch.zeros(1 << 20, device=device)
    replay = cuda_graph.capture(functools.partial(total.add_, torch.ones(1 << 20, device=device)), total.zero_, device)
    cuda_graph.capture(lambda: None, lambda: None, device)  # which empties the allocator's cache
    others = [torch.full((1 << 20,), 7.0, device=device) for _ in range(8)]
    total.zero_()
    replay()
    assert total.unique().tolist() == [1]
    assert len(others) == 8


@pytest.mark.gpu
def test_work_that_waits_for_the_device_is_refused():
    total = torch.zeros((), device="cuda")
    with pytest.raises(RuntimeError):
        cuda_graph.capture(total.item, lambda: None, torch.device("cuda"))
