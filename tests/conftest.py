"""What tests share: small parameters, a workspace with generated data, stages, and a pipeline that has run once.

pytest            # the fast part
make test         # all, whole pipelines and the report in a browser included
"""

import contextlib
import copy
import hashlib
import importlib
import io
import json
import os
import pickle
import secrets
import shlex
import shutil
import signal
import subprocess
import sys
import tempfile
import warnings
from collections.abc import Callable, Iterator
from contextlib import redirect_stderr, redirect_stdout, suppress
from pathlib import Path

os.environ["OMP_NUM_THREADS"] = "1"  # pytest's workers, and what they start, share the cores
os.environ["RAY_AUTH_MODE"] = "token"  # which Ray reads when it is imported
os.environ["RAY_AUTH_TOKEN"] = secrets.token_hex(32)

import dvc.cli
import dvc.stage.run
import numpy as np
import pandas as pd
import pytest
import torch
from filelock import FileLock
from ruamel.yaml import YAML

from pipeline import stage, train
from pipeline.acquire import cifar_batches, synthetic
from pipeline.analysis.grid import Grid
from pipeline.cluster import worker
from pipeline.compute import confusion, device
from pipeline.compute.distributed import World
from pipeline.compute.inference import Inputs
from pipeline.data import loading
from pipeline.networks.network import build
from pipeline.reporting.checklist import Facts
from pipeline.reporting.study import Study
from pipeline.settings import params
from pipeline.settings.datasets import DATASETS
from pipeline.settings.params import Params
from pipeline.training.trainer import Trainer

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

SESSION = {
    "started": "2026-01-01T00:00:00+00:00", "first_epoch": 1, "hardware": "Some CPU", "capability": "AVX2",
    "device": "cpu", "cores": 4, "processes": 1, "threads": 2, "precision": "fp32", "system": "Linux x86_64",
    "python": "3.11.7", "torch": "2.11.0", "cuda": None, "commit": "5ba256", "epochs": 3, "seconds": 100.0,
    "cpu_seconds": 90.0, "gpu_memory_mb": None,
}  # fmt: skip

ENVIRONMENT = {
    key: value for key, value in os.environ.items() if key not in ("CIFAR10_SOURCE", "CIFAR100_SOURCE", "DVC_ROOT")
} | {"PATH": f"{Path(sys.executable).parent}{os.pathsep}{os.environ['PATH']}"}


def pytest_configure() -> None:
    """A Ctrl-C that works in what tests start, also where pytest itself ignores it."""
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


@pytest.fixture
def facts(settings: Callable[..., Params]) -> Callable[..., Facts]:
    """What the checklist is answered from, made up: facts(identity, starts, folder, ...), and changes of parameters."""

    def make(
        identity: str = "generated",
        starts: dict | None = None,
        folder: str = ".",
        diverged: tuple[str, ...] = (),
        **changes: object,
    ) -> Facts:
        s = settings(**changes)
        classes, tested = DATASETS[s.dataset].classes, DATASETS[s.dataset].test
        data = {"dataset": s.dataset, "identity": identity, "content_sha256": "5ba256"}
        names = [(variant, seed) for variant in s.variants for seed in s.seeds]
        results = pd.DataFrame({"variant": s.variants, "test_error_se": 0.5, "runs": len(s.seeds)})
        for key, first in {"depth": 8, "parameters": 1_000_000, "test_error": 10.0, "test_error_sd": 0.25}.items():
            results[key] = [first * (1 + i) for i in range(len(results))]
        results["shortcut"] = [s.arch[variant].connection for variant in s.variants]
        count = tested // len(classes)
        counts = pd.DataFrame(
            [(*name, actual, actual, count) for name in names for actual in classes],
            columns=["variant", "seed", "actual", "predicted", "count"],
        )
        names = [f"{variant}-{seed}" for variant, seed in names]
        runs = {name: {"data": data, "test_images": tested, "diverged": name in diverged} for name in names}
        study = Study(s, results, pd.DataFrame(), counts, runs, {"": s.variants}, "")
        return Facts(study, {name: [SESSION] for name in names}, starts or {}, folder)

    return make


