"""What the benchmarks share: the machine in words, commands with their cost, and where the figures go."""

import os
import shutil
import subprocess
import sys
import tempfile
import time
from pathlib import Path
from typing import NamedTuple

import pandas as pd
import torch
from ruamel.yaml import YAML

from pipeline.acquire import synthetic
from pipeline.analysis.tables import pipes
from pipeline.compute import device
from pipeline.compute.device import Compute
from pipeline.settings.datasets import DataSet
from pipeline.stage import StageError, write
from pipeline.tools.readme import insert

ROOT = Path(__file__).resolve().parent.parent
FOLDER = ROOT / "benchmarks"


class Cost(NamedTuple):
    """Of a command: seconds until its first line and until its end, and the memory of its largest process, in MB."""

    first: float
    seconds: float
    memory: float


# Runs a command and writes the most memory, in KB, that one of its processes held. It has a process of its own, since a
# child begins with its parent's figure, and ours has torch in it.
MEASURE = """import resource, subprocess, sys
code = subprocess.call(sys.argv[2:])
open(sys.argv[1], "w").write(str(resource.getrusage(resource.RUSAGE_CHILDREN).ru_maxrss))
sys.exit(code)"""


def run(command: list[str], folder: Path, **environment: str) -> Cost:
    """Run `command` in `folder` with the repository's code. Raises StageError with what it said if it fails."""
    environment = os.environ | {"PYTHONPATH": str(ROOT), "DVC_ROOT": str(folder)} | environment
    with tempfile.TemporaryDirectory() as scratch:
        peak, said = Path(scratch) / "peak", Path(scratch) / "said"
        measured = [sys.executable, "-I", "-S", "-c", MEASURE, str(peak), *command]
        with said.open("w") as errors:
            start = time.perf_counter()
            process = subprocess.Popen(
                measured, cwd=folder, env=environment, stdout=subprocess.PIPE, stderr=errors, text=True
            )
            line = process.stdout.readline()
            first = time.perf_counter() - start
            rest, _ = process.communicate()
            seconds = time.perf_counter() - start
        if process.returncode:
            text = line + rest + said.read_text()
            raise StageError(f"{' '.join(command)} exited with {process.returncode}: {text[-1000:]}")
        return Cost(first, seconds, int(peak.read_text()) / 1024)


def module(name: str, *args: object) -> list[str]:
    return [sys.executable, "-m", f"pipeline.{name}", *map(str, args)]


def dvc(*args: str) -> list[str]:
    return [sys.executable, "-m", "dvc", *args]


def workspace(folder: Path, **changes: object) -> Path:
    """A git repository in `folder` with the files of this one, and with parameters changed."""
    files = subprocess.check_output(["git", "ls-files", "-co", "--exclude-standard"], cwd=ROOT, text=True).splitlines()
    for name in (name for name in files if (ROOT / name).is_file()):
        (folder / name).parent.mkdir(parents=True, exist_ok=True)
        shutil.copy(ROOT / name, folder / name)
    yaml = YAML()
    content = yaml.load(folder / "params.yaml")
    yaml.dump(content | changes, folder / "params.yaml")
    subprocess.run(["git", "init", "-q"], cwd=folder, check=True)
    return folder


def write_data(folder: Path, train: int = 50_000, test: int = 10_000) -> None:
    """A data set of CIFAR-10's size, generated: how long a step takes does not depend on what is in the images."""
    synthetic.write_set(folder, DataSet(train, test))
    write(folder / "provenance.json", '{"dataset": "cifar10", "identity": "generated", "content_sha256": ""}')


def machine(compute: Compute) -> str:
    """Hardware and versions, a line."""
    facts = device.environment(compute, 1)
    host = device.hardware(torch.device("cpu"))
    where = f"{facts['hardware']} on {host}" if compute.device.type == "cuda" else host
    cuda = f", CUDA {facts['cuda']}" if facts["cuda"] else ""
    return (
        f"{where}, {facts['threads']} of {facts['cores']} cores, {facts['precision']}, {facts['system']}, "
        f"Python {facts['python']}, torch {facts['torch']}{cuda}"
    )


def publish(name: str, table: pd.DataFrame, note: str, folder: Path) -> None:
    """Write `table` to NAME.csv and, with `note`, between the markers of that name in README.md, both in `folder`."""
    write(folder / f"{name}.csv", table.to_csv(index=False))
    text = f"{pipes(table)}\n\n{note}\n"
    print(text)
    readme = folder / "README.md"
    if readme.exists():
        write(readme, insert(readme.read_text(), text, f"<!-- {name} -->", f"<!-- end of {name} -->", readme))
