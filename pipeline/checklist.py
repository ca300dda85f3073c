"""The Machine Learning Reproducibility Checklist (v2.0, Pineau 2020), answered item by item for the study at hand.

The stage report writes it to reports/CHECKLIST.md. Items are worded as at URL; checklist_answers.py and
checklist_results.py answer them.
"""

import json
import os
from collections import Counter
from collections.abc import Callable
from pathlib import Path
from typing import NamedTuple

from pipeline import checklist_answers, checklist_results, stage, study
from pipeline.checklist_facts import LEGAL, Answer, Facts

URL = "https://www.cs.mcgill.ca/~jpineau/ReproducibilityChecklist-v2.0.pdf"
TOP = Path(__file__).parent.parent  # of the repository


class Group(NamedTuple):
    """Items under a heading, and what answers them, in their order."""

    heading: str
    items: tuple[str, ...]
    answer: Callable[[Facts], list[Answer]]


GROUPS = (
    Group(
        "For all models and algorithms presented, check if you include:",
        (
            "A clear description of the mathematical setting, algorithm, and/or model.",
            "A clear explanation of any assumptions.",
            "An analysis of the complexity (time, space, sample size) of any algorithm.",
        ),
        checklist_answers.models,
    ),
    Group(
        "For any theoretical claim, check if you include:",
        ("A clear statement of the claim.", "A complete proof of the claim."),
        checklist_answers.theory,
    ),
    Group(
        "For all datasets used, check if you include:",
        (
            "The relevant statistics, such as number of examples.",
            "The details of train / validation / test splits.",
            "An explanation of any data that were excluded, and all pre-processing step.",
            "A link to a downloadable version of the dataset or simulation environment.",
            "For new data collected, a complete description of the data collection process, such as instructions to "
            "annotators and methods for quality control.",
        ),
        checklist_answers.datasets,
    ),
    Group(
        "For all shared code related to this work, check if you include:",
        (
            "Specification of dependencies.",
            "Training code.",
            "Evaluation code.",
            "(Pre-)trained model(s).",
            "README file includes table of results accompanied by precise command to run to produce those results.",
        ),
        checklist_answers.code,
    ),
    Group(
        "For all reported experimental results, check if you include:",
        (
            "The range of hyper-parameters considered, method to select the best hyper-parameter configuration, and "
            "specification of all hyper-parameters used to generate results.",
            "The exact number of training and evaluation runs.",
            "A clear definition of the specific measure or statistics used to report results.",
            "A description of results with central tendency (e.g. mean) & variation (e.g. error bars).",
            "The average runtime for each result, or estimated energy cost.",
            "A description of the computing infrastructure used.",
        ),
        checklist_results.results,
    ),
)


def load() -> Facts:
    """What the study in the current folder is answered from."""
    s = study.load("")
    arch = {variant: s.settings.arch[variant] for variant in s.settings.variants}
    starts = {name: f"reports/starts/{name}.json" for name in arch if arch[name].start != "random"}
    return Facts(
        s,
        {name: read(stage.RUNS / name / "environment.json")["sessions"] for name in s.runs},
        {name: read(Path(path)) for name, path in starts.items()},
        os.path.relpath(".", TOP),
    )


def read(path: Path) -> dict:
    return json.loads(path.read_text())


def markdown(f: Facts, title: str) -> str:
    """CHECKLIST.md, of the study that is called `title`."""
    number, parts, given = 0, [], Counter()
    for group in GROUPS:
        parts.append(f"## {group.heading}")
        for item, (answer, text) in zip(group.items, group.answer(f), strict=True):
            number += 1
            given[answer] += 1
            begin = f"{number}. "
            parts.append(f"{begin}*{item}*\n\n{' ' * len(begin)}**{answer}.** {text}")
    counts = ", ".join(f"{answer} {given[answer]}" for answer in LEGAL)
    note = f"The images were generated: nothing here says anything about {f.study.title}. " if f.generated else ""
    opening = (
        f"The [checklist]({URL}) is version 2.0 (Joelle Pineau, April 2020). The stage report answers it, from "
        f"[params.yaml](../params.yaml) and the files beside this one: {counts}. {note}Where the same is run again, "
        "the last two answers alone may differ: they tell of times and machines."
    )
    return "\n\n".join([f"# Machine Learning Reproducibility Checklist: {title}", opening, *parts]) + "\n"
