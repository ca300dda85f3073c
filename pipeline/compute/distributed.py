"""One run on several GPUs or machines, as torchrun starts it: DistributedDataParallel, the global batch kept.

    torchrun --standalone --nproc-per-node=4 -m pipeline.train resnet56 0

Every process draws the same epoch, takes its part of each batch, and has the mean gradient of the whole batch. The
first process alone tests, writes and keeps checkpoints. How many there are is a parameter: it decides the last bits of
results, and more than those where each process has its own statistics in batch norm. Steps are not captured as graphs.
"""

import os
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any

import torch
import torch.distributed as dist
from torch import Tensor, nn
from torch.distributed.nn import all_reduce
from torch.nn.parallel import DistributedDataParallel

from pipeline.stage import StageError


@dataclass(frozen=True)
class World:
    """The processes that train one run together: this one's rank, and how many there are."""

    rank: int = 0
    size: int = 1

    @property
    def first(self) -> bool:
        """Whether this process is the one that tests and writes."""
        return self.rank == 0

    def part(self, batch: int) -> tuple[int, int]:
        """Where this process's part of a batch begins and ends; parts differ by one image at most."""
        return self.rank * batch // self.size, (self.rank + 1) * batch // self.size

    def share(self, value: Any) -> Any:
        """The first process's `value`, whatever the others pass. Raises StageError if the first has ended."""
        if self.size == 1:
            return value
        box = [value]
        try:
            dist.broadcast_object_list(box, src=0)
        except RuntimeError:
            raise StageError("the first process has ended; what it says is the reason") from None
        return box[0]

    def copy(self, tensors: Iterable[Tensor]) -> None:
        """Give `tensors` the first process's content."""
        for tensor in tensors if self.size > 1 else ():
            content = tensor.contiguous()  # which is what can be sent
            dist.broadcast(content, src=0)
            tensor.copy_(content)

    def add(self, tensor: Tensor) -> Tensor:
        """The sum of all processes' `tensor`."""
        if self.size > 1:
            dist.all_reduce(tensor)
        return tensor

    def parallel(self, network: nn.Module) -> nn.Module:
        """`network` itself for one process, else with its gradients averaged over the processes.

        Running statistics are each process's own, and the first one's count.
        """
        return network if self.size == 1 else DistributedDataParallel(network, broadcast_buffers=False)

    def norm_layer(self, sync: bool, device: torch.device) -> type[nn.Module]:
        """Batch norm over the whole batch if `sync`, else over each process's own part of it."""
        if self.size == 1 or not sync:
            return nn.BatchNorm2d
        return nn.SyncBatchNorm if device.type == "cuda" else SyncBatchNorm


def launched() -> bool:
    """Whether torchrun has started this process. No environment variable but torchrun's own decides that."""
    return dist.is_torchelastic_launched()


def local() -> tuple[int, int]:
    """This process's rank among those on this machine, and their number."""
    return (int(os.environ["LOCAL_RANK"]), int(os.environ["LOCAL_WORLD_SIZE"])) if launched() else (0, 1)


@contextmanager
def world(device: torch.device) -> Iterator[World]:
    """The processes that torchrun has started, or this one alone."""
    if not launched():
        yield World()
        return
    dist.init_process_group("nccl" if device.type == "cuda" else "gloo")
    yield World(dist.get_rank(), dist.get_world_size())
    dist.destroy_process_group()  # not after an error: it would wait for the others


class SyncBatchNorm(nn.BatchNorm2d):
    """Batch norm over the batch of all processes on CPUs, which torch's own class refuses.

    Ioffe and Szegedy 2015, algorithm 1; the running variance is the unbiased one, as in torch.
    """

    def forward(self, x: Tensor) -> Tensor:
        """(N, C, H, W), N differing from process to process, to the same shape and dtype."""
        if not self.training:
            return super().forward(x)
        y = x.to(self.weight.dtype)
        count = all_reduce(torch.full((), y.numel() // y.shape[1], dtype=y.dtype))
        mean = all_reduce(y.sum((0, 2, 3))) / count
        centred = y - mean[:, None, None]
        var = all_reduce(centred.square().sum((0, 2, 3))) / count
        with torch.no_grad():
            self.num_batches_tracked += 1
            self.running_mean.lerp_(mean, self.momentum)
            self.running_var.lerp_(var * count / (count - 1), self.momentum)
        scale = self.weight * torch.rsqrt(var + self.eps)
        return (centred * scale[:, None, None] + self.bias[:, None, None]).to(x.dtype)
