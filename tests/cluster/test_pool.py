"""Tasks on a test cluster of one node: what comes back of those that end well, fail and die."""

import shlex
from pathlib import Path

import pytest
from conftest import ray_cluster

pytest.importorskip("ray", reason="make test installs requirements-ray.txt")

from pipeline.cluster import nodes, worker
from pipeline.cluster.nodes import Share
from pipeline.cluster.pool import Pool
from pipeline.cluster.worker import Task

pytestmark = pytest.mark.slow


@pytest.fixture(scope="module")
def pool(bundle):
    with ray_cluster({}) as made, nodes.connected(made.address):
        yield Pool(Share(1, 0, {}), bundle, worker.pack(Path(), []), cluster=True)


def test_what_fails_is_not_tried_again_and_what_dies_is_three_times(pool, tmp_path):
    scripts = {
        "well-0": "from pathlib import Path; Path('out').write_text('done')",
        "fails-0": "print('words'); exit(3)",
        "dies-0": "import os, signal; os.kill(os.getppid(), signal.SIGKILL)",
    }
    tasks = [Task(name, shlex.join(["python", "-c", script]), ".", ("out",)) for name, script in scripts.items()]
    said = []
    outcomes = dict(pool.run(tasks, lambda news: None, said.append, lambda: True))
    assert outcomes.keys() == scripts.keys()
    worker.unpack(outcomes["well-0"].files, tmp_path)
    assert (tmp_path / "out").read_text() == "done"
    assert (outcomes["fails-0"].code, outcomes["fails-0"].said) == (3, "words\n")
    assert str(outcomes["dies-0"]) == "its node or worker has died 3 times after epoch 0"
    assert [line for line in said if "dies-0: its node" in line] == said
    assert len(said) == 2


def test_nothing_begins_when_code_was_edited(pool):
    tasks = [Task(name, "python -c pass", ".", ()) for name in ("one-0", "two-0")]
    outcomes = dict(pool.run(tasks, lambda news: None, print, lambda: False))
    assert {str(outcome) for outcome in outcomes.values()} == {"code or parameters were edited before it began"}
    assert len(outcomes) == 2
