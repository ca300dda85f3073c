"""One epoch of training: the same code on CPU and GPU."""

import functools
import time
from collections.abc import Callable
from dataclasses import dataclass, field

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from pipeline.compute.cuda_graph import Work, capture, restored
from pipeline.compute.device import Compute
from pipeline.compute.distributed import World
from pipeline.compute.inference import Inputs
from pipeline.data import loading
from pipeline.data.loading import Draws


@dataclass
class Trainer:
    """A network with its optimiser and what it trains on; `padded` are the training images with their black border.

    On a GPU a step is captured as a CUDA graph and replayed, to the same bits as without; the host waits for the device
    once an epoch. `world` shares a run out over several processes.
    """

    network: nn.Module
    optimiser: torch.optim.SGD
    padded: Tensor  # uint8 (N, side + 2p, side + 2p, 3)
    side: int  # of an image, in pixels
    labels: Tensor  # int64 (N,)
    inputs: Inputs
    compute: Compute
    batch_size: int
    label_smoothing: float
    world: World = field(default_factory=World)
    captures: bool | None = None  # None: on a GPU, unless a batch is shared out

    def __post_init__(self) -> None:
        device = self.compute.device
        if self.captures is None:
            self.captures = device.type == "cuda" and self.world.size == 1
        self.parallel = self.world.parallel(self.network)
        self.lr = torch.zeros((), device=device)
        for group in self.optimiser.param_groups:
            group["lr"] = self.lr
            for parameter in group["params"] if group["momentum"] else ():  # a first step like any other
                self.optimiser.state[parameter]["momentum_buffer"] = torch.zeros_like(parameter)
        self.draws = torch.zeros((4, len(self.labels)), dtype=torch.int64, device=device)
        self.position = torch.zeros((), dtype=torch.int64, device=device)
        self.total = torch.zeros((), dtype=torch.float64, device=device)
        self.wrong = torch.zeros((), dtype=torch.int64, device=device)
        self.steps: dict[int, Work] = {}

    def state(self) -> dict[str, Tensor]:
        """All that a step changes and the next one reads, by name: network.*, momentum.*."""
        tensors = {f"network.{name}": tensor for name, tensor in self.network.state_dict().items()}
        for name, parameter in self.network.named_parameters():
            if "momentum_buffer" in self.optimiser.state[parameter]:  # there is none with momentum 0
                tensors[f"momentum.{name}"] = self.optimiser.state[parameter]["momentum_buffer"]
        return tensors

    def epoch(
        self, draws: Draws, lr: float, progress: Callable[[int], None] = lambda images: None
    ) -> tuple[float, float]:
        """Train on all images once, the last incomplete batch included; (loss, error in percent), both running means.

        `progress` is called after each batch with its number of images; a GPU may then still be at work on them.
        """
        self.network.train()
        self.lr.fill_(lr)
        self.draws.copy_(torch.stack([draws.order, draws.rows, draws.columns, draws.flips.long()]))
        for tensor in (self.position, self.total, self.wrong):
            tensor.zero_()
        for size in self.sizes():
            self.work(size)()
            progress(size)
        total, wrong = self.world.add(self.total).item(), self.world.add(self.wrong).item()
        return total / len(self.labels), 100 * wrong / len(self.labels)

    def sizes(self) -> list[int]:
        """The epoch's batches: all of `batch_size` images but, where they do not divide the whole, the last."""
        full, rest = divmod(len(self.labels), self.batch_size)
        return [self.batch_size] * full + [rest] * bool(rest)

    def work(self, size: int) -> Work:
        """What trains on the epoch's next `size` images; captured when it is first asked for."""
        if size not in self.steps:
            work = functools.partial(self.next_batch, size)
            if self.captures:
                self.network.train()
                with restored([*self.state().values(), self.position, self.total, self.wrong]):
                    work = capture(work, self.position.zero_, self.compute.device)
            self.steps[size] = work
        return self.steps[size]

    def next_batch(self, size: int) -> None:
        """Train on this process's part of the next `size` images of the epoch."""
        start, end = self.world.part(size)
        at = self.position + torch.arange(start, end, device=self.position.device)
        order, rows, columns, flips = self.draws[:, at]
        labels = self.labels[order]
        images = loading.crop_and_flip(self.padded, order, self.side, rows, columns, flips.bool())
        loss, logits = self.step(images, labels, self.world.size * (end - start) / size)
        self.total += loss.double() * (end - start)
        self.wrong += (logits.argmax(1) != labels).sum()
        self.position += size

    def step(self, images: Tensor, labels: Tensor, weight: float = 1.0) -> tuple[Tensor, Tensor]:
        """One step of SGD on uint8 images (B, side, side, 3); the loss () and logits (B, classes) before it, detached.

        The gradients are those of `weight` times the loss.
        """
        with self.compute.autocast():
            logits = self.parallel(self.inputs(images)).float()
        loss = F.cross_entropy(logits, labels, label_smoothing=self.label_smoothing)
        self.optimiser.zero_grad()
        (loss if weight == 1 else weight * loss).backward()
        self.optimiser.step()
        return loss.detach(), logits.detach()

    def seconds_per_epoch(self, steps: int = 2) -> float:
        """An estimate, from a few steps that leave no trace."""
        size = self.sizes()[0]
        self.network.train()
        with restored([*self.state().values(), self.position, self.total, self.wrong]):
            self.position.zero_()
            self.work(size)()  # the first step also sets things up
            self._wait()
            start = time.perf_counter()
            for _ in range(steps):
                self.position.zero_()
                self.work(size)()
            self._wait()
            return (time.perf_counter() - start) / steps * len(self.labels) / size

    def _wait(self) -> None:
        if self.compute.device.type == "cuda":
            torch.cuda.synchronize(self.compute.device)
