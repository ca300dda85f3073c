"""Device, precision and threads."""

import ctypes

import pytest
import torch
from conftest import sh
from torch._utils import _get_device_index

from pipeline.compute import device
from pipeline.stage import StageError


def test_a_gpu_that_is_not_there_is_refused(settings, monkeypatch):
    monkeypatch.setattr(torch.cuda, "device_count", lambda: 0)
    with pytest.raises(
        StageError, match="device is cuda, but this machine has no GPU that torch can use; allowed: auto"
    ):
        device.prepare(settings(device="cuda"), "fp32")
    monkeypatch.setattr(torch.cuda, "device_count", lambda: 2)
    with pytest.raises(StageError, match="device is cuda:2, but this machine has cuda:0 to cuda:1"):
        device.prepare(settings(device="cuda:2"), "fp32")


def test_a_gpu_without_a_number_is_the_current_one(monkeypatch):
    chosen = []
    monkeypatch.setattr(torch.cuda, "is_available", lambda: True)
    monkeypatch.setattr(torch.cuda, "device_count", lambda: 2)
    monkeypatch.setattr(torch.cuda, "set_device", lambda device: chosen.append(_get_device_index(device)))
    for name in ("auto", "cuda", "cuda:1"):
        assert device._device(name, 0, 1) == torch.device(name.replace("auto", "cuda"))
    assert chosen == [1]
    assert device._device("cuda", 1, 2) == torch.device("cuda:1")
    with pytest.raises(StageError, match="device is cuda:0, one GPU for 2 processes; allowed with torchrun: auto"):
        device._device("cuda:0", 1, 2)


def test_processes_on_cpus_need_cores(monkeypatch):
    monkeypatch.setattr(device, "cores", lambda: 4)
    device.enough_cores(2, 2, "processes")
    with pytest.raises(StageError, match="3 processes of 2 threads need 6 cores, and there are 4; allowed: up to 2"):
        device.enough_cores(3, 2, "processes")


@pytest.mark.parametrize(
    ("capabilities", "precision"),
    [({"avx512_bf16": True}, "bf16"), ({"amx_bf16": True}, "bf16"), ({"avx512_f": True, "avx2": True}, "fp32")],
)
def test_auto_is_bf16_where_a_cpu_has_it_natively(settings, monkeypatch, capabilities, precision):
    monkeypatch.setattr(torch.cpu, "get_capabilities", lambda: capabilities)
    assert device.prepare(settings(), "auto").precision == precision


@pytest.mark.parametrize(("capability", "has"), [((7, 5), False), ((8, 0), True), ((9, 0), True)])
def test_auto_is_bf16_on_gpus_from_ampere_on(monkeypatch, capability, has):
    monkeypatch.setattr(torch.cuda, "get_device_capability", lambda device: capability)
    assert device._has_bf16(torch.device("cuda")) is has


def test_threads_are_as_told_and_torch_is_deterministic(settings):
    compute = device.prepare(settings(threads=1), "fp32")
    assert compute.threads == torch.get_num_threads() == 1
    assert torch.are_deterministic_algorithms_enabled()
    assert device.prepare(settings(threads=0), "fp32").threads == device.cores()


def test_the_environment_names_no_machine(settings):
    import getpass
    import socket

    recorded = str(device.environment(device.prepare(settings(), "fp32"), 1))
    assert torch.__version__ in recorded
    assert socket.gethostname() not in recorded
    assert f"'{getpass.getuser()}'" not in recorded


def test_freed_memory_is_kept_where_the_c_library_can(monkeypatch):
    assert device.keep_freed_memory() == hasattr(ctypes.CDLL(None), "gnu_get_libc_version")
    monkeypatch.setattr(ctypes, "CDLL", lambda name: object())  # as of a C library without mallopt
    assert not device.keep_freed_memory()


def test_the_commit_of_the_code_is_recorded_and_whether_it_was_edited(tmp_path, monkeypatch):
    code = tmp_path / "pipeline"
    code.mkdir()
    (code / "device.py").write_text("# as committed")
    monkeypatch.setattr(device, "PACKAGE", code)
    monkeypatch.setenv("GIT_CEILING_DIRECTORIES", str(tmp_path.parent))
    assert device.commit() is None
    sh(tmp_path, "git init -q && git add -A && git -c user.name=T -c user.email=t@example.org commit -qm Start")
    (tmp_path / "params.yaml").write_text("epochs: 1")
    head = sh(tmp_path, "git rev-parse HEAD").strip()
    assert device.commit() == head
    (code / "device.py").write_text("# edited")
    assert device.commit() == f"{head}-dirty"
