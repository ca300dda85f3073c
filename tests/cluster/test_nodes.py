"""How much of a machine a run takes, and what is refused. That Ray starts and trains is in test_driver.py."""

import pytest
import torch

from pipeline.compute import device
from pipeline.stage import StageError

pytest.importorskip("ray", reason="make test installs requirements-ray.txt")

from pipeline.cluster import nodes


@pytest.fixture
def started(monkeypatch):
    """What Ray would have been started with."""
    asked = []
    monkeypatch.setattr(nodes.ray, "init", lambda address, **options: asked.append((address, options)))
    monkeypatch.setattr(nodes.ray, "shutdown", lambda: None)
    monkeypatch.setenv("RAY_AUTH_TOKEN", "")
    return asked


@pytest.fixture
def gpus(monkeypatch):
    """A machine with so many GPUs."""

    def pretend(count: int) -> None:
        monkeypatch.setattr(torch.cuda, "is_available", lambda: count > 0)
        monkeypatch.setattr(torch.cuda, "device_count", lambda: count)

    return pretend


def test_auto_is_a_run_for_each_gpu_or_for_as_many_cores_as_it_has_threads(settings, monkeypatch, gpus):
    monkeypatch.setattr(device, "cores", lambda: 8)
    assert [nodes.at_once(settings(threads=threads), "auto") for threads in (1, 2, 3, 16, 0)] == [8, 4, 2, 1, 1]
    gpus(4)
    assert [nodes.at_once(settings(device=name), "auto") for name in ("auto", "cuda", "cuda:1", "cpu")] == [4, 4, 1, 8]
    assert nodes.at_once(settings(device="auto"), "6") == 6


def test_cores_are_never_overbooked(settings, monkeypatch):
    monkeypatch.setattr(device, "cores", lambda: 8)
    assert nodes.at_once(settings(threads=2), "4") == 4
    with pytest.raises(StageError, match="5 runs at once of 2 threads need 10 cores, and there are 8; "):
        nodes.at_once(settings(threads=2), "5")
    with pytest.raises(StageError, match="2 runs at once of 8 threads"):
        nodes.at_once(settings(threads=0), "2")
    monkeypatch.setattr(device, "cores", lambda: 1)
    assert nodes.at_once(settings(threads=2), "1") == 1


@pytest.mark.parametrize(
    ("there", "changes", "count", "share", "resources"),
    [
        (0, {"threads": 2}, 3, (2, 0), (6, 0)),
        (2, {"device": "auto"}, 2, (1, 1), (2, 2)),
        (2, {"device": "cuda"}, 3, (1, 1 / 2), (3, 2)),  # two on one GPU and one on the other
        (4, {"device": "auto"}, 2, (1, 1), (2, 4)),
        (2, {"device": "cuda:1"}, 2, (1, 0), (2, 0)),  # the parameter says which GPU, and Ray none
        (2, {"device": "cpu"}, 2, (1, 0), (2, 0)),
    ],
)
def test_each_run_takes_its_threads_or_its_part_of_a_gpu(
    settings, started, gpus, there, changes, count, share, resources
):
    gpus(there)
    with nodes.this_machine(settings(**changes), count) as taken:
        assert taken == (*share, {})
    ((address, options),) = started
    assert address == "local"
    assert (options["num_cpus"], options["num_gpus"]) == resources
    assert not options["include_dashboard"]


def test_each_ray_of_this_machine_has_a_token_of_its_own(settings, started):
    tokens = set()
    for _ in range(2):
        with nodes.this_machine(settings(), 2):
            tokens.add(nodes.os.environ["RAY_AUTH_TOKEN"])
    assert [len(token) for token in tokens] == [64, 64]


def test_on_a_cluster_a_run_takes_a_gpu_or_a_part_of_one_if_there_are_any(settings, started, monkeypatch):
    labels = {"kind": "h100"}
    monkeypatch.setattr(nodes.ray, "cluster_resources", lambda: {"CPU": 8, "GPU": 2})
    with nodes.cluster("auto", settings(device="auto"), 2, labels) as share:
        assert share.options() == {"num_cpus": 0, "num_gpus": 0.5}
        assert share.labels == labels
    with nodes.cluster("auto", settings(device="cpu", threads=2), 2, {}) as share:
        assert share == (2, 0, {})
    monkeypatch.setattr(nodes.ray, "cluster_resources", lambda: {"CPU": 8})
    with nodes.cluster("auto", settings(device="auto", threads=2), 2, {}) as share:
        assert share == (2, 0, {})
    with pytest.raises(StageError, match="threads is 0"), nodes.cluster("auto", settings(threads=0), 1, {}):
        pass
    with (
        pytest.raises(StageError, match="device is cuda:0; allowed"),
        nodes.cluster("auto", settings(device="cuda:0"), 1, {}),
    ):
        pass


def test_no_cluster_is_one_sentence(settings, monkeypatch):
    def nobody(address: str, **options: object) -> None:
        raise ConnectionError("Could not find any running Ray instance.\nMore words")

    monkeypatch.setattr(nodes.ray, "init", nobody)
    sentence = r"no connection to Ray at auto: Could not find any running Ray instance. See docs/clusters.md"
    with pytest.raises(StageError, match=sentence), nodes.cluster("auto", settings(), 1, {}):
        pass
