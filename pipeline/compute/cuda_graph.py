"""Work on a GPU without the cost of launching it: captured once as a CUDA graph, then replayed.

A step of these networks is some hundreds of small kernels, and issuing them takes longer than running them. A captured
piece of work has no arguments and no result: it reads and writes tensors that stay where they are, and never waits for
the device. See https://docs.pytorch.org/docs/stable/notes/cuda.html#cuda-graphs for what that asks of it.
"""

import gc
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass

import torch
from torch import Tensor

Work = Callable[[], object]


@contextmanager
def restored(tensors: Iterable[Tensor]) -> Iterator[None]:
    """Whatever happens inside leaves no trace in `tensors`, to the bit."""
    tensors = list(tensors)
    kept = [tensor.detach().clone() for tensor in tensors]
    try:
        yield
    finally:
        with torch.no_grad():
            for tensor, value in zip(tensors, kept, strict=True):
                tensor.copy_(value)


@dataclass(frozen=True)
class Replay:
    """A captured piece of work, to be called like it; keeps alive what the work refers to, since a graph does not."""

    work: Work
    graph: "torch.cuda.CUDAGraph"

    def __call__(self) -> None:
        self.graph.replay()


def capture(work: Work, before: Work, device: torch.device) -> Replay:
    """`work` as a CUDA graph. It is called some times, after `before` each time: see `restored`.

    Raises RuntimeError if `work` waits for the device or does something else that a graph cannot hold.
    """
    stream = torch.cuda.Stream(device)
    stream.wait_stream(torch.cuda.current_stream(device))
    with torch.cuda.stream(stream):
        warm_up(work, before)
    torch.cuda.current_stream(device).wait_stream(stream)
    graph = torch.cuda.CUDAGraph()
    with no_collection(), torch.cuda.graph(graph, stream=stream):  # the stream whose libraries have been warmed up
        work()
    return Replay(work, graph)


@contextmanager
def no_collection() -> Iterator[None]:
    """No garbage is collected inside, where an older graph that is destroyed would spoil the one being captured."""
    collects = gc.isenabled()
    gc.collect()
    gc.disable()
    try:
        yield
    finally:
        if collects:
            gc.enable()


def warm_up(work: Work, before: Work) -> None:
    """Call `work` some times: libraries initialise themselves and choose their algorithms."""
    for _ in range(3):
        before()
        work()
