"""The Machine Learning Reproducibility Checklist (v2.0, Pineau 2020), answered item by item for the study at hand.

The stage report writes it to reports/CHECKLIST.md. checklist.md.j2 has the items, worded as at URL, and the answers;
here is what they are made from.
"""

import json
import os
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Any

from jinja2 import Environment, FileSystemLoader, StrictUndefined

from pipeline import stage
from pipeline.analysis import tables
from pipeline.reporting import study
from pipeline.reporting.study import Study
from pipeline.settings.datasets import DATASETS, GENERATED, DataSet

URL = "https://www.cs.mcgill.ca/~jpineau/ReproducibilityChecklist-v2.0.pdf"
TEMPLATE = "checklist.md.j2"


@dataclass(frozen=True)
class Facts:
    """A study, and what it does not load; links are from its reports/."""

    study: Study
    sessions: dict[str, list[dict[str, Any]]]  # of environment.json, by run
    starts: dict[str, dict[str, str]]  # what weights begin with where it is not random, by variant
    folder: str  # the study's, from the top of the repository

    @property
    def rows(self) -> list[Any]:
        """results.csv, a named tuple a network."""
        return list(self.study.results.itertuples())

    @property
    def data(self) -> DataSet:
        """What is known of the data set by its name."""
        return DATASETS[self.study.settings.dataset]

    @property
    def generated(self) -> bool:
        return self.study.settings.dataset in GENERATED

    @property
    def copied(self) -> bool:
        """Whether the images are a copy that has no address."""
        return not self.generated and self.study.data["identity"].startswith("a copy")

    @property
    def test_images(self) -> int:
        """How many images a run was tested on."""
        return next(iter(self.study.runs.values()))["test_images"]

    @property
    def share(self) -> str:
        """How many test images a class has: `1,000`, or `15 to 17`."""
        each = self.study.confusion.groupby(["variant", "seed", "actual"])["count"].sum()
        return f"{each.min():,}" + (f" to {each.max():,}" if each.max() > each.min() else "")

    @property
    def left_out(self) -> int:
        """How many training images are used for nothing."""
        return self.data.train - self.study.settings.train_size - self.study.settings.val_size

    @property
    def command(self) -> str:
        """What makes all results of the study, given at the top of the repository."""
        return "`dvc repro`" if self.folder == "." else f"`dvc repro {self.folder}/dvc.yaml`"

    @property
    def models(self) -> str:
        """Where weights are, from the top of the repository."""
        return os.path.normpath(f"{self.folder}/{stage.MODELS}")

    def link(self, path: str) -> str:
        """A link to what lies at `path` from the top of the repository."""
        return f"[{path}]({os.path.relpath(path, Path(self.folder, 'reports'))})"

    @property
    def hyperparameters(self) -> list[str]:
        """All values but those of the grid, as params.yaml has them: `lr: 0.1`."""
        values = self.study.settings.model_dump(exclude={"arch", "seeds", "variants"})
        return [f"`{key}: {v if isinstance(v, str) else json.dumps(v)}`" for key, v in values.items()]

    @property
    def diverged(self) -> list[str]:
        return [name for name, run in self.study.runs.items() if run["diverged"]]

    @property
    def interrupted(self) -> list[str]:
        """Runs of more than one session."""
        return [name for name, sessions in self.sessions.items() if len(sessions) > 1]

    @cached_property
    def times(self) -> dict[str, float]:
        """Seconds that each run's training took, by `worked`."""
        return {name: sum(map(worked, sessions)) for name, sessions in self.sessions.items()}

    @property
    def mean_times(self) -> dict[str, float]:
        """The mean of `times` over seeds, by variant."""
        seeds = self.study.settings.seeds
        return {v: sum(self.times[f"{v}-{seed}"] for seed in seeds) / len(seeds) for v in self.study.settings.variants}

    @property
    def machines(self) -> dict[str, list[str]]:
        """Runs by what they were trained on."""
        found: dict[str, list[str]] = {}
        for name, sessions in self.sessions.items():
            for text in dict.fromkeys(map(machine, sessions)):
                found.setdefault(text, []).append(name)
        return found

    @property
    def gpu_memory(self) -> int:
        """The most that a session took, in MB; 0 on CPUs."""
        return max(session["gpu_memory_mb"] or 0 for sessions in self.sessions.values() for session in sessions)


def load() -> Facts:
    """What the study in the current folder is answered from."""
    s = study.load("")
    arch = {variant: s.settings.arch[variant] for variant in s.settings.variants}
    starts = {name: f"reports/starts/{name}.json" for name in arch if arch[name].start != "random"}
    return Facts(
        s,
        {name: read(stage.RUNS / name / "environment.json")["sessions"] for name in s.runs},
        {name: read(Path(path)) for name, path in starts.items()},
        os.path.relpath(".", stage.TOP),
    )


def read(path: Path) -> dict:
    return json.loads(path.read_text())


def markdown(f: Facts, title: str) -> str:
    """CHECKLIST.md, of the study that is called `title`."""
    environment = Environment(
        loader=FileSystemLoader(Path(__file__).parent), undefined=StrictUndefined, keep_trailing_newline=True
    )  # Markdown: nothing is escaped
    environment.filters |= {"oneline": oneline, "counted": counted, "duration": duration}
    return environment.get_template(TEMPLATE).render(f=f, title=title, url=URL, percent=tables.percent)


def oneline(text: str) -> str:
    """`text` with each run of blanks and line ends as one blank."""
    return " ".join(text.split())


def counted(count: int, word: str) -> str:
    """`1 process`, `2 processes`."""
    ending = "" if count == 1 else "es" if word.endswith("s") else "s"
    return f"{count:,} {word}{ending}"


def worked(session: dict[str, Any]) -> float:
    """Seconds that a session took: on CPUs CPU time, of which other work beside takes nothing, of all its processes."""
    return session["cpu_seconds"] * session["processes"] if session["device"] == "cpu" else session["seconds"]


def duration(seconds: float) -> str:
    """Minutes, or seconds below one."""
    return f"{seconds / 60:,.1f} min" if seconds >= 60 else f"{seconds:.1f} s"


def machine(session: dict[str, Any]) -> str:
    """Hardware and software of one session."""
    parts = [
        f"{session['hardware']} ({session['capability']})",
        counted(session["cores"], "CPU core"),
        counted(session["processes"], "process"),
    ]
    if session["device"] == "cpu":
        parts[-1] += f" of {counted(session['threads'], 'thread')}"
    parts += [session["precision"], session["system"], f"Python {session['python']}", f"torch {session['torch']}"]
    return ", ".join(parts + ([f"CUDA {session['cuda']}"] if session["cuda"] else []))
