"""Train the runs of a grid at once, on this machine or on a Ray cluster: what `make repro` does before `dvc repro`.

    python -m pipeline.cluster.driver --jobs auto
    python -m pipeline.cluster.driver --jobs 4 --study transfer
    python -m pipeline.cluster.driver --address auto        # the cluster that was started here

Which runs are out of date, DVC says. Their code, parameters and data go to the nodes, where the unchanged stage trains
each; checkpoints come back as they are written, so that a run whose node dies goes on elsewhere, and one whose driver
dies goes on when the command is given again. Results are recorded in dvc.lock one by one, by this process alone. A run
that fails is reported and the others are finished. What a run says goes to .scratch/logs/, and all progress to
.scratch/logs/grid.log.
"""

import argparse
import os
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path

from filelock import FileLock, Timeout

from pipeline import stage
from pipeline.cluster.screen import LOGS, Screen, keep_output
from pipeline.cluster.stages import Stages
from pipeline.cluster.worker import Outcome
from pipeline.stage import StageError


def main() -> None:
    args = arguments()
    folder = Path("studies", args.study) if args.study else Path()
    if not (folder / "dvc.yaml").exists():
        names = ", ".join(sorted(path.parent.name for path in Path().glob("studies/*/dvc.yaml")))
        raise StageError(f"--study is {args.study}; allowed: {names}, or none of them for the main study")
    with locked(Path(".scratch/grid.lock"), "another driver is at work here: wait for it, or stop it first"):
        stages = Stages(folder)
        stages.prepare()
        names = stages.stale()
        if not names:
            print("all runs are up to date")
            return
        failed = train(stages, names, args)
    if failed:
        raise StageError(f"{len(failed)} of {len(names)} runs failed: {', '.join(failed)}")


def arguments() -> argparse.Namespace:
    """The command line. Raises StageError if a number or a label is not of the right form."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--study", help="a folder under studies (the main study)")
    parser.add_argument(
        "--jobs", default="auto", help="runs at once on this machine, or auto: as many as it has room for"
    )
    parser.add_argument("--address", help="of the head of a cluster, or auto: the one that was started here")
    parser.add_argument("--per-gpu", type=int, default=1, help="of a cluster: runs that share a GPU (1)")
    parser.add_argument(
        "--label", action="append", default=[], metavar="KEY=VALUE", help="a label that nodes must have"
    )
    parser.add_argument("--mixed", action="store_true", help="let nodes of different kinds train one grid")
    args = parser.parse_args()
    if args.jobs != "auto" and (not args.jobs.isdecimal() or int(args.jobs) < 1):
        raise StageError(f"JOBS is {args.jobs}; allowed: a whole number from 1 up, or auto")
    if args.per_gpu < 1:
        raise StageError(f"--per-gpu is {args.per_gpu}; allowed: a whole number from 1 up")
    if wrong := [label for label in args.label if "=" not in label]:
        raise StageError(f"--label is {wrong[0]}; allowed: KEY=VALUE, as a node was started with")
    return args


@contextmanager
def locked(path: Path, sentence: str) -> Iterator[None]:
    """Hold a lock file. Raises StageError with `sentence` if another process has it."""
    path.parent.mkdir(parents=True, exist_ok=True)
    try:
        with FileLock(path, timeout=0):
            yield
    except Timeout:
        raise StageError(sentence) from None


def train(stages: Stages, names: list[str], args: argparse.Namespace) -> list[str]:
    """Train runs where the arguments say; the names of those that failed. One run at a time is left to `dvc repro`."""
    mode = os.environ.get("RAY_AUTH_MODE", "token") if args.address else "token"
    os.environ |= {"RAY_USAGE_STATS_ENABLED": "0", "RAY_AUTH_MODE": mode}
    try:
        from pipeline.cluster import nodes, pool  # now, since Ray reads these when it is imported
    except ModuleNotFoundError:
        raise StageError("Ray is missing: pip install -r requirements-ray.txt, or JOBS=1") from None
    settings = stages.settings
    if args.address:
        place = nodes.cluster(args.address, settings, args.per_gpu, dict(label.split("=", 1) for label in args.label))
    else:
        count = min(nodes.at_once(settings, args.jobs), len(names))
        if count == 1:
            print("one run at a time: `dvc repro` trains them")
            return []
        place = nodes.this_machine(settings, count)
        print(f"{len(names)} runs, {count} at once; what they say goes to {LOGS}/", flush=True)
    failed = []
    with ExitStack() as held, Screen(names, settings.epochs, settings.train_size) as screen:
        free = [name for name in names if hold(stages, name, held, screen)]
        with place as share:
            there = pool.Pool(share, *stages.bundles(), cluster=bool(args.address), mixed=args.mixed)
            try:
                tasks = [stages.tasks[name] for name in free]
                for name, outcome in there.run(tasks, screen.show, screen.notice, stages.is_current):
                    failed += [name] * (not settled(stages, name, outcome, screen))
            except KeyboardInterrupt:
                sentence = "all runs keep their last checkpoints; the same command goes on from there"
                raise KeyboardInterrupt(sentence) from None
    return [name for name in names if name not in free or name in failed]


def hold(stages: Stages, name: str, held: ExitStack, screen: Screen) -> bool:
    """Let no other process of this folder train run `name` as long as `held` is open; whether none does."""
    try:
        sentence = f"another process is training {name} already: wait for it, or stop it first"
        held.enter_context(locked(stages.folder / f".scratch/{name}.lock", sentence))
    except StageError as error:
        screen.settle(name, "failed", str(error))
        return False
    return True


def settled(stages: Stages, name: str, outcome: Outcome | Exception, screen: Screen) -> bool:
    """Record a run that has ended, or say why it cannot be; whether it could."""
    try:
        if isinstance(outcome, Exception):
            raise StageError(str(outcome).strip().splitlines()[-1])
        log = keep_output(name, outcome.said)
        if outcome.code:
            reasons = [line for line in outcome.said.splitlines() if line.startswith(("error: ", "ERROR: "))]
            ended = f"it was killed by signal {-outcome.code}" if outcome.code < 0 else f"exit code {outcome.code}"
            raise StageError(reasons[-1].partition(" ")[2] if reasons else f"{ended}, see {log}")
        stages.record(name, outcome.files, outcome.finished)
    except (StageError, OSError) as error:
        screen.settle(name, "failed", str(error))
        return False
    screen.settle(name, "trained and recorded")
    return True


if __name__ == "__main__":
    stage.run(main)
