"""Train several runs at once: what `make repro JOBS=4` does before `dvc repro` does the rest.

    python -m pipeline.tools.jobs 4
    python -m pipeline.tools.jobs auto

DVC runs stages one after the other; this starts a `dvc repro` for each run of the grid, that many at a time, the
deepest networks first. `auto` is one run a GPU, or on CPUs the number of cores over `threads`. GPUs are handed out in
turn. On CPUs each run has the `threads` of params.yaml, whose number decides the last bits of its results; so there too
they are those of one run at a time. The output of a run goes to .scratch/jobs/. A run that fails is reported and the
others are finished; Ctrl-C ends them all.
"""

import argparse
import asyncio
import os
import signal
import subprocess
import sys
import time
from asyncio.subprocess import STDOUT, Process
from contextlib import suppress
from datetime import timedelta
from pathlib import Path

import torch

from pipeline import stage
from pipeline.compute import device
from pipeline.settings import params
from pipeline.settings.params import Params
from pipeline.stage import StageError

LOGS = Path(".scratch/jobs")
PATIENCE = 30  # seconds that a run has to end after it is stopped
DVC = [sys.executable, "-m", "dvc", "--wait-for-lock", "repro", "--pull"]  # what weights/ has is not trained


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("jobs", help="how many runs at once, or auto")
    text = parser.parse_args().jobs
    if text != "auto" and (not text.isdecimal() or int(text) < 1):
        raise StageError(f"JOBS is {text}; allowed: a whole number from 1 up, or auto")
    settings = params.load()
    places = hand_out(settings, fitting(settings) if text == "auto" else int(text))
    if subprocess.run([*DVC, "download"]).returncode:
        raise StageError("the data could not be had, so that nothing was trained")
    runs = grid(settings)
    print(f"{len(runs)} runs, {len(places)} at once; what they say goes to {LOGS}/", flush=True)
    LOGS.mkdir(parents=True, exist_ok=True)
    if signal.getsignal(signal.SIGHUP) is signal.SIG_DFL:  # a terminal that is closed, unless nohup was used
        signal.signal(signal.SIGHUP, signal.getsignal(signal.SIGTERM))
    try:
        failed = asyncio.run(train_all(runs, places))
    except KeyboardInterrupt:
        raise KeyboardInterrupt("all runs keep their last checkpoints; the same command goes on from there") from None
    if failed:
        raise StageError(f"{len(failed)} of {len(runs)} runs failed: {', '.join(failed)}; see {LOGS}/")


def fitting(settings: Params) -> int:
    """How many runs at once this machine has room for: one a GPU, or as many as its cores have threads for."""
    if settings.device != "cpu" and torch.cuda.is_available():
        return 1 if settings.device.startswith("cuda:") else len(gpus())
    return max(1, device.cores() // settings.threads) if settings.threads else 1


def gpus() -> list[str]:
    """The GPUs that torch may use, by the names that CUDA_VISIBLE_DEVICES takes."""
    visible = os.environ.get("CUDA_VISIBLE_DEVICES") or ",".join(map(str, range(torch.cuda.device_count())))
    return visible.split(",")


def hand_out(settings: Params, jobs: int) -> list[dict[str, str]]:
    """The environment of each of `jobs` places for a run: a GPU of its own or shared, in turn, or nothing.

    Raises StageError if there are not enough cores for `jobs` runs on CPUs.
    """
    if settings.device != "cpu" and torch.cuda.is_available():
        if settings.device.startswith("cuda:"):  # all on the GPU that the parameter names
            return [{}] * jobs
        names = gpus()
        return [{"CUDA_VISIBLE_DEVICES": names[i % len(names)]} for i in range(jobs)]
    if jobs > 1 and settings.threads == 0:
        most = max(1, device.cores() // jobs)
        raise StageError(f"threads is 0, all cores, for each of {jobs} runs at once; allowed: 1 to {most}")
    if jobs > 1:
        device.enough_cores(jobs, settings.threads, "runs at once")
    return [{} for _ in range(jobs)]


def grid(settings: Params) -> list[str]:
    """The names of all runs, deepest networks first, so that the longest does not begin last."""
    variants = sorted(settings.variants, key=lambda variant: -settings.network(variant).layers)
    return [f"{variant}-{seed}" for variant in variants for seed in settings.seeds]


async def train_all(runs: list[str], places: list[dict[str, str]]) -> list[str]:
    """Train `runs`, as many at once as there are places; the names of those that failed."""
    free: asyncio.Queue[dict[str, str]] = asyncio.Queue()
    for place in places:
        free.put_nowait(place)

    async def train_one(run: str) -> bool:
        place = await free.get()
        try:
            return await train(run, place)
        finally:
            free.put_nowait(place)

    done = await asyncio.gather(*map(train_one, runs))
    return [run for run, well in zip(runs, done, strict=True) if not well]


async def train(run: str, place: dict[str, str]) -> bool:
    """Bring stage train of `run` up to date, its output in a file; whether that went well."""
    log, start = LOGS / f"{run}.log", time.monotonic()
    where = f" on GPU {place['CUDA_VISIBLE_DEVICES']}" if place else ""
    with log.open("wb") as output:
        command = [*DVC, "--single-item", f"train@{run}"]
        shown = {"stdin": subprocess.DEVNULL, "stdout": output, "stderr": STDOUT}
        process = await asyncio.create_subprocess_exec(
            *command, **shown, env=os.environ | place, start_new_session=True
        )
        try:
            code = await process.wait()
        except asyncio.CancelledError:
            await end(process)
            raise
    said = log.read_text(errors="replace")
    took = timedelta(seconds=round(time.monotonic() - start))
    if code:
        reasons = [line for line in said.splitlines() if line.startswith(("error: ", "ERROR: "))]
        print(f"{run} failed{where} after {took}: {reasons[0] if reasons else f'see {log}'}", flush=True)
    elif "Running stage" in said:
        print(f"{run} trained{where} in {took}", flush=True)
    else:
        print(f"{run} is up to date", flush=True)
    return code == 0


async def end(process: Process) -> None:
    """Ctrl-C for dvc and all that it has started; if that is not enough, an end without a choice."""
    with suppress(ProcessLookupError):
        os.killpg(process.pid, signal.SIGINT)
    try:
        with suppress(TimeoutError):
            await asyncio.wait_for(process.wait(), PATIENCE)
    finally:  # also after a second Ctrl-C
        with suppress(ProcessLookupError):
            os.killpg(process.pid, signal.SIGKILL)


if __name__ == "__main__":
    stage.run(main)
