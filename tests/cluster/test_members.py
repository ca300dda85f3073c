"""Nodes that a grid cannot be trained on are named, before anything is trained and when they join later."""

import os
import re
from pathlib import Path

import pytest
import torch
from conftest import quiet, ray_cluster

pytest.importorskip("ray", reason="make test installs requirements-ray.txt")

from pipeline.cluster import nodes, worker
from pipeline.cluster.members import Members
from pipeline.cluster.nodes import Share
from pipeline.cluster.pool import Pool
from pipeline.compute import device
from pipeline.stage import StageError

pytestmark = pytest.mark.slow

OLD = {"ATEN_CPU_CAPABILITY": "default"}  # a processor without vector instructions, as torch sees it


@pytest.fixture(scope="module")
def cluster(tmp_path_factory):
    """A node like this machine, one without safetensors, and one without vector instructions."""
    lacking = tmp_path_factory.mktemp("lacking")
    (lacking / "safetensors.py").write_text("raise ModuleNotFoundError(\"No module named 'safetensors'\")")
    kinds = {"good": {}, "lacking": {"PYTHONPATH": str(lacking)}, "old": OLD}
    started = [
        {"labels": {"kind": kind, "trains": str(kind != "lacking").lower()}, "env_vars": variables}
        for kind, variables in kinds.items()
    ]
    with ray_cluster(*started) as made, nodes.connected(made.address):
        yield made


def gathered(bundle: bytes, mixed: bool = False, **labels: str) -> Members:
    return Pool(Share(1, 0, labels), bundle, worker.pack(Path(), []), cluster=True, mixed=mixed).members


def test_a_node_without_the_requirements_is_named(cluster, bundle):
    host = os.uname().nodename
    with pytest.raises(StageError, match=rf"cannot train.*: {host} \(....\): ModuleNotFoundError: .* 'saf"):
        gathered(bundle, mixed=True)


def test_a_mixed_grid_is_refused_unless_it_is_asked_for_or_one_kind_is_chosen(cluster, bundle):
    with pytest.raises(StageError, match="several kinds") as refusal:
        gathered(bundle, trains="true")
    found = set(re.findall(r"capability ([^;.]+)", str(refusal.value)))
    here = device.capability(torch.device("cpu"))
    assert found == {here, re.sub(r"^\S+", "DEFAULT", here)}
    assert len(gathered(bundle, mixed=True, trains="true").room()) == 2
    assert len(gathered(bundle, kind="old").room()) == 1


def test_what_no_node_has_is_refused(cluster, bundle):
    with pytest.raises(StageError, match="no node of the cluster has what a run takes"):
        gathered(bundle, kind="h100")


def test_a_node_that_joins_later_is_asked_before_it_gets_a_run(cluster, bundle):
    members = gathered(bundle, kind="good")
    assert len(members.room()) == 1
    with quiet():
        late = cluster.join(labels={"kind": "good"}, env_vars=OLD)
    reasons = []
    while not reasons:
        reasons = members.listen(wait=0.5)
        assert len(members.room()) == 1
    assert re.fullmatch(r"node .... gets no run: it is of another kind \(capability\)", reasons[0])
    cluster.remove_node(late)


def test_a_node_on_which_a_run_was_lost_gets_none_for_a_while(cluster, bundle):
    members = gathered(bundle, kind="good")
    (node,) = members.room()
    members.doubt(node)
    assert members.room() == {}
    members.doubted[node] -= 100
    assert members.room() == {node: 1}
