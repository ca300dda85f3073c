"""The parts of a report that judge claims and show what the verdicts rest on, from the files under reports/."""

import html
from collections import Counter

from IPython.display import HTML

from pipeline.analysis import tables
from pipeline.analysis.measures import ENOUGH, MEASURES, first_rate
from pipeline.reporting import evidence_figures
from pipeline.reporting.page import badges, show_figure, show_table
from pipeline.reporting.study import Study, table

RUNS = ("in one run", "in two runs")
OUTCOMES = {  # what is said of claims about trained networks, of one and of several, by verdict
    ("is reproduced", "are reproduced"): ["reproduced"],
    ("is not reproduced", "are not reproduced"): ["not reproduced"],
    ("has the claimed direction", "have the claimed direction"): ["direction reproduced"],
    ("has the other direction", "have the other direction"): ["direction not reproduced"],
    ("agrees", "agree"): [f"agrees {runs}" for runs in RUNS],
    ("disagrees", "disagree"): [f"disagrees {runs}" for runs in RUNS],
    ("agrees in direction", "agree in direction"): [f"direction agrees {runs}" for runs in RUNS],
    ("disagrees in direction", "disagree in direction"): [f"direction disagrees {runs}" for runs in RUNS],
}


def spread(s: Study) -> str:
    """What a band or bar spans, and of how many runs."""
    return f"n = {s.n} a network" + ("; a band spans the seeds" if s.n > 1 else "")


def verdicts(s: Study) -> HTML:
    """How many claims came to which verdict, and the larger claims with what became of each."""
    judged = table("claims")
    summary = show_table(
        tables.parts_table(judged),
        f"Verdicts on {len(judged)} measures of the claims of study A (A, with its numbers), of the paper (P) and of "
        "study B (B). The number after a sign says how many measures of the claim have that verdict. Ours and "
        "published are of its first measure; ours is mean ± sample standard deviation (number of runs). "
        '<a href="#Claims-one-by-one">Claims one by one</a> has all measures. File: <code>reports/claims.csv</code>.',
    )
    summary = summary.data.replace('<div class="table">', '<div class="table summary">')
    return HTML(badges(judged) + summary)


def known(s: Study) -> HTML:
    """In three sentences what is known from training, what without, and what is not known yet."""
    judged = table("claims")
    counts = {kind: Counter(tally) for kind, tally in tables.tallies(judged).items()}
    trained = counts.pop("trained", Counter())
    others = sum(counts.values(), Counter())
    found = {verbs: total(trained, *words) for verbs, words in OUTCOMES.items()}
    said = [f"{measures(count)} {verbs[count > 1]}" for verbs, count in found.items() if count]
    valued = tables.with_values(*tables.facts(judged, "trained"))
    sentences = [
        f"<strong>From training</strong> ({s.epochs}, {s.seeds}): {', '.join(said) or 'nothing yet'}"
        + (f"; {valued}" if said else "")
        + (f". A reproduction takes {ENOUGH} seeds or more." if s.n < ENOUGH else "."),
        f"<strong>Without training</strong> (counting parameters, construction, gradients before the first step): "
        f"{measures(total(others, 'reproduced'))} reproduced, {total(others, 'not reproduced')} not{at_the_start(s)}.",
        "<strong>Not known yet</strong>: these runs cannot decide "
        f"{measures(total(trained, 'inconclusive', 'another protocol'))}; "
        f"{total(trained, 'not run', 'not judged')} more not run or not judged.",
    ]
    if not others:
        sentences[1] = "<strong>Without training</strong>: there are no such claims."
    return HTML(f'<ul class="known">{"".join(f"<li>{sentence}</li>" for sentence in sentences)}</ul>')


def measures(count: int) -> str:
    return f"{count} measure{'' if count == 1 else 's'}"


def at_the_start(s: Study) -> str:
    """What the gradient does before training in the network where it changes most from late to early layers."""
    if "gradient_reach_initial" not in s.results:
        return ""
    reach = s.results.set_index("variant")["gradient_reach_initial"]
    name = reach.abs().idxmax()
    does = (
        "explodes on its way back"
        if reach[name] > 1
        else "vanishes on its way back"
        if reach[name] < -1
        else "is level"
    )
    return (
        f". Before training the gradient of {name} {does}: in early layers it is {tables.factor(10 ** reach[name])} "
        "times as large as in late ones"
    )


