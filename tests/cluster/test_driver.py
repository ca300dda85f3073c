"""A grid on a test cluster of two nodes, and on this machine: the same bits, whatever dies meanwhile.

pytest -m "slow and not sweep" tests/cluster/test_driver.py
"""

import json
import os
import random
import re
import signal
import subprocess
import time
from collections.abc import Iterator
from pathlib import Path

import pytest
from conftest import (
    ENVIRONMENT,
    change_params,
    clone,
    command,
    ray_cluster,
    refused,
    run,
    run_dvc,
    sh,
    working_in,
)
from filelock import FileLock
from safetensors import safe_open

pytest.importorskip("ray", reason="make test installs requirements-ray.txt")

pytestmark = pytest.mark.slow

EPOCHS = 20  # enough that no run ends before the last fault
OUTPUTS = [
    f"data/models/{run}/{name}" for run in ("plain8-0", "resnet8-0") for name in ("weights.safetensors", "history.csv")
]


@pytest.fixture
def cluster(short: Path) -> Iterator:
    """Two nodes whose temporary files lie in `short`."""
    with ray_cluster(*[{"env_vars": {"TMPDIR": str(short)}}] * 2) as made:
        yield made


class Driver:
    """A driver that runs in `folder`, with what it says."""

    def __init__(self, folder: Path, *options: str, **environment: str) -> None:
        self.folder, self.seen = folder, newest(folder)
        self.process = subprocess.Popen(
            command("cluster.driver", *options), cwd=folder, env=ENVIRONMENT | environment, text=True,
            stdout=subprocess.PIPE, stderr=subprocess.STDOUT,
        )  # fmt: skip

    def wait_for_lock(self) -> None:
        """Until it is the driver at work here, the first one in this folder."""
        deadline = time.monotonic() + 60
        while not (self.folder / ".scratch/grid.lock").exists():
            assert self.process.poll() is None, self.process.stdout.read()
            assert time.monotonic() < deadline
            time.sleep(0.05)

    def wait_for_checkpoints(self) -> None:
        """Until each run has written one since this driver began."""
        deadline = time.monotonic() + 120
        while {name for name, changed in newest(self.folder).items() if changed != self.seen.get(name)} < {"p", "r"}:
            assert self.process.poll() is None, self.process.stdout.read()
            assert time.monotonic() < deadline
            time.sleep(0.05)

    def end(self) -> tuple[int, str]:
        """Its exit code and what it said."""
        said, _ = self.process.communicate(timeout=600)
        return self.process.returncode, said


def newest(folder: Path) -> dict[str, int]:
    """When the checkpoint of each run was written, by the first letter of its name."""
    return {path.parent.name[0]: path.stat().st_mtime_ns for path in folder.glob(".scratch/*/checkpoint.safetensors")}


def nothing_is_left(short: Path) -> None:
    deadline = time.monotonic() + 30
    while working_in(short):
        assert time.monotonic() < deadline
        time.sleep(0.1)


def contents(folder: Path) -> dict[str, bytes]:
    return {name: (folder / name).read_bytes() for name in OUTPUTS}


@pytest.fixture(scope="module")
def alone(tmp_path_factory) -> dict[str, bytes]:
    """What `dvc repro` trains, one run after the other."""
    folder = clone(tmp_path_factory.mktemp("alone"), epochs=EPOCHS)
    sh(folder, "rm -rf reports dvc.lock")
    run_dvc(folder, "repro train")
    return contents(folder)


def test_whatever_dies_the_bits_are_those_of_one_run_at_a_time_and_nothing_is_left(alone, cluster, short, tmp_path):
    folder = clone(tmp_path, epochs=EPOCHS)
    sh(folder, "rm -rf reports dvc.lock")
    options = ("--address", cluster.address)

    driver = Driver(folder, *options)
    driver.wait_for_lock()
    second = Driver(folder, *options).end()  # its start takes seconds: no epochs should go by
    assert second == (1, "error: another driver is at work here: wait for it, or stop it first\n")
    driver.wait_for_checkpoints()
    driver.process.send_signal(signal.SIGINT)
    code, said = driver.end()
    assert code == 130
    assert "all runs keep their last checkpoints; the same command goes on from there" in said
    nothing_is_left(short)

    driver = Driver(folder, *options)
    driver.wait_for_checkpoints()
    driver.process.kill()
    driver.end()
    nothing_is_left(short)

    driver = Driver(folder, *options)
    driver.wait_for_checkpoints()
    cluster.remove_node(cluster.nodes[0], allow_graceful=False)
    code, said = driver.end()
    assert code == 0, said
    assert said.count("trained and recorded") == 2
    for name in ("plain8-0", "resnet8-0"):
        assert "are done" in (folder / f".scratch/logs/{name}.log").read_text()
        sessions = json.loads((folder / f"reports/runs/{name}/environment.json").read_text())["sessions"]
        assert len(sessions) >= 3
        assert {session["commit"] for session in sessions} == {sh(folder, "git rev-parse HEAD").strip()}
    assert contents(folder) == alone
    nothing_is_left(short)
    assert not list(short.glob("grid-*"))
    assert not list(folder.glob(".scratch/*/checkpoint.safetensors"))
    assert "all runs are up to date" in sh(folder, "python -m pipeline.cluster.driver --address nowhere")
    assert "train" not in sh(folder, "dvc status")


