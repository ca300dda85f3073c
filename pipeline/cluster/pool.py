"""Tasks on the nodes of Ray: sent there, and their outcomes as they come."""

import time
from collections import Counter
from collections.abc import Callable, Iterator, Mapping, Sequence
from pathlib import Path

import ray

from pipeline.cluster import worker
from pipeline.cluster.members import Members, at
from pipeline.cluster.nodes import Share
from pipeline.cluster.worker import Keeper, News, Outcome, Task
from pipeline.stage import StageError

LOOK = 2.0  # seconds between looks at how far the runs are
LIMIT = 3  # times that a task is lost after the same epoch


class Pool:
    """Nodes on which each task takes `share`; `code` and `data` are what a task needs, as zip archives.

    Which node a task goes to is decided here, and only when there is room: what waits in Ray for a node that then dies
    can be forgotten there for good (seen with Ray 2.60). On a `cluster` nodes must be of one kind, unless `mixed`.
    """

    def __init__(self, share: Share, code: bytes, data: bytes, cluster: bool, mixed: bool = False) -> None:
        self.share, self.code, self.data = share, ray.put(code), ray.put(data)
        self.members = Members(share, self.code if cluster else None, mixed)
        if cluster:
            self.members.gather()
        here = at(ray.get_runtime_context().get_node_id())
        forever = {"max_restarts": -1, "max_task_retries": -1}  # all that it has lies on the disk
        keeper = ray.remote(Keeper).options(num_cpus=0, scheduling_strategy=here, **forever)
        self.keeper = keeper.remote(str(Path.cwd()))
        self.waiting: list[Task] = []
        self.running: dict[ray.ObjectRef, tuple[Task, str]] = {}  # with the node's id
        self.losses: Counter[tuple[str, int]] = Counter()  # of a task after an epoch

    def run(
        self,
        tasks: Sequence[Task],
        show: Callable[[Mapping[str, News]], None],
        say: Callable[[str], None],
        current: Callable[[], bool],
    ) -> Iterator[tuple[str, Outcome | Exception]]:
        """Run tasks, the first ones first: the name of each that has ended, and its outcome or why it has none.

        A task whose node or worker dies begins again, from its last checkpoint, unless that was LIMIT times the same
        one; a task that fails does not, and none begins when they are not `current` any more. `show` gets how far all
        are, `say` what happens to nodes.
        """
        self.waiting = list(tasks)
        while self.waiting or self.running:
            if self.waiting and not current():
                edited = StageError("code or parameters were edited before it began")
                yield from ((task.name, edited) for task in self.waiting)
                self.waiting = []
            room = self.look(say)
            self.begin(room)
            done = ray.wait([*self.running], timeout=LOOK)[0] if self.running else []
            news = {name: News(*values) for name, values in ray.get(self.keeper.progress.remote()).items()}
            show(news)
            for reference, (task, node) in [*self.running.items()]:
                outcome = self.outcome(reference) if reference in done and node in room else None
                if outcome:
                    del self.running[reference]
                elif reference in done or node not in room:
                    outcome = self.again(reference, news[task.name].epoch if task.name in news else 0, say)
                if outcome:
                    yield task.name, outcome

    def look(self, say: Callable[[str], None]) -> dict[str, int]:
        """The room on each node, by its id. If nothing runs and there is none, say so, and wait a little."""
        for reason in self.members.listen():
            say(reason)
        room = self.members.room()
        if not room and not self.running:
            say("no node has room for a run; waiting for one")
            time.sleep(LOOK)
        return room

    def begin(self, room: Mapping[str, int]) -> None:
        """Send tasks that wait to nodes with room."""
        options = {**self.share.options(), "max_retries": 0}
        for node, count in room.items():
            free = count - sum(other == node for _, other in self.running.values())
            for task in self.waiting[: max(0, free)]:
                remote = ray.remote(worker.run).options(**options, scheduling_strategy=at(node))
                self.running[remote.remote(task, self.code, self.data, self.keeper)] = task, node
                self.waiting.remove(task)

    def outcome(self, reference: ray.ObjectRef) -> Outcome | Exception | None:
        """What a task that has ended has given or raised; None if its node or worker has died."""
        try:
            return ray.get(reference)
        except (ray.exceptions.RayTaskError, ray.exceptions.OutOfMemoryError) as error:
            return error
        except ray.exceptions.RayError as error:
            if isinstance(error, ray.exceptions.NodeDiedError):
                self.members.doubt(self.running[reference][1])
            return None

    def again(self, reference: ray.ObjectRef, epoch: int, say: Callable[[str], None]) -> StageError | None:
        """Let a lost task wait for another node; the reason if it was lost too often after the same epoch."""
        task, node = self.running.pop(reference)
        ray.cancel(reference, force=True)  # should it run after all
        self.losses[task.name, epoch] += 1
        if self.losses[task.name, epoch] == LIMIT:
            return StageError(f"its node or worker has died {LIMIT} times after epoch {epoch}")
        say(f"{task.name}: its node ({node[:4]}) or worker has died; it goes on after epoch {epoch}")
        self.waiting.insert(0, task)
        return None
