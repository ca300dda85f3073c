"""The nodes that runs may go to: alive, with the requirements, and of one kind."""

import json
import time
from typing import Any

import ray
from ray.util.scheduling_strategies import NodeAffinitySchedulingStrategy

from pipeline.cluster import worker
from pipeline.cluster.nodes import Share
from pipeline.stage import StageError

PATIENCE = 120.0  # seconds that a node has to say what it is
DOUBT = 60.0  # seconds without runs for a node on which one was lost, if Ray still says that it is alive


class Members:
    """Those nodes on which there is room for `share`. Each is asked what it is, with `code`, before it gets a run.

    Without `code` none is asked: this machine knows itself. `mixed` allows nodes of several kinds.
    """

    def __init__(self, share: Share, code: ray.ObjectRef | None = None, mixed: bool = False) -> None:
        self.share, self.code, self.mixed = share, code, mixed
        self.asked: dict[str, ray.ObjectRef] = {}
        self.kinds: dict[str, dict[str, Any]] = {}  # by the node's id, as are the others
        self.doubted: dict[str, float] = {}

    def gather(self) -> None:
        """Wait for the answers of all nodes that are there.

        Raises StageError if there is none, or one does not answer or cannot train, or, unless mixed, they differ in
        what decides the bits of a result.
        """
        if not self.nodes():
            raise StageError(f"no node of the cluster has what a run takes: {self.share}")
        deadline = time.monotonic() + PATIENCE
        while silent := [name(node) for node in self.nodes() if node["NodeID"] not in self.kinds]:
            if time.monotonic() > deadline:
                raise StageError(f"{', '.join(silent)}: no answer for {PATIENCE:.0f} s; busy with something else?")
            self.listen(wait=0.5)
        kinds = {name(node): self.kinds[node["NodeID"]] for node in self.nodes() if node["NodeID"] in self.kinds}
        unable = [f"{node}: {kind['error']}" for node, kind in kinds.items() if "error" in kind]
        if unable:
            raise StageError(f"nodes that cannot train, install requirements.txt there: {'; '.join(unable)}")
        differing = differences([*kinds.values()])
        if differing and not self.mixed:
            words = (f"{node}: " + ", ".join(f"{key} {kind[key]}" for key in differing) for node, kind in kinds.items())
            raise StageError(
                f"nodes of several kinds would train one grid to other bits: {'; '.join(words)}. Choose some with "
                "--label, or allow it with --mixed"
            )

    def listen(self, wait: float = 0.0) -> list[str]:
        """Ask nodes that have joined, and take the answers of those asked before; why some of them get no run."""
        for node in self.nodes() if self.code is not None else ():
            if node["NodeID"] not in self.asked:
                remote = ray.remote(worker.kind).options(**self.share.options(), scheduling_strategy=at(node["NodeID"]))
                self.asked[node["NodeID"]] = remote.remote(self.code)
        pending = {reference: node for node, reference in self.asked.items() if node not in self.kinds}
        reasons = []
        for reference in ray.wait([*pending], num_returns=len(pending), timeout=wait)[0] if pending else ():
            try:
                kind = json.loads(ray.get(reference))
            except ray.exceptions.RayTaskError as error:
                kind = {"error": str(error).strip().splitlines()[-1]}
            except ray.exceptions.RayError:
                kind = {"error": "it died before it could say what it is"}
            self.kinds[pending[reference]] = kind
            if not self.fit(kind):
                others = ", ".join(differences([kind, *self.kinds.values()]))
                reason = kind.get("error") or f"it is of another kind ({others})"
                reasons.append(f"node {pending[reference][:4]} gets no run: {reason}")
        return reasons

    def fit(self, kind: dict[str, Any]) -> bool:
        """Whether a node of this kind can train, and to the bits of the first one."""
        first = next((one for one in self.kinds.values() if "error" not in one), kind)
        return "error" not in kind and (self.mixed or kind == first)

    def nodes(self) -> list[dict[str, Any]]:
        """The nodes that have what a run takes, as Ray describes them."""
        labels = self.share.labels.items()
        alive = (node for node in ray.nodes() if node["Alive"])
        return [node for node in alive if labels <= node["Labels"].items() and self.count(node)]

    def count(self, node: dict[str, Any]) -> int:
        """How many runs at once a node has the CPUs and GPUs for."""
        needed = {"CPU": self.share.cpus, "GPU": self.share.gpus}
        return min(int(node["Resources"].get(key, 0) / part) for key, part in needed.items() if part)

    def room(self) -> dict[str, int]:
        """How many runs at once there are room for on each node that may have some, by the node's id."""
        return {
            node["NodeID"]: self.count(node)
            for node in self.nodes()
            if time.monotonic() > self.doubted.get(node["NodeID"], 0.0)
            and (self.code is None or self.fit(self.kinds.get(node["NodeID"], {"error": "not asked"})))
        }

    def doubt(self, node: str) -> None:
        """Send no run to a node for a while, on which one was lost: Ray may not yet know that it is dead."""
        self.doubted[node] = time.monotonic() + DOUBT


def differences(kinds: list[dict[str, Any]]) -> list[str]:
    """In what kinds differ."""
    kinds = [kind for kind in kinds if "error" not in kind]
    return [key for key in kinds[0] if len({kind[key] for kind in kinds}) > 1] if kinds else []


def name(node: dict[str, Any]) -> str:
    """A node as messages call it."""
    return f"{node['NodeManagerHostname']} ({node['NodeID'][:4]})"


def at(node: str) -> NodeAffinitySchedulingStrategy:
    """On the node of this id, and on no other."""
    return NodeAffinitySchedulingStrategy(node, soft=False)