def total(counts: Counter[str], *verdicts: str) -> int:
    return sum(counts[verdict] for verdict in verdicts)


def claims(s: Study, file: str = "claims.yaml") -> HTML:
    """The claims one by one, with their verdicts."""
    judged = table("claims")
    bounded = (judged["kind"] == "trained") & judged["low"].notna()
    tests = "; ".join(dict.fromkeys(judged.loc[bounded, "test"].dropna()))
    of_classes = bounded & judged["measured"].str.startswith(MEASURES["class_error"].words)
    ends = (
        "Where every class is claimed to gain, the two ends are the lowest of the classes: if the first is above 0, "
        "each has gained; if the second is below 0, one has lost. They may be of different classes, so they are no "
        "interval of the value beside them. "
    )
    shown = show_table(
        tables.claims_table(judged),
        f"Each claim was declared with its tolerance in <code>{file}</code>, which says when. The verdict rests on "
        "the 95 % "
        "interval. Ours is mean ± sample standard deviation (number of runs). Intervals for trained networks: "
        f"{html.escape(tests or 'none')}. {ends if of_classes.any() else ''}File: <code>reports/claims.csv</code>.",
        list(judged["part"].fillna("")) if tables.has_parts(judged) else None,
    )
    return HTML(badges(judged) + shown.data)


def tests(s: Study) -> HTML:
    """How each claim was tested."""
    return show_table(
        tables.evidence_table(table("claims")),
        "How each claim was tested. p tests that a difference is 0, or a ratio 1; the error of one network has none. "
        "The binomial error says how far other test images would move one run, with independent images for each "
        "network; there is none for training images. "
        "'Accepted' is the declared tolerance; a dash means that only the sign is claimed. File: "
        "<code>reports/claims.csv</code>.",
    )


def by_family(s: Study) -> HTML:
    """Curves in the paper's layout."""
    names = ", ".join(s.results["variant"])
    return show_figure(
        evidence_figures.by_family(s.curves, s.arch), "by_family",
        f"Error by epoch of {names}: plain networks left, residual ones right, training dashed, test solid.",
        "As He et al.'s Figure 6: running training error dashed, test error solid. With degradation the deeper plain "
        "network lies above the shallower one, dashed lines included. With shortcuts the deeper one should lie below. "
        f"{spread(s)}. File: <code>reports/curves.csv</code>.",
        s.figures,
    )  # fmt: skip


def gains(s: Study) -> HTML:
    """What shortcuts gain, against depth."""
    gained = table("gains")
    if gained.empty:
        return HTML("<p>This grid has no network together with the same one without shortcuts.</p>")
    test = gained["test"].fillna("").iloc[0]
    words = ", ".join(f"{row.residual} {row.gain:+.2f}".replace("-", "−") for row in gained.itertuples())
    return show_figure(
        evidence_figures.gains(gained), "gains",
        f"Test error of plain networks minus that of residual ones, against layers, in points: {words}.",
        f"What shortcuts gain: {words} points of test error, mean over n = {s.n} a network"
        f"{f' with 95 % intervals ({test})' if test else ''}. Above 0 shortcuts help. If the line rises, they help "
        "deeper networks more. Open markers are published values. File: <code>reports/gains.csv</code>.",
        s.figures,
    )  # fmt: skip


