"""The connection to Ray, on this machine alone or to a cluster, and what each run takes of it."""

import os
import secrets
import signal
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any, NamedTuple

import ray
import torch

from pipeline.cluster import worker
from pipeline.compute import device
from pipeline.settings.params import Params
from pipeline.stage import StageError

STORE = 1 << 30  # bytes of this machine's memory for the data and results that travel, most of them never used


class Share(NamedTuple):
    """What a run takes of a node, in Ray's terms: CPUs, GPUs (or a part of one), and labels that the node must have."""

    cpus: float
    gpus: float
    labels: dict[str, str]

    def options(self) -> dict[str, Any]:
        """CPUs and GPUs, as the options of a remote function."""
        return {"num_cpus": self.cpus, "num_gpus": self.gpus}


def at_once(settings: Params, jobs: str) -> int:
    """How many runs this machine trains at once: `jobs`; for auto one a GPU, or as many as its cores have threads for.

    Raises StageError if there are not enough cores.
    """
    if on_gpus(settings):
        return gpus(settings) if jobs == "auto" else int(jobs)
    threads = settings.threads or device.cores()
    count = max(1, device.cores() // threads) if jobs == "auto" else int(jobs)
    if count > 1:
        device.enough_cores(count, threads, "runs at once")
    return count


def on_gpus(settings: Params) -> bool:
    """Whether runs on this machine take GPUs."""
    return settings.device != "cpu" and torch.cuda.is_available()


def gpus(settings: Params) -> int:
    """The GPUs of this machine that runs may take."""
    return 1 if settings.device.startswith("cuda:") else torch.cuda.device_count()


def part(count: int) -> float:
    """The part of a GPU that each of `count` runs takes; Ray counts in ten thousandths."""
    return 10_000 // count / 10_000


@contextmanager
def this_machine(settings: Params, count: int) -> Iterator[Share]:
    """A Ray of our own for `count` runs at once, which ends with this process, and takes commands from it alone."""
    os.environ["RAY_AUTH_TOKEN"] = secrets.token_hex(32)
    share, there = Share(settings.threads or device.cores(), 0, {}), 0
    if on_gpus(settings):
        named = settings.device.startswith("cuda:")
        there = 0 if named else gpus(settings)
        share = Share(1, 0 if named else part(-(-count // there)), {})
    resources = {"num_cpus": count * share.cpus, "num_gpus": there, "object_store_memory": STORE}
    with (
        worker.workplace() as folder,
        connected("local", include_dashboard=False, _temp_dir=str(folder), **resources),
    ):
        yield share


@contextmanager
def cluster(address: str, settings: Params, per_gpu: int, labels: dict[str, str]) -> Iterator[Share]:
    """A connection to a cluster whose head is `address`, or auto. Raises StageError if there is none."""
    if settings.device.startswith("cuda:"):
        raise StageError(
            f"device is {settings.device}; allowed on a cluster: auto, cpu and cuda, since Ray chooses GPUs"
        )
    with connected(address):
        if settings.device != "cpu" and ray.cluster_resources().get("GPU"):
            yield Share(0, part(per_gpu), labels)
        elif settings.threads:
            yield Share(settings.threads, 0, labels)
        else:
            raise StageError("threads is 0, all cores; allowed on a cluster: the number that a run takes of a node")


@contextmanager
def connected(address: str, **options: Any) -> Iterator[None]:
    """A connection to Ray, with signals as they were. Raises StageError if there is none."""
    terminated = signal.getsignal(signal.SIGTERM)
    ray.cloudpickle.register_pickle_by_value(worker)  # nodes do not have it
    try:
        ray.init(address, log_to_driver=False, logging_level="ERROR", **options)
    except (OSError, RuntimeError, ValueError, ray.exceptions.RayError) as error:
        reason = str(error).strip().splitlines()[0].partition(". ")[0].rstrip(".")
        raise StageError(f"no connection to Ray at {address}: {reason}. See docs/clusters.md") from None
    signal.signal(signal.SIGTERM, terminated)
    try:
        yield
    finally:
        ray.shutdown()
