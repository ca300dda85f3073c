"""The parts of a report that all studies share, each made from the files under reports/ of the current folder."""

import html
import json
from collections.abc import Callable, Iterable
from typing import Any

import pandas as pd
from IPython.display import HTML
from matplotlib.figure import Figure

from pipeline import stage
from pipeline.analysis import tables
from pipeline.analysis.intervals import DECLARED
from pipeline.analysis.measures import ENOUGH, class_errors
from pipeline.reporting import class_figures, figures
from pipeline.reporting.page import show_figure, show_table
from pipeline.reporting.study import Study, table
from pipeline.settings.datasets import DATASETS, GENERATED, MANY_CLASSES
from pipeline.settings.params import Params
from pipeline.settings.schedule import milestones

EXTREMES = 5  # hardest and easiest classes that are named


def joined(parts: Iterable[HTML]) -> HTML:
    return HTML("\n".join(part.data for part in parts))


def opening(s: Study, heading: str, lede: str, study_epochs: int, of: str = "of the study's {} epochs") -> HTML:
    """Title, question, and what a reader must know before believing anything; `of` says what the schedule should be."""
    notes = []
    if s.settings.dataset in GENERATED:
        notes.append(f"These images were <strong>generated</strong>; nothing here says anything about {s.title}.")
    elif s.data["identity"].startswith("a copy"):
        notes.append(
            f"The data is not the official archive, but {html.escape(s.data['identity'])}. It has no public address; "
            "runs on the official files give other numbers."
        )
    short = s.settings.epochs < study_epochs
    if short:
        notes.append(
            f"The networks were trained for <strong>{s.settings.epochs} {of.format(study_epochs)}</strong>. "
            "So short a run may show which network is better, but not by how much, and a longer run might disagree."
        )
    used, available = s.settings.train_size + s.settings.val_size, DATASETS[s.settings.dataset].train
    if used < available:
        notes.append(f"Only <strong>{used:,} of {available:,} training images</strong> were used.")
    if s.n < ENOUGH:
        notes.append(few(s, short or used < available))
    notes += unlike(s)
    diverged = [name for name, run in s.runs.items() if run["diverged"]]
    if diverged:
        notes.append(f"These runs diverged and count with their last error: <strong>{', '.join(diverged)}</strong>.")
    shown = f'<div class="note">{"".join(f"<p>{note}</p>" for note in notes)}</div>' if notes else ""
    return HTML(f'<h1>{heading}</h1>\n<p class="lede">{lede}</p>\n{shown}')


def few(s: Study, short: bool) -> str:
    """What one run of each network, or two, cannot say, and what intervals cover; `short`: of epochs or images."""
    runs = "one run" if s.n == 1 else "two runs"
    note = (
        f"There {'is' if s.n == 1 else 'are'} <strong>{runs} of each network</strong>, and other seeds might disagree. "
        "That is too few to reproduce a claim: verdicts say at most that they agree with it."
    )
    if table("claims")["test"].astype(str).str.contains(DECLARED).any():
        of = " for runs with fewer epochs or training images than a claim asks for" if short else ""
        note += (
            f" The intervals cover the choice of test images (a standard error of {binomial(s)} points) and a spread "
            f"over seeds that is declared with the claims{of}."
        )
    return note


def unlike(s: Study) -> list[str]:
    """A note if precision or hardware differ between the runs."""
    found: dict[str, list[str]] = {}
    for name in s.runs:
        for session in sessions(name):
            kind = [session["hardware"], session["capability"], session["precision"]]
            found.setdefault(html.escape(" ".join(filter(None, kind))), []).append(name)
    if len(found) < 2:
        return []
    listed = "; ".join(f"{kind}: {', '.join(dict.fromkeys(names))}" for kind, names in found.items())
    return [
        f"<strong>The runs differ in hardware or precision</strong>, so they differ in more than the network: {listed}."
    ]


def binomial(s: Study) -> str:
    """The standard error of a run's test error from the number of test images, lowest to highest, in words."""
    errors = s.results["test_error_se"]
    return " to ".join(dict.fromkeys(f"{error:.2f}" for error in (errors.min(), errors.max())))


def sessions(name: str) -> list[dict[str, Any]]:
    """The record of each session that trained run `name`."""
    return json.loads((stage.RUNS / name / "environment.json").read_text())["sessions"]