def convergence(s: Study) -> HTML:
    """Epochs to fixed errors, as a figure and a table if any was reached; best epochs; ratios of plain to residual."""
    fixed = s.results.filter(like="epochs_to_")
    if fixed.notna().any(axis=None):
        names = ", ".join(s.results["variant"])
        figure = show_figure(
            evidence_figures.convergence(s.results, s.arch), "convergence",
            f"Epochs until the test error is at or below fixed values, of {names}.",
            "First epoch whose test error is at or below a fixed value, before the learning rate first drops; mean "
            f"over n = {s.n}. A point is missing if not every run gets there. Lower is faster. File: "
            "<code>reports/results.csv</code>.",
            s.figures,
        )  # fmt: skip
        results, said = s.results, "The same in numbers; a dash means that not every run got there"
    else:
        highest = max(int(name.removeprefix("epochs_to_")) for name in fixed)
        figure, results = HTML(""), s.results.drop(columns=fixed.columns)
        said = f"No network came to {highest} % test error or below in all runs before the learning rate first drops"
    epochs = show_table(
        tables.convergence_table(results),
        f"{said}. Errors during training are in the precision of training, the final error is in fp32. The lowest one "
        "is for comparison only: to report it would be to select on the test set. File: "
        "<code>reports/results.csv</code>.",
    )
    ratios = tables.ratios_table(table("convergence"))
    if ratios.empty:
        return HTML(figure.data + epochs.data)
    judged = table("claims")
    of_ratios = judged[judged["measured"].astype(str).str.startswith("epochs to ")]
    claimed = (
        f"The claims compare the {of_ratios['measured'].iloc[0].split(' of ')[0]}: {of_ratios['note'].iloc[0]}. "
        if len(of_ratios)
        else ""
    )
    faster = show_table(
        ratios,
        "Epochs of the plain network divided by those of the residual one. Above 1 the residual network is faster. "
        f"{claimed}If the plain network never gets there, the ratio is larger than shown. Ratio of the means ± "
        "standard deviation (number of runs). The interval is Fieller's and includes the rounding to whole epochs; one "
        "run has none. File: <code>reports/convergence.csv</code>.",
    )
    return HTML(figure.data + epochs.data + faster.data)


def stability(s: Study) -> HTML:
    """Training error as tested, and how unsteady training was."""
    last = first_rate(s.settings)
    return show_table(
        tables.stability_table(s.results),
        "A deeper network that is also worse on its training images does not overfit. The running training error is "
        "the mean on augmented images while the network learns. Training error as tested is that of the trained "
        "network on the same images without augmentation. Instability: how far the test error jumps around a straight "
        f"line in the second half of the epochs before the learning rate first drops, here {last // 2 + 1} to {last}, "
        "as the residual standard deviation of its log-odds. A dash: too few epochs. "
        f"Means over n = {s.n}. File: <code>reports/results.csv</code>.",
    )


def confidence(s: Study) -> HTML:
    """How sure networks are of what they predict, and how often they are right."""
    return show_table(
        tables.confidence_table(s.results),
        "Confidence: the mean probability that a network gives to the class it predicts, on the test images. If it is "
        "above the accuracy, the network is overconfident. Calibration error (Guo et al. 2017): the gap between the "
        "two "
        "within 15 bins of equal width, weighted by the number of images in each. "
        f"Means over n = {s.n}. File: <code>reports/results.csv</code>.",
    )


def gradients(s: Study) -> HTML:
    """Gradient norm by layer, and by how much it grows or falls on its way back."""
    layers = table("gradients")
    figure = show_figure(
        evidence_figures.gradients(layers, s.arch), "gradients",
        f"Norm of the gradient of each layer's weights before and after training: {', '.join(s.results['variant'])}.",
        f"Norm of the gradient of each layer's weights on {layers['images'].max()} fixed training images, fp32. Read "
        "it from right to left, as gradients flow. A gradient that vanishes falls by orders of magnitude, one that "
        f"explodes rises, and a highway keeps it level. {spread(s)}. File: <code>reports/gradients.csv</code>.",
        s.figures,
    )  # fmt: skip
    shown = show_table(
        tables.layers_table(s.results),
        "Gradient norms of the first third of the 3x3 layers divided by those of the last third (geometric means). Far "
        "below 1 the gradient vanishes on its way back, far above 1 it explodes. Before training: over eight seeds; "
        f"after training: n = {s.n}. File: <code>reports/results.csv</code>, there as decimal logarithms.",
    )
    return HTML(figure.data + shown.data)


def responses(s: Study) -> HTML:
    """Responses by layer."""
    layers = table("responses")
    return show_figure(
        evidence_figures.responses(layers, s.arch), "responses",
        f"Standard deviation of each 3x3 layer's response after training, of {', '.join(s.results['variant'])}.",
        "As He et al.'s Figure 7: standard deviation of each 3x3 layer's response after training, taken after batch "
        "norm "
        f"and before addition and ReLU, on {layers['images'].max()} fixed training images. Left: by layer. Right: "
        "sorted by "
        f"size. Residual networks should lie below plain ones, and deeper ones below shallower ones. {spread(s)}. "
        "File: <code>reports/responses.csv</code>.",
        s.figures,
    )  # fmt: skip
