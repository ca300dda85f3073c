"""Where and how to compute: device, precision and threads, all deterministic; and the record of it."""

import ctypes
import os
import platform
import re
import subprocess
from contextlib import suppress
from dataclasses import dataclass
from importlib.metadata import version
from pathlib import Path
from typing import Any

import numpy as np
import torch

from pipeline.compute import distributed
from pipeline.settings.params import Params
from pipeline.stage import PACKAGE, StageError

MALLOC = {-3: 32 << 20, -1: 2**31 - 1, -2: 256 << 20}  # M_MMAP_THRESHOLD (its maximum), M_TRIM_THRESHOLD, M_TOP_PAD


@dataclass(frozen=True)
class Compute:
    """A device, `bf16` or `fp32` (never auto), and the number of CPU threads of a process."""

    device: torch.device
    precision: str
    threads: int

    def autocast(self) -> torch.autocast:
        """Stem and blocks in bf16, or everything in fp32; weights are fp32 either way."""
        return torch.autocast(self.device.type, torch.bfloat16, enabled=self.precision == "bf16", cache_enabled=False)

    def __str__(self) -> str:
        threads = f"{self.threads} thread{'s' if self.threads > 1 else ''}, " if self.device.type == "cpu" else ""
        return f"{hardware(self.device)} ({threads}{self.precision})"