def networks(s: Study) -> HTML:
    """The table of results."""
    return show_table(
        tables.results_table(s.results),
        "Errors of the last epoch in percent, mean ± sample standard deviation (number of runs). Other test "
        f"images would shift each run by a standard error of {binomial(s)} points. "
        "File: <code>reports/results.csv</code>.",
    )


def by_group(
    s: Study,
    draw: Callable[[pd.DataFrame, pd.DataFrame], Figure],
    name: str,
    alt: str,
    caption: str,
    rows: pd.DataFrame,
) -> HTML:
    """`draw`(its rows, arch) for each group, under its heading; {names} in alt and caption becomes its networks."""
    parts = []
    for heading, variants in s.groups.items():
        names = " and ".join(variants) if len(variants) < 3 else ", ".join(variants)
        if heading:
            parts.append(HTML(f"<h3>{heading}</h3>"))
        figure = draw(rows[rows["variant"].isin(variants)], s.arch[s.arch["variant"].isin(variants)])
        file = f"{name}_{heading.partition(' ')[0]}" if heading else name
        parts.append(show_figure(figure, file, alt.format(names=names), caption.format(names=names), s.figures))
    return joined(parts)


def dynamics(s: Study) -> HTML:
    """Error and loss by epoch."""
    band = "; a band spans the seeds" if s.n > 1 else ""
    images = next(iter(s.runs.values()))["test_images"]
    seen = "on augmented images, as" if s.settings.crop_padding or s.settings.horizontal_flip else "as"
    return by_group(
        s, figures.dynamics, "dynamics", "Error and loss by epoch of {names}: training dashed and open, test solid.",
        f"{{names}}: training error is the running mean {seen} in He et al.'s Figure 6; test error is on the "
        f"{images:,} test images after each epoch. n = {s.n}{band}. File: <code>reports/curves.csv</code>.",
        s.curves,
    )  # fmt: skip


def confusion(s: Study) -> HTML:
    """Confusion matrices side by side; of many classes the pairs confused most often."""
    summed = f"n = {s.n} a network, counts summed. File: <code>reports/confusion.csv</code>."
    if many(s):
        return by_group(
            s, class_figures.confused, "confused",
            f"The {class_figures.PAIRS} pairs of classes that {{names}} confuse most often, a marker a network.",
            "{names}: the percentage of the actual class (left of the arrow) that was given the other label, of the "
            f"{class_figures.PAIRS} pairs in which it is highest on the mean over the networks. {summed}",
            s.confusion,
        )  # fmt: skip
    return by_group(
        s, lambda rows, arch: class_figures.confusion(rows), "confusion",
        "Confusion matrices of {names}, side by side; of two also their difference.",
        "{names}: the percentage of each actual class (row) that was given each label (column). With two networks the "
        "last panel is the second minus the first, in points. The second is better if its diagonal is above 0 and the "
        f"rest below. {summed}",
        s.confusion,
    )  # fmt: skip


def class_error(s: Study) -> HTML:
    """Error on each class; of many the errors in order, and the classes at either end."""
    panels = ", one panel a depth" if len(set(s.arch["depth"])) > 1 else ""
    classes = s.confusion["actual"].nunique()
    file = f"mean over n = {s.n}. File: <code>reports/confusion.csv</code>."
    if many(s):
        return show_figure(
            class_figures.sorted_errors(s.confusion, s.arch), "class_error",
            f"Test error on each of the {classes} classes in rising order{panels}, one curve a network.",
            f"Test error by class, each network's in its own order, {file} {extremes(s)}",
            s.figures,
        )  # fmt: skip
    return show_figure(
        class_figures.class_error(s.confusion, s.arch), "class_error",
        f"Test error on each of the {classes} classes{panels}, one bar a network.",
        f"Test error by class, {file}",
        s.figures,
    )  # fmt: skip


def many(s: Study) -> bool:
    """Whether there are too many classes for a matrix or bars."""
    return s.confusion["actual"].nunique() >= MANY_CLASSES


def extremes(s: Study) -> str:
    """The classes with the highest and the lowest error, on the mean over the networks, in words."""
    means = class_errors(s.confusion).groupby("actual", sort=False)["error"].mean().sort_values(kind="stable")
    never = int((means == 100).sum())
    if never > EXTREMES:
        easiest = ", ".join(f"{html.escape(name)} ({error:.1f} %)" for name, error in means[:EXTREMES].items())
        return f"{never} classes are never right. On the mean over the networks the easiest are {easiest}."
    low, high = (
        ", ".join(f"{html.escape(name)} ({error:.1f} %)" for name, error in part.items())
        for part in (means[:EXTREMES], means[: -EXTREMES - 1 : -1])
    )
    return f"On the mean over the networks the hardest classes are {high}, and the easiest {low}."