@pytest.fixture(scope="session")
def generated(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with the synthetic data set."""
    folder = tmp_path_factory.mktemp("synthetic")
    synthetic.write_set(folder)
    (folder / "provenance.json").write_text('{"dataset": "synthetic", "identity": "generated", "content_sha256": "0"}')
    return folder


@pytest.fixture(scope="session")
def generated100(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with the generated data set in CIFAR-100's form."""
    folder = tmp_path_factory.mktemp("synthetic_cifar100")
    synthetic.write_set(folder, DATASETS["synthetic_cifar100"])
    provenance = {"dataset": "synthetic_cifar100", "identity": "generated", "content_sha256": "0"}
    (folder / "provenance.json").write_text(json.dumps(provenance))
    return folder


@pytest.fixture
def batches(generated: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A folder with the synthetic data set as the makers pickled theirs; its files count as the makers'."""
    return pickled(tmp_path / "cifar-10-batches-py", "cifar10", generated, ["labels"], monkeypatch)


@pytest.fixture
def batches100(generated100: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Likewise, in CIFAR-100's form."""
    keys = ["coarse_labels", "fine_labels"]
    return pickled(tmp_path / "cifar-100-python", "cifar100", generated100, keys, monkeypatch)


def pickled(folder: Path, dataset: str, binary: Path, keys: list[str], monkeypatch: pytest.MonkeyPatch) -> Path:
    """`folder`, with what is in `binary` pickled as the makers did; `keys` name the label bytes of a record."""
    folder.mkdir()
    for name, file in zip(cifar_batches.MD5[dataset], DATASETS[dataset].files, strict=True):
        records = np.fromfile(binary / file, np.uint8).reshape(-1, len(keys) + 3072)
        labels = {key: records[:, place].tolist() for place, key in enumerate(keys)}
        batch = {"data": records[:, len(keys) :], "batch_label": name} | labels
        (folder / name).write_bytes(pickle.dumps(batch, protocol=2))
        monkeypatch.setitem(cifar_batches.MD5[dataset], name, hashlib.md5((folder / name).read_bytes()).hexdigest())
    return folder


@pytest.fixture
def workspace(tmp_path: Path, committed: dict, generated: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """The current folder, with small parameters and generated data, and nothing else."""
    write_params(tmp_path, committed | SMALL)
    shutil.copytree(generated, tmp_path / "data/cifar10")
    for name in ("published.csv", "published_weights.csv", "claims.yaml"):
        shutil.copy(ROOT / "data" / name, tmp_path / "data")
    monkeypatch.chdir(tmp_path)
    monkeypatch.delenv("DVC_ROOT", raising=False)
    return tmp_path


@pytest.fixture
def workspace100(workspace: Path, generated100: Path) -> Path:
    """Likewise, with the generated data in CIFAR-100's form."""
    arch = {name: entry | {"classes": 100} for name, entry in SMALL["arch"].items()}
    change_params(workspace, dataset="synthetic_cifar100", arch=arch)
    shutil.rmtree(workspace / "data/cifar10")
    shutil.copytree(generated100, workspace / "data/cifar10")
    return workspace


def make(settings: Params, folder: Path, variant: str = "resnet8", seed: int = 0, world: World = World()) -> Trainer:  # noqa: B008
    """A trainer on the data in `folder`: what train's main sets up."""
    compute = device.prepare(settings, settings.precision)
    images, _ = loading.split(loading.load(folder, settings.dataset, seed)[0], settings.train_size, settings.val_size)
    inputs = Inputs.of(*loading.statistics(images.images), compute.device)
    network = build(settings.network(variant), seed, world.norm_layer(settings.sync_batchnorm, compute.device)).to(
        compute.device
    )
    return train.make_trainer(network, images, inputs, compute, settings, world)


def grid_of(settings: Params, errors: dict[str, list[float]], **measures: dict[str, list[float]]) -> Grid:
    """Made-up runs of the given test errors in the last epoch, a list a variant; `measures` likewise."""
    curves = [
        {"variant": variant, "seed": seed, "epoch": epoch, "train_loss": 1.0 / epoch, "train_error": 50.0 / epoch}
        | {"test_error": error if epoch == settings.epochs else 60.0 + epoch}
        for variant, row in errors.items()
        for seed, error in zip(settings.seeds, row, strict=True)
        for epoch in range(1, settings.epochs + 1)
    ]
    ends = [(v, s, e) for v, row in errors.items() for s, e in zip(settings.seeds, row, strict=True)]
    runs = pd.DataFrame(ends, columns=["variant", "seed", "test_error"])
    runs = runs.assign(test_loss=1.0, test_images=10_000, diverged=False)
    for name, values in measures.items():
        runs[name] = [values[v][settings.seeds.index(s)] for v, s in zip(runs["variant"], runs["seed"], strict=True)]
    rng = np.random.default_rng(0)
    wrong = {
        f"{variant}-{seed}": rng.permutation(10_000) < 100 * error
        for variant, row in errors.items()
        for seed, error in zip(settings.seeds, row, strict=True)
    }
    empty = pd.DataFrame(columns=["variant", "seed"])
    actual = np.repeat(np.arange(10), 1000)
    return Grid(settings, runs, pd.DataFrame(curves), empty, wrong, actual, empty, empty, empty)


def write_run(folder: Path, errors: list[float], rates: list[float], diverged: bool = False) -> None:
    """A made-up run of 100 test images of two classes in `folder`, with the test error of each epoch."""
    folder.mkdir(parents=True, exist_ok=True)
    history = pd.DataFrame({"epoch": range(1, len(errors) + 1), "lr": np.round(rates[: len(errors)], 12)})
    history = history.assign(train_loss=1.0, train_error=np.array(errors) - 1, test_loss=1.5, test_error=errors)
    history.to_csv(folder / "history.csv", index=False)
    metrics = {"test_error": errors[-1], "test_loss": 1.5, "diverged": diverged, "parameters": 1000}
    metrics |= {
        "test_images": 100,
        "confidence": 80.0,
        "calibration_error": 1.5,
        "class_error": {},
        "data": {"dataset": "cifar10"},
    }
    (folder / "metrics.json").write_text(json.dumps(metrics))
    actual = np.repeat([0, 1], 50)
    predicted = np.where(np.arange(100) < errors[-1], 1 - actual, actual)
    pd.DataFrame({"actual": actual, "predicted": predicted}).to_csv(folder / "predictions.csv", index=False)
    counts = confusion.confusion_table(confusion.confusion(actual, predicted, 2), ["cat", "dog"])
    counts.to_csv(folder / "confusion.csv", index=False)
    probe = {"train_error_eval": errors[-1] - 2, "gradient_reach_initial": 0.1, "gradient_reach": 0.2}
    (folder / "probe.json").write_text(json.dumps(probe | {"response_std": 0.9, "identity_deviation": 0.0}))
    layers = pd.DataFrame({"when": ["initial", "trained"], "layer": 1, "name": "conv1"})
    layers.assign(gradient=1.0, images=500).to_csv(folder / "gradients.csv", index=False)
    layers.assign(std=1.0, images=500).to_csv(folder / "responses.csv", index=False)


def write_params(folder: Path, content: dict) -> None:
    YAML().dump(content, folder / "params.yaml")


def change_params(folder: Path, **changes: object) -> None:
    path = folder / "params.yaml"
    yaml = YAML()
    write_params(folder, yaml.load(path) | changes)


def command(module: str, *args: object) -> list[str]:
    return [sys.executable, "-m", f"pipeline.{module}", *map(str, args)]


def run(module: str, *args: object, **environment: str) -> subprocess.CompletedProcess[str]:
    """Run a stage in the current folder as its command line would, but in this process, which takes a fraction."""
    main = importlib.import_module(f"pipeline.{module}").main
    out, err, code = io.StringIO(), io.StringIO(), 0
    terminated = signal.getsignal(signal.SIGTERM)
    with pytest.MonkeyPatch.context() as patch, redirect_stdout(out), redirect_stderr(err):
        patch.setattr(sys, "argv", [module, *map(str, args)])
        for name, value in ({"PYTHONPATH": str(ROOT)} | environment).items():
            patch.setenv(name, value)
        try:
            stage.run(main)
        except SystemExit as end:
            code = end.code if isinstance(end.code, int) else 1
            if isinstance(end.code, str):
                print(end.code, file=sys.stderr)
        finally:
            signal.signal(signal.SIGTERM, terminated)
    return subprocess.CompletedProcess(module, code, out.getvalue(), err.getvalue())


def run_process(module: str, *args: object) -> subprocess.CompletedProcess[str]:
    """Run a stage in the current folder with the repository's code, in a process of its own."""
    env = os.environ | {"PYTHONPATH": str(ROOT)}
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


@contextlib.contextmanager
def quiet() -> Iterator[None]:
    """DVC's own warnings are not ours to fail for."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        yield


def run_dvc(folder: Path, command: str) -> str:
    """Run a command of DVC in `folder`, and its stages, in this process; what DVC printed. Fails unless it succeeds.

    For many short stages, of which each would import torch anew. Not so report: it asks where its code lies.
    """
    start, out = dvc.stage.run._run, io.StringIO()

    def call(executable: str, command: str, cwd: str, **kwargs: object) -> None:
        if "pipeline.report" in command:
            return start(executable, command, cwd=cwd, **kwargs)
        words = [word for word in shlex.split(command) if not word.startswith("PYTHONPATH=")]
        assert words[:2] == ["python", "-m"], command
        with contextlib.chdir(cwd):
            result = run(words[2].removeprefix("pipeline."), *words[3:], DVC_ROOT=str(folder))
        assert result.returncode == 0, f"{command}: {result.stderr}"
        return None

    with (
        pytest.MonkeyPatch.context() as patch, quiet(), contextlib.chdir(folder),
        redirect_stdout(out), redirect_stderr(out),
    ):  # fmt: skip
        patch.setattr(dvc.stage.run, "_run", call)
        patch.setenv("PATH", ENVIRONMENT["PATH"])
        code = dvc.cli.main(shlex.split(command))
    assert code == 0, out.getvalue()
    return out.getvalue()


def clone(folder: Path, studies: bool = False, **changes: object) -> Path:
    """A clone of the working tree as it is, with small parameters, committed on main; of study A alone, or of all."""
    files = subprocess.check_output(["git", "ls-files", "-co", "--exclude-standard"], cwd=ROOT, text=True).splitlines()
    for name in files:
        if (ROOT / name).is_file() and not name.startswith("weights/files/"):  # megabytes
            (folder / name).parent.mkdir(parents=True, exist_ok=True)
            shutil.copy(ROOT / name, folder / name, follow_symlinks=False)
    change_params(folder, **(SMALL | changes))
    if not studies:
        shutil.rmtree(folder / "studies")
        (folder / "docs/studies.md").unlink()  # it shows their results
    sh(folder, "git init -q -b main && git config user.name Tester && git config user.email tester@example.org")
    commit(folder, "Start")
    return folder


def commit(folder: Path, message: str) -> None:
    sh(folder, f"git add -A && git commit -q -m '{message}'")


@pytest.fixture(scope="session")
def reproduced_once(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A clone of study A in which `dvc repro` has run and its results are committed. To be copied, not changed.

    All of pytest's workers share it: the first that asks makes it.
    """
    base = tmp_path_factory.getbasetemp()
    if "PYTEST_XDIST_WORKER" in os.environ:
        base = base.parent
    folder, done = base / "reproduced", base / "reproduced.done"
    with FileLock(base / "reproduced.lock"):
        if not done.exists():
            folder.mkdir()
            clone(folder)
            shutil.rmtree(folder / "reports")
            (folder / "dvc.lock").unlink()
            run_dvc(folder, "repro")
            commit(folder, "Results")
            done.touch()
    return folder


@pytest.fixture(scope="module")
def reproduced(reproduced_once: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A copy of `reproduced_once`, with its cache, for the tests of a module."""
    return shutil.copytree(reproduced_once, tmp_path_factory.mktemp("copy") / "reproduced")


@pytest.fixture(scope="module")
def with_weights(reproduced: Path) -> Path:
    """Likewise, with the weights in weights/."""
    assert "2 folders of files" in sh(reproduced, "python -m pipeline.tools.push_weights")
    commit(reproduced, "Weights")
    return reproduced


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


@contextlib.contextmanager
def ray_cluster(*nodes: dict) -> Iterator:
    """A Ray cluster on this machine: a head without CPUs, and nodes of one CPU, each with more arguments."""
    from ray.cluster_utils import Cluster

    small = {"object_store_memory": 80 << 20}
    with quiet():
        made = Cluster(initialize_head=True, head_node_args={"num_cpus": 0, "include_dashboard": False} | small)
        made.join = lambda **node: made.add_node(num_cpus=1, **small, **node)
        made.nodes = [made.join(**node) for node in nodes]
        yield made
        made.shutdown()


@pytest.fixture(scope="session")
def bundle(tmp_path_factory: pytest.TempPathFactory, committed: dict) -> bytes:
    """All code with small parameters, as it travels to a node."""
    folder = tmp_path_factory.mktemp("bundle")
    write_params(folder, committed | SMALL)
    (folder / "pipeline").symlink_to(ROOT / "pipeline")
    files = [folder / path.relative_to(ROOT) for path in ROOT.glob("pipeline/**/*.py")]
    return worker.pack(folder, [folder / "params.yaml", *files])


@pytest.fixture
def short() -> Iterator[Path]:
    """A folder for temporary files with a path short enough for Ray's sockets; nothing runs there in the end."""
    with tempfile.TemporaryDirectory(dir="/tmp", ignore_cleanup_errors=True) as folder:
        yield Path(folder)
        kill_what_runs_in(Path(folder))


@pytest.fixture(autouse=True)
def _torch_as_before():
    """No test leaves torch deterministic, or with another thread count, for the next."""
    threads, deterministic = torch.get_num_threads(), torch.are_deterministic_algorithms_enabled()
    yield
    torch.set_num_threads(threads)
    torch.use_deterministic_algorithms(deterministic)
