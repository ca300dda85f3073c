"""What tests share: small parameters, a workspace with generated data, and stages run in processes of their own.

pytest                    # all
pytest -m "not slow"      # without the whole pipelines
"""

import copy
import os
import re
import shutil
import signal
import subprocess
import sys
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path

import pytest
import torch
from ruamel.yaml import YAML

from pipeline import dataset, device, networks, params, synthetic, train
from pipeline.distributed import World
from pipeline.engine import Trainer
from pipeline.params import Params
from pipeline.prediction import Inputs

ROOT = Path(__file__).resolve().parent.parent
SMALL = {
    "dataset": "synthetic",
    "train_size": 200,
    "val_size": 0,
    "epochs": 3,
    "warmup_epochs": 0,
    "lr_milestones": [0.4, 0.6],
    "seeds": [0],
    "precision": "fp32",
    "device": "cpu",
    "threads": 1,
    "variants": ["plain8", "resnet8"],
    "arch": {"plain8": {"depth": 8, "shortcut": "none"}, "resnet8": {"depth": 8, "shortcut": "projection"}},
}

ENVIRONMENT = {key: value for key, value in os.environ.items() if key not in ("CIFAR10_SOURCE", "DVC_ROOT")} | {
    "PATH": f"{Path(sys.executable).parent}{os.pathsep}{os.environ['PATH']}"
}


def pytest_configure() -> None:
    """Ctrl-C works in what tests start, also where pytest itself was started in the background and ignores it."""
    signal.signal(signal.SIGINT, signal.default_int_handler)


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    for item in items:
        if item.get_closest_marker("gpu") and not torch.cuda.is_available():
            item.add_marker(pytest.mark.skip(reason="needs a GPU"))


@pytest.fixture(scope="session")
def committed() -> dict:
    """params.yaml as it is in the repository."""
    return YAML(typ="safe", pure=True).load(ROOT / "params.yaml")


@pytest.fixture
def settings(committed: dict) -> Callable[..., Params]:
    """Validated small parameters with changes: settings(epochs=2)."""
    return lambda **changes: params.parse(copy.deepcopy(committed) | copy.deepcopy(SMALL) | changes)


@pytest.fixture(scope="session")
def generated(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with the synthetic data set."""
    folder = tmp_path_factory.mktemp("synthetic")
    synthetic.write_set(folder)
    (folder / "provenance.json").write_text('{"dataset": "synthetic", "identity": "generated", "content_sha256": "0"}')
    return folder


@pytest.fixture
def workspace(tmp_path: Path, committed: dict, generated: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """The current folder, with small parameters and generated data, and nothing else."""
    write_params(tmp_path, committed | SMALL)
    shutil.copytree(generated, tmp_path / "data/cifar10")
    shutil.copy(ROOT / "data/published.csv", tmp_path / "data")
    monkeypatch.chdir(tmp_path)
    monkeypatch.delenv("DVC_ROOT", raising=False)
    return tmp_path


def make(settings: Params, folder: Path, variant: str = "resnet8", seed: int = 0, world: World = World()) -> Trainer:  # noqa: B008
    """A trainer on the data in `folder`: what train's main sets up."""
    compute = device.prepare(settings)
    images, _ = dataset.split(dataset.load(folder, settings.dataset, seed)[0], settings.train_size, settings.val_size)
    inputs = Inputs.of(*dataset.statistics(images.images), compute.device)
    network = networks.build(
        settings.network(variant), seed, world.norm_layer(settings.sync_batchnorm, compute.device)
    ).to(compute.device)
    return train.make_trainer(network, images, inputs, compute, settings, world)


def write_params(folder: Path, content: dict) -> None:
    YAML().dump(content, folder / "params.yaml")


def change_params(folder: Path, **changes: object) -> None:
    path = folder / "params.yaml"
    yaml = YAML()
    write_params(folder, yaml.load(path) | changes)


def command(module: str, *args: object) -> list[str]:
    return [sys.executable, "-m", f"pipeline.{module}", *map(str, args)]


def run(module: str, *args: object, **environment: str) -> subprocess.CompletedProcess[str]:
    """Run a stage in the current folder with the repository's code, in a process of its own."""
    env = os.environ | {"PYTHONPATH": str(ROOT)} | environment
    return subprocess.run(command(module, *args), env=env, capture_output=True, text=True, timeout=300)


def refused(result: subprocess.CompletedProcess[str]) -> str:
    """The one sentence of a refusal; fails if there was a traceback, or no refusal."""
    assert result.returncode == 1, result.stderr
    assert "Traceback" not in result.stderr
    last = result.stderr.strip().splitlines()[-1]
    assert last.startswith("error: ")
    return last


def sh(folder: Path, command: str, code: int | None = 0, **environment: str) -> str:
    """Run a shell command in `folder`; what it printed. Fails unless it exits with `code` (None: with whatever)."""
    env = ENVIRONMENT | environment
    done = subprocess.run(command, shell=True, cwd=folder, env=env, capture_output=True, text=True, timeout=600)
    output = done.stdout + done.stderr
    assert code is None or done.returncode == code, f"{command} exited with {done.returncode}:\n{output}"
    return output


def clone(folder: Path, studies: bool = False, **changes: object) -> Path:
    """A clone of the working tree as it is, with small parameters, committed on main; of study A alone, or of all."""
    files = subprocess.check_output(["git", "ls-files", "-co", "--exclude-standard"], cwd=ROOT, text=True).splitlines()
    for name in files:
        if (ROOT / name).is_file():
            (folder / name).parent.mkdir(parents=True, exist_ok=True)
            shutil.copy(ROOT / name, folder / name)
    change_params(folder, **(SMALL | changes))
    if not studies:
        shutil.rmtree(folder / "studies")
        text = (folder / "README.md").read_text()
        (folder / "README.md").write_text(re.sub(r"## Two more studies.*?(?=## Less or more)", "", text, flags=re.S))
    sh(folder, "git init -q -b main && git config user.name Tester && git config user.email tester@example.org")
    commit(folder, "Start")
    return folder


def commit(folder: Path, message: str) -> None:
    sh(folder, f"git add -A && git commit -q -m '{message}'")


def working_in(folder: Path) -> list[int]:
    """The processes whose current folder is `folder` or below it, but for this one."""
    found = []
    for process in Path("/proc").glob("[0-9]*"):
        with suppress(OSError):  # it has ended, or is another user's
            if (process / "cwd").readlink().is_relative_to(folder):
                found.append(int(process.name))
    return [pid for pid in found if pid != os.getpid()]


def kill_what_runs_in(folder: Path) -> None:
    """Kill what a killed dvc or torchrun has left running in `folder` or below it."""
    for pid in working_in(folder):
        with suppress(ProcessLookupError):
            os.kill(pid, signal.SIGKILL)


@pytest.fixture(autouse=True)
def _torch_as_before():
    """No test leaves torch deterministic, or with another thread count, for the next."""
    threads, deterministic = torch.get_num_threads(), torch.are_deterministic_algorithms_enabled()
    yield
    torch.set_num_threads(threads)
    torch.use_deterministic_algorithms(deterministic)