def prepare(params: Params, precision: str) -> Compute:
    """Choose device and threads as `params` says, make torch deterministic, and settle what `precision` auto is here.

    Training takes the precision of params.yaml; what scores weights does so in fp32, on any machine.

    Processes that torchrun has started on this machine take a GPU each, or `threads` cores each. Raises StageError if
    the device asked for is not there, or not enough cores.
    """
    os.environ["CUBLAS_WORKSPACE_CONFIG"] = ":4096:8"  # what cuBLAS needs to be deterministic
    # as use_deterministic_algorithms does, but for torch.compile, which is not used and takes 0.8 s to import
    torch.set_deterministic_debug_mode("error")
    torch.utils.deterministic.fill_uninitialized_memory = False  # costs time and hides nothing here
    torch.backends.cudnn.benchmark = False
    torch.backends.cudnn.allow_tf32 = False  # fp32 means fp32
    torch.backends.cuda.matmul.allow_tf32 = False  # also where TORCH_ALLOW_TF32_CUBLAS_OVERRIDE is set
    keep_freed_memory()
    rank, processes = distributed.local()
    device = _device(params.device, rank, processes)
    threads = params.threads or max(1, cores() // processes)
    if device.type == "cpu" and processes > 1:
        enough_cores(processes, threads, "processes")
    torch.set_num_threads(threads)
    if precision == "auto":
        precision = "bf16" if _has_bf16(device) else "fp32"
    return Compute(device, precision, torch.get_num_threads())


def keep_freed_memory() -> bool:
    """Let the C library keep what tensors free, and use it again; whether it can (glibc's `mallopt`, man 3 mallopt).

    By default glibc gives the memory of large tensors back to the system when they are freed, and the system clears
    each page again when the next layer asks for it. No number depends on it.
    """
    mallopt = getattr(ctypes.CDLL(None), "mallopt", None)
    if mallopt is None:
        return False
    done = [mallopt(option, value) for option, value in MALLOC.items()]  # all of them, whatever one says
    return all(done)


def _device(name: str, rank: int, processes: int) -> torch.device:
    if name == "auto":
        name = "cuda" if torch.cuda.is_available() else "cpu"
    if name == "cuda" and processes > 1:
        name = f"cuda:{rank}"
    elif name.startswith("cuda:") and processes > 1:
        raise StageError(
            f"device is {name}, one GPU for {processes} processes; allowed with torchrun: auto, cpu and cuda"
        )
    device = torch.device(name)
    if device.type == "cuda" and (device.index or 0) >= torch.cuda.device_count():
        count = torch.cuda.device_count()
        there = f"cuda:0 to cuda:{count - 1}" if count else "no GPU that torch can use"
        raise StageError(f"device is {name}, but this machine has {there}; allowed: auto, cpu or a GPU that is there")
    if device.index is not None:
        torch.cuda.set_device(device)
    return device


def _has_bf16(device: torch.device) -> bool:
    """Whether bf16 is native: a GPU from Ampere on, a CPU with AVX512-BF16 or AMX. Elsewhere it is slower than fp32."""
    if device.type == "cuda":
        return torch.cuda.get_device_capability(device) >= (8, 0)
    capabilities = torch.cpu.get_capabilities()
    return bool(capabilities.get("avx512_bf16") or capabilities.get("amx_bf16"))


def cores() -> int:
    """CPU cores that this process may use."""
    return len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1


def enough_cores(count: int, threads: int, what: str) -> None:
    """Raises StageError if `count` runs or processes on CPUs, of `threads` threads each, are more than there are cores.

    Threads that wait for each other and share a core slow each other down tenfold.
    """
    if count * threads > cores():
        raise StageError(
            f"{count} {what} of {threads} threads need {count * threads} cores, and there are {cores()}; allowed: up "
            f"to {max(1, cores() // threads)}, or fewer threads in params.yaml, which moves results a little"
        )


def hardware(device: torch.device) -> str:
    """The processor's or the GPU's own name."""
    if device.type == "cuda":
        return torch.cuda.get_device_name(device)
    cpuinfo = Path("/proc/cpuinfo")
    lines = cpuinfo.read_text().splitlines() if cpuinfo.exists() else []
    names = [line.partition(":")[2].strip() for line in lines if line.startswith("model name")]
    return names[0] if names else platform.processor() or platform.machine()


def gpu_memory(compute: Compute) -> int | None:
    """The most GPU memory that torch has taken so far, in MB (2^20 bytes); none on a CPU."""
    return torch.cuda.max_memory_reserved(compute.device) >> 20 if compute.device.type == "cuda" else None


def capability(device: torch.device) -> str:
    """What the hardware can do, which its name does not say: "AVX512 avx512_bf16", "AVX2", or a GPU's "9.0"."""
    if device.type == "cuda":
        return ".".join(map(str, torch.cuda.get_device_capability(device)))
    extensions = ("avx512_bf16", "avx512_fp16", "avx512_vnni", "amx_tile", "amx_bf16", "amx_fp16")
    there = torch.cpu.get_capabilities()
    return " ".join([torch.backends.cpu.get_cpu_capability(), *(name for name in extensions if there.get(name))])


def deciding(compute: Compute, processes: int) -> dict[str, str | int | None]:
    """What of machine and software decides the bits of a result."""
    gpu = compute.device.type == "cuda"
    return {
        "hardware": hardware(compute.device),
        "capability": capability(compute.device),
        "device": compute.device.type,
        "processes": processes,
        "threads": compute.threads,
        "precision": compute.precision,
        "torch": torch.__version__,
        "numpy": np.__version__,
        "cuda": torch.version.cuda if gpu else None,
        "cudnn": torch.backends.cudnn.version() if gpu else None,
    }


def environment(compute: Compute, processes: int) -> dict[str, str | int | None]:
    """Versions, hardware and the code's commit, for the record; nothing that names the machine or its owner."""
    onednn = re.search(r"MKL-DNN v([\d.]+)", torch.__config__.show())
    return deciding(compute, processes) | {
        "commit": commit(),
        "cores": cores(),
        "system": f"{platform.system()} {platform.machine()}",
        "python": platform.python_version(),
        "torchvision": version("torchvision"),
        "onednn": onednn[1] if onednn else None,
        "driver": driver() if compute.device.type == "cuda" else None,
    }


def commit() -> str | None:
    """The commit of the code, "-dirty" behind it where a module differs from that; None outside of git."""
    head = said("git", "-C", PACKAGE, "rev-parse", "HEAD")
    edited = said("git", "--no-optional-locks", "-C", PACKAGE, "status", "--porcelain", "--", ".")
    return head and head + ("-dirty" if edited else "")


def driver() -> str | None:
    """The version of NVIDIA's driver; None if its tool does not say."""
    versions = said("nvidia-smi", "--query-gpu=driver_version", "--format=csv,noheader")
    return versions and versions.splitlines()[0]


def said(*command: Any) -> str | None:
    """What a command prints, stripped; None if it is not there or fails."""
    with suppress(OSError, subprocess.CalledProcessError):
        return subprocess.check_output(command, text=True, stderr=subprocess.DEVNULL).strip()
    return None