def test_runs_that_fail_or_diverge_stop_no_other_and_edits_meanwhile_are_noticed(short, tmp_path):
    folder = clone(tmp_path, epochs=EPOCHS)
    sh(folder, "rm -rf reports dvc.lock")
    options, environment = ("--jobs", "2"), {"TMPDIR": str(short)}

    driver = Driver(folder, *options, **environment)
    driver.wait_for_checkpoints()
    change_params(folder, lr=0.05)
    code, said = driver.end()
    assert code == 1
    assert "plain8-0: failed: code or parameters were edited while it was trained" in said
    assert {path.name for path in (folder / ".scratch/aside").iterdir()} == {"plain8-0.zip", "resnet8-0.zip"}

    change_params(folder, lr=0.1)
    (checkpoint,) = folder.glob(".scratch/plain8-0-*/checkpoint.safetensors")
    checkpoint.write_bytes(b"no checkpoint")
    code, said = Driver(folder, *options, **environment).end()
    assert code == 1
    assert re.search(r"plain8-0: failed: \.scratch/plain8-0-\w+/checkpoint\.safetensors is damaged", said)
    assert "resnet8-0: trained and recorded" in said
    assert said.splitlines()[-1] == "error: 1 of 2 runs failed: plain8-0"
    assert "plain8-0: failed" in (folder / ".scratch/logs/grid.log").read_text()

    change_params(folder, lr=1e30)
    with FileLock(folder / ".scratch/plain8-0.lock"):
        code, said = Driver(folder, *options, **environment).end()
    assert code == 1
    assert "plain8-0: failed: another process is training plain8-0 already: wait for it, or stop it first" in said
    assert "resnet8-0: trained and recorded" in said
    assert "has diverged" in (folder / ".scratch/logs/resnet8-0.log").read_text()
    assert not list(short.glob("grid-*"))


@pytest.mark.sweep
def test_a_sweep_of_random_faults_loses_nothing(cluster, short, tmp_path):
    """Twenty times a node, a worker or the driver is killed at a random time, and replaced. 13 minutes."""
    grid = {"epochs": 40, "seeds": [0, 1]}
    folder, alone = clone(tmp_path / "grid", **grid), clone(tmp_path / "alone", **grid)
    for one in (folder, alone):
        sh(one, "rm -rf reports dvc.lock")
    options, draw = ("--address", cluster.address), random.Random(0)
    driver, faults = Driver(folder, *options), []
    while len(faults) < 20:
        wait_for_progress(driver)
        time.sleep(draw.uniform(0, 3))
        fault = draw.choice(("node", "worker", "driver"))
        if fault == "node":
            cluster.remove_node(cluster.nodes.pop(draw.randrange(2)), allow_graceful=False)
            cluster.nodes.append(cluster.join(env_vars={"TMPDIR": str(short)}))
        elif fault == "worker":
            os.kill(draw.choice(workers(short)), signal.SIGKILL)
        else:
            driver.process.kill()
            driver.end()
            driver = Driver(folder, *options)
        faults.append(fault)
        print(fault, {path.parent.name: epochs(path) for path in checkpoints(folder)}, flush=True)
    code, said = driver.end()
    assert code == 0, said
    nothing_is_left(short)
    assert not list(short.glob("grid-*"))
    run_dvc(alone, "repro train")
    paths = sorted(path.relative_to(alone) for path in alone.glob("data/models/*/*"))
    assert len(paths) == 8
    assert [path for path in paths if (alone / path).read_bytes() != (folder / path).read_bytes()] == []


def checkpoints(folder: Path) -> list[Path]:
    return sorted(folder.glob(".scratch/*/checkpoint.safetensors"))


def epochs(path: Path) -> int:
    """How many a checkpoint is after."""
    with safe_open(path, "np") as file:
        return len(json.loads(file.metadata()["history"]))


def wait_for_progress(driver: Driver) -> None:
    """Until any run writes another checkpoint."""
    before = {path: path.stat().st_mtime_ns for path in checkpoints(driver.folder)}
    deadline = time.monotonic() + 120
    while all(path in before and path.stat().st_mtime_ns == before[path] for path in checkpoints(driver.folder)):
        assert driver.process.poll() is None, driver.process.stdout.read()
        assert time.monotonic() < deadline
        time.sleep(0.05)


def workers(short: Path) -> list[int]:
    """The processes of Ray that train a run: the parents of those that work in `short`."""
    stats = [Path(f"/proc/{pid}/stat").read_text() for pid in working_in(short)]
    return [int(stat.rpartition(")")[2].split()[1]) for stat in stats]


@pytest.mark.parametrize(
    ("options", "sentence"),
    [
        *((f"--jobs={n}", f"JOBS is {n}; allowed: a whole number from 1 up, or auto") for n in ("0", "-1", "x", "1.5")),
        ("--per-gpu=0", "--per-gpu is 0; allowed: a whole number from 1 up"),
        ("--label=h100", "--label is h100; allowed: KEY=VALUE"),
        ("--study=nothing", "--study is nothing; allowed: "),
    ],
)  # fmt: skip
def test_what_is_no_number_or_study_is_refused(workspace, options, sentence):
    assert sentence in refused(run("cluster.driver", options))
