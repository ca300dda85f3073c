"""The ML Reproducibility Checklist on the results; checklist_answers.py answers for the rest.

Times and hardware, from environment.json, stand in the last two answers alone.
"""

import json
from typing import Any

from pipeline import tables
from pipeline.checklist_facts import PARTLY, YES, Answer, Facts, counted, listed


def results(f: Facts) -> list[Answer]:
    """Hyper-parameters, runs, measures, errors, times, machines."""
    return [
        hyperparameters(f),
        runs(f),
        Answer(
            YES,
            f"Test error is the percentage of the {f.test_images:,} test images whose most probable class is not their "
            "label, after the last epoch; training error is the running one over the last epoch's augmented images. "
            f"{f.link('pipeline/verdicts.py')} has what is judged of them.",
        ),
        errors(f),
        times(f),
        machines(f),
    ]


def hyperparameters(f: Facts) -> Answer:
    """All values but those of the grid, as params.yaml has them."""
    values = f.study.settings.model_dump(exclude={"arch", "seeds", "variants"})
    used = listed(f"`{key}: {v if isinstance(v, str) else json.dumps(v)}`" for key, v in values.items())
    return Answer(
        YES,
        "No range was searched and nothing selected: each has the one value that [params.yaml](../params.yaml) gives, "
        f"with what the study says of it. All but the networks' own, which stand there under `arch`: {used}.",
    )


def runs(f: Facts) -> Answer:
    """How many there are, and which are not counted."""
    s = f.study
    diverged = [name for name, run in s.runs.items() if run["diverged"]]
    ended = f" Diverged, and counted: {listed(diverged)}." if diverged else ""
    begun = "".join(
        f" Not counted is {source['identity']}, from which {name} starts." for name, source in f.starts.items()
    )
    return Answer(
        YES,
        f"{counted(len(s.runs), 'training run')}: {counted(len(s.results), 'network')} with {s.seeds}, {s.epochs} "
        f"each. Every run was tested after each epoch, for the curves, and evaluated once when trained.{ended}{begun} "
        f"{f.link('LOG.md')}, kept by hand, lists all that were made on real images, also those outside this grid.",
    )


def errors(f: Facts) -> Answer:
    """Test errors, and how far they vary."""
    rows = list(f.study.results.itertuples())
    if f.study.n == 1:
        shown = listed(f"{row.variant} {row.test_error:.2f} ± {row.test_error_se:.2f}" for row in rows)
        return Answer(
            PARTLY,
            "With one seed a network, variation over seeds is not known. Test error in percent ± the binomial standard "
            f"error of {f.test_images:,} images: {shown}.",
        )
    shown = listed(f"{row.variant} {tables.percent(row.test_error, row.test_error_sd, row.runs)}" for row in rows)
    shared = " The runs share images and are not independent." if f.data.parted_by_seed else ""
    return Answer(YES, f"Test error in percent, mean ± sample standard deviation (runs): {shown}.{shared}")


def times(f: Facts) -> Answer:
    """What training took: the mean of each variant's runs, and all together."""
    took = {name: sum(map(worked, sessions)) for name, sessions in f.sessions.items()}
    seeds = f.study.settings.seeds
    mean = {v: sum(took[f"{v}-{seed}"] for seed in seeds) / len(seeds) for v in f.study.settings.variants}
    again = [name for name, sessions in f.sessions.items() if len(sessions) > 1]
    whole = f" Of runs that were interrupted whole epochs are counted: {listed(again)}." if again else ""
    return Answer(
        YES,
        "Mean time to train a run, with its tests after every epoch, on CPUs CPU time: "
        f"{listed(f'{variant} {duration(seconds)}' for variant, seconds in mean.items())}; all runs together "
        f"{duration(sum(took.values()))}.{whole} Other stages' times are not recorded, and energy was not measured.",
    )


def worked(session: dict[str, Any]) -> float:
    """Seconds that a session took: on CPUs CPU time, of which other work beside takes nothing, of all its processes."""
    return session["cpu_seconds"] * session["processes"] if session["device"] == "cpu" else session["seconds"]


def duration(seconds: float) -> str:
    """Minutes, or seconds below one."""
    return f"{seconds / 60:,.1f} min" if seconds >= 60 else f"{seconds:.1f} s"


def machines(f: Facts) -> Answer:
    """What the runs were trained on: one machine for all, or each with its runs."""
    found: dict[str, list[str]] = {}
    for name, sessions in f.sessions.items():
        for session in sessions:
            found.setdefault(machine(session), []).append(name)
    told = [f"{text} ({listed(dict.fromkeys(names))})" for text, names in found.items()] if len(found) > 1 else found
    most = max(session["gpu_memory_mb"] or 0 for sessions in f.sessions.values() for session in sessions)
    taken = f" At most {most:,} MB of GPU memory were taken." if most else ""
    return Answer(YES, f"{'; '.join(told)}.{taken} The machine's main memory is not recorded.")


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
    return listed(parts + ([f"CUDA {session['cuda']}"] if session["cuda"] else []))