def rate(s: Study) -> str:
    """The learning rate's schedule in words."""
    settings = s.settings
    drops = sorted({epoch for epoch in milestones(settings) if epoch < settings.epochs})
    words = f"learning rate {settings.lr:g}"
    if settings.lr_gamma == 1:
        words = f"constant {words}"
    elif drops:
        after = f"epoch{'s' if len(drops) > 1 else ''} {' and '.join(map(str, drops))}"
        words += f", times {settings.lr_gamma:g} after {after}"
    if settings.warmup_epochs:
        words += f", rising to it over {settings.warmup_epochs} epochs"
    return words


def augmentation(settings: Params) -> str:
    """What is done to training images at random, in words."""
    parts = [f"random crops out of {settings.crop_padding} pixels of padding"] if settings.crop_padding else []
    parts += ["horizontal flips"] if settings.horizontal_flip else []
    return " and ".join(parts) or "no augmentation"


def what_was_run(s: Study, command: str) -> HTML:
    """Parameters and data in words, and the command to get it again."""
    settings = s.settings
    momentum = f"{'Nesterov ' if settings.nesterov else ''}momentum {settings.momentum:g}"
    smoothing = settings.label_smoothing
    smoothed = f" Label smoothing is {smoothing:g}, in the training loss only." if smoothing else ""
    return HTML(f"""
<p>{settings.train_size:,} training images ({settings.val_size:,} more held out), {s.epochs} of SGD with
{momentum} and weight decay {settings.weight_decay:g}, batches of {settings.batch_size}; {rate(s)};
{augmentation(settings)}.{smoothed} The last epoch counts. Parameters in full:
<code>params.yaml</code>.</p>
<p><strong>Data:</strong> <code>{s.data["dataset"]}</code>, {html.escape(s.data["identity"])}. Content sha256
<code>{s.data["content_sha256"]}</code>.</p>
<p><strong>To reproduce it:</strong> run <code>{command}</code> in this version of the repository, with the data above.
The same type of machine with the same requirements gives the same bits, in every file except those with times. Other
machines round differently; docs/machines.md says what to expect there.</p>
""")


def files(rows: list[tuple[str, str, str]]) -> HTML:
    """Where every number comes from: what, the file, the stage that wrote it."""
    table = pd.DataFrame(
        {
            "number": [what for what, _, _ in rows],
            "file": [HTML(f"<code>{file}</code>") for _, file, _ in rows],
            "stage": [stage for _, _, stage in rows],
        }
    )
    return show_table(table, "Every number on this page, the file it was read from, and the stage that wrote the file.")


def hardware(s: Study) -> HTML:
    """Each session of each run; what is the same in all is said once."""
    rows = []
    for name in s.runs:
        for session in sessions(name):
            speed = session["epochs"] * s.settings.train_size / session["seconds"]
            rows.append({
                "run": name, "epochs": f"{session['first_epoch']}–{session['first_epoch'] + session['epochs'] - 1}",
                "minutes": f"{session['seconds'] / 60:.1f}", "CPU minutes": f"{session['cpu_seconds'] / 60:.1f}",
                "images/s": f"{speed:,.0f}", "hardware": f"{session['hardware']} {session['capability']}",
                "processes": str(session["processes"]),
                "threads": str(session["threads"]), "precision": session["precision"],
                "software": f"Python {session['python']}, torch {session['torch']}",
                "commit": short(session["commit"]),
                "started (UTC)": session["started"].replace("+00:00", "").replace("T", " "),
            })  # fmt: skip
    table = pd.DataFrame(rows)
    same = [key for key in ("hardware", "processes", "threads", "precision", "software") if len(set(table[key])) == 1]
    everywhere = ", ".join(f"{key} {table[key].iloc[0]}" for key in same)
    return show_table(
        table.drop(columns=same),
        "Each session of each run, with the test after every epoch. "
        + (f"The same in all: {html.escape(everywhere)}. " if same else "")
        + "If other work ran at the same time, only the CPU minutes are meaningful. Only this section may differ when "
        "the pipeline is run again on the same kind of machine. Files: <code>reports/runs/*/environment.json</code>.",
    )


def short(commit: str | None) -> str:
    """The first digits of a commit, with what says that the code was edited; a dash outside of git."""
    return commit[:7] + commit[40:] if commit else "–"
