"""Work on a GPU without the cost of launching it: captured once as a CUDA graph, then replayed.

A step of these networks is some hundreds of small kernels, and issuing them takes longer than running them. A captured
piece of work has no arguments and no result: it reads and writes tensors that stay where they are, and never waits for
the device. See https://docs.pytorch.org/docs/stable/notes/cuda.html#cuda-graphs for what that asks of it.
"""

from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager

import torch
from torch import Tensor

WARM_UP = 3  # calls before the capture: libraries initialise themselves and choose their algorithms

Work = Callable[[], object]


@contextmanager
def restored(tensors: Iterable[Tensor]) -> Iterator[None]:
    """Whatever happens inside leaves no trace in `tensors`, to the bit."""
    tensors = list(tensors)
    kept = [tensor.detach().clone() for tensor in tensors]
    yield
    with torch.no_grad():
        for tensor, value in zip(tensors, kept, strict=True):
            tensor.copy_(value)


def capture(work: Work, device: torch.device) -> Work:
    """`work` as a replay of its CUDA graph. It is called some times before: see `restored`.

    Raises RuntimeError if `work` waits for the device or does something else that a graph cannot hold.
    """
    stream = torch.cuda.Stream(device)
    stream.wait_stream(torch.cuda.current_stream(device))
    with torch.cuda.stream(stream):
        for _ in range(WARM_UP):
            work()
    torch.cuda.current_stream(device).wait_stream(stream)
    graph = torch.cuda.CUDAGraph()
    with torch.cuda.graph(graph):
        work()
    return graph.replay
