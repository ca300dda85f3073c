"""What Ray adds to a run, and how long a grid would take on 1, 4 and 12 GPUs.

    python -m benchmarks.cluster        # 3 minutes on two cores

First on test clusters of 1, 2 and 4 nodes of one core each, all of them on this machine: how long a cluster takes to
start, a driver to connect and ask the nodes what they are, and then --runs that train nothing: they get code and as
many bytes of data as CIFAR-10 has, and leave files of the size of a network with 56 layers, which are put in place and
recorded in dvc.lock, one after the other. Then on paper: a grid of three seeds, the deepest networks first, with that
on top of each run. Writes cluster.csv and grid.csv.
"""

import argparse
import heapq
import os
import shlex
import statistics
import tempfile
import time
from collections.abc import Iterator, Sequence
from contextlib import chdir, contextmanager
from pathlib import Path

import pandas as pd

from benchmarks import common
from pipeline import stage
from pipeline.cluster.stages import Stages
from pipeline.cluster.worker import Task
from pipeline.compute import device
from pipeline.settings import params

NODES, GPUS, SEEDS, EPOCHS = (1, 2, 4), (1, 4, 12), 3, 200
STORE = {"object_store_memory": 512 << 20}
WEIGHTS = 3_450_000  # bytes of a network with 56 layers
TRAIN = """
import json, os, sys
from pathlib import Path
model, record = Path(sys.argv[1]), Path(sys.argv[2])
model.mkdir(parents=True)
record.parent.mkdir(parents=True)
(model / "weights.safetensors").write_bytes(os.urandom({size}))
(model / "history.csv").write_text("epoch")
record.write_text(json.dumps(dict(sessions=[])))
"""
SECONDS = {  # an epoch, with 20 and with 56 layers; those measured are in docs/timings.md
    "H200, as aimed at (nothing has run on a GPU)": (0.5, 1.2),
    "one core with AVX2, as measured": (300, 846),
}


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--runs", type=int, default=8, help="on each cluster")
    parser.add_argument("--train-size", type=int, default=50_000, help="images that travel")
    parser.add_argument("--most", type=int, default=4, help="leave out clusters of more nodes")
    parser.add_argument("--folder", type=Path, default=common.FOLDER, help="where tables go")
    args = parser.parse_args()
    os.environ |= {"RAY_AUTH_MODE": "token", "RAY_AUTH_TOKEN": "0" * 64, "RAY_USAGE_STATS_ENABLED": "0"}
    with tempfile.TemporaryDirectory() as temporary:
        folder = Path(temporary)
        arch = {f"resnet{i}": {"depth": 56} for i in range(args.runs)}
        common.workspace(
            folder, dataset="synthetic", train_size=2_000, seeds=[0], arch=arch, variants=[*arch], threads=1
        )
        common.run(common.dvc("repro", "download"), folder)
        with chdir(folder):
            stages = Stages(Path())
            common.write_data(Path("data/cifar10"), args.train_size)
            table = pd.DataFrame([measure(stages, nodes) for nodes in NODES if nodes <= args.most])
            size = sum(map(len, stages.bundles())) / 1e6
    machine = common.machine(device.prepare(params.load(common.ROOT / "params.yaml"), "auto"))
    note = f"{machine}. Seconds; {args.runs} runs that train nothing on each cluster, {size:.0f} MB to each run"
    common.publish("cluster", table, note, args.folder)
    common.publish("grid", simulation(table["a run"].max()), sentence(), args.folder)


def measure(stages: Stages, nodes: int) -> dict[str, float]:
    """What each part takes on a test cluster of so many nodes, in seconds."""
    from pipeline.cluster.nodes import Share, connected  # now, since Ray reads the environment when it is imported
    from pipeline.cluster.pool import Pool

    start = time.perf_counter()
    with a_cluster(nodes) as address:
        started = time.perf_counter()
        with connected(address):
            pool = Pool(Share(1, 0, {}), *stages.bundles(), cluster=True)
            ready, recording, tasks = time.perf_counter(), [], [task(one) for one in stages.tasks.values()]
            for name, outcome in pool.run(tasks, lambda news: None, print, lambda: True):
                before = time.perf_counter()
                stages.record(name, outcome.files, outcome.finished)
                recording.append(time.perf_counter() - before)
            elapsed = time.perf_counter() - ready
    row = {"nodes": nodes, "start of the cluster": started - start, "connection": ready - started}
    row |= {"a run": elapsed / len(tasks), "of it recording": statistics.median(recording)}
    print({key: round(value, 2) for key, value in row.items()}, flush=True)
    return {key: round(value, 2) for key, value in row.items()}


@contextmanager
def a_cluster(nodes: int) -> Iterator[str]:
    """A head without cores and so many nodes of one each, on this machine; the address of the head."""
    from ray.cluster_utils import Cluster

    head = {"num_cpus": 0, "include_dashboard": False} | STORE
    made = Cluster(initialize_head=True, head_node_args=head)
    for _ in range(nodes):
        made.add_node(num_cpus=1, **STORE)
    made.wait_for_nodes()
    yield made.address
    made.shutdown()


def task(one: Task) -> Task:
    """The task, with a command that leaves files of the right size and trains nothing."""
    return one._replace(command=shlex.join(["python", "-c", TRAIN.format(size=WEIGHTS), *sorted(one.outputs)]))


def simulation(overhead: float) -> pd.DataFrame:
    """The grid of the main study on so many GPUs or cores, each run with an `overhead` in seconds."""
    rows = []
    for what, (shallow, deep) in SECONDS.items():
        runs = [EPOCHS * seconds + overhead for seconds in (deep, shallow) for _ in range(2 * SEEDS)]
        for count in GPUS:
            end = makespan(runs, count)
            rows.append({"on": what, "how many": count, "hours": round(end / 3600, 2)})
            rows[-1]["idle %"] = round(100 * (1 - sum(runs) / (count * end)), 1)
    return pd.DataFrame(rows)


def makespan(runs: Sequence[float], count: int) -> float:
    """When the last of `runs`, each begun on the first of `count` machines that is free, has ended."""
    free = [0.0] * count
    for seconds in runs:
        heapq.heappush(free, heapq.heappop(free) + seconds)
    return max(free)


def sentence() -> str:
    """What the simulation assumes."""
    return (
        f"On paper: {SEEDS} seeds, four networks, {EPOCHS} epochs, the deepest first, one run at a time on each GPU or "
        "core, and the overhead of the table above on each run. Idle is the time in which some have nothing left to do"
    )


if __name__ == "__main__":
    stage.run(main)
