"""The parts of a report that judge claims and show what the verdicts rest on, from the files under reports/."""

import html
from collections import Counter

from IPython.display import HTML

from pipeline import evidence_figures, tables
from pipeline.measures import ENOUGH
from pipeline.page import badges, show_figure, show_table
from pipeline.study import Study, table

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
        f"Verdicts on {len(judged)} measures of what study A (A, by its numbers) and the paper (P) claim, and "
        "the first measure of each: ours is mean ± sample standard deviation (runs). "
        'All are under <a href="#Claims-one-by-one">Claims one by one</a>. File: <code>reports/claims.csv</code>.',
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
    rest = tables.facts(judged, "trained")
    sentences = [
        f"<strong>From training</strong> ({s.epochs}, {s.seeds}): {', '.join(said) or 'nothing can be said yet'}"
        + (f"; all of it rests on {rest} measurements of single networks" if said else "")
        + (f", with fewer than the {ENOUGH} seeds that a reproduction takes." if s.n < ENOUGH else "."),
        f"<strong>Without training</strong>, by counting parameters, by construction or before the first step: "
        f"{measures(total(others, 'reproduced'))} reproduced, {total(others, 'not reproduced')} not{at_the_start(s)}.",
        f"<strong>Not known yet</strong>: {measures(total(trained, 'inconclusive', 'another protocol'))} that these "
        f"runs cannot decide, {total(trained, 'not run', 'not judged')} that were not run or not judged.",
    ]
    if not others:
        sentences[1] = "<strong>Without training</strong>: nothing is claimed that can be known so."
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
        f"; at the start the gradient of {name} {does}: in early layers it is {tables.factor(10 ** reach[name])} times "
        "that in late ones"
    )


def total(counts: Counter[str], *verdicts: str) -> int:
    return sum(counts[verdict] for verdict in verdicts)


def claims(s: Study, file: str = "claims.yaml") -> HTML:
    """The claims one by one, with their verdicts."""
    judged = table("claims")
    tests = "; ".join(dict.fromkeys(judged.loc[judged["kind"] == "trained", "test"].dropna()))
    shown = show_table(
        tables.claims_table(judged),
        f"Each was declared with its tolerance in <code>{file}</code>, which says when. The verdict rests on the 95 % "
        "interval, cut where no share of images can lie. Ours is mean ± sample standard deviation (runs). Of trained "
        f"networks the intervals are: {html.escape(tests or 'none')}. File: <code>reports/claims.csv</code>.",
        list(judged["part"].fillna("")) if tables.has_parts(judged) else None,
    )
    return HTML(badges(judged) + shown.data)


def tests(s: Study) -> HTML:
    """How each claim was tested."""
    return show_table(
        tables.evidence_table(table("claims")),
        "How each claim was tested. p is that of no difference, of a ratio that of 1. The binomial error is what "
        "another draw of test images would move one run a network by, of several networks as if each had other "
        "images; there is none of training images, to which the network was fitted. Accepted is what was declared to "
        "count as reproduced, a dash meaning that only the sign is claimed. File: <code>reports/claims.csv</code>.",
    )


def by_family(s: Study) -> HTML:
    """Curves in the paper's layout."""
    names = ", ".join(s.results["variant"])
    return show_figure(
        evidence_figures.by_family(s.curves, s.arch), "by_family",
        f"Error by epoch of {names}: plain networks left, residual ones right, training dashed, test solid.",
        "As He et al.'s Figure 6: running training error dashed, test error solid. Degradation is a deeper plain "
        "network lying above a shallower one, dashed lines included; with shortcuts the deeper one should lie below. "
        f"{spread(s)}. File: <code>reports/curves.csv</code>.",
        s.figures,
    )  # fmt: skip


def gains(s: Study) -> HTML:
    """What shortcuts gain, against depth."""
    gained = table("gains")
    if gained.empty:
        return HTML("<p>No network of this grid stands beside the same one without shortcuts.</p>")
    test = gained["test"].iloc[0].partition(", p ")[0]
    words = ", ".join(f"{row.residual} {row.gain:+.2f}".replace("-", "−") for row in gained.itertuples())
    return show_figure(
        evidence_figures.gains(gained), "gains",
        f"Test error of plain networks less that of residual ones, against layers, in points: {words}.",
        f"What shortcuts gain: {words} points of test error, mean over n = {s.n} a network with 95 % intervals "
        f"({test}). Above 0 shortcuts help; a line that rises says that they help deeper networks "
        "more. Open markers are published. File: <code>reports/gains.csv</code>.",
        s.figures,
    )  # fmt: skip


def convergence(s: Study) -> HTML:
    """Epochs to fixed errors: a figure, the epochs, and ratios of plain to residual."""
    names = ", ".join(s.results["variant"])
    figure = show_figure(
        evidence_figures.convergence(s.results, s.arch), "convergence",
        f"Epochs until the test error is at or below fixed values, of {names}.",
        f"First epoch, of those at the first rate, whose test error is at or below a fixed one, mean over n = {s.n}; "
        "a point is missing where not every run gets there. The lower a line, the faster. File: "
        "<code>reports/results.csv</code>.",
        s.figures,
    )  # fmt: skip
    epochs = show_table(
        tables.convergence_table(s.results),
        "The same in numbers; a dash where not every run got there. The best epoch, as tested in the precision of "
        "training, is shown for comparison only: to report it would be to select on the test set. File: "
        "<code>reports/results.csv</code>.",
    )
    ratios = tables.ratios_table(table("convergence"))
    if ratios.empty:
        return HTML(figure.data + epochs.data)
    faster = show_table(
        ratios,
        "Plain to residual, at the first rate: above 1 the residual network is sooner, 2 is what study A claims, "
        "without saying to which error. 20 %, which was declared, is the most favourable to the claim of those in "
        "earlier runs. Where the plain network does not get there, the ratio is above what is shown. Ratio of the "
        "means ± standard deviation (runs); Fieller's interval, to which the rounding to whole epochs adds, and none "
        "of one run. File: <code>reports/convergence.csv</code>.",
    )
    return HTML(figure.data + epochs.data + faster.data)


def stability(s: Study) -> HTML:
    """Training error as tested, and how unsteady training was."""
    return show_table(
        tables.stability_table(s.results),
        "A deeper network that is worse on its training images too is not overfitting. The running training error is "
        "that of augmented images as the network learns, the other that of the plain images with the network as it "
        "is tested. Instability: the residual standard deviation of the log-odds of the test error about a straight "
        "line, over the second half of the epochs at the first rate (a dash where they are too few); in log-odds, a "
        f"network with a higher error is not less stable for that. Means over n = {s.n}. File: "
        "<code>reports/results.csv</code>.",
    )


def confidence(s: Study) -> HTML:
    """How sure networks are of what they predict, and how often they are right."""
    return show_table(
        tables.confidence_table(s.results),
        "How sure a network is: the mean probability that it gives the class it predicts, on the test images. It "
        "is overconfident where that is above its accuracy. Calibration error (Guo et al. 2017): the gap between the "
        "two within 15 bins of equal width of that probability, weighted by the images in each. "
        f"Means over n = {s.n}. File: <code>reports/results.csv</code>.",
    )


def gradients(s: Study) -> HTML:
    """Gradient norm by layer, and by how much it grows or falls on its way back."""
    layers = table("gradients")
    figure = show_figure(
        evidence_figures.gradients(layers, s.arch), "gradients",
        f"Norm of the gradient of each layer's weights before and after training: {', '.join(s.results['variant'])}.",
        f"Norm of the gradient of each layer's weights on {layers['images'].max()} fixed training images, fp32. On its "
        "way back, from right to left, a gradient that vanishes falls by orders of magnitude, one that explodes rises; "
        f"a highway keeps it level. {spread(s)}. File: <code>reports/gradients.csv</code>.",
        s.figures,
    )  # fmt: skip
    shown = show_table(
        tables.layers_table(s.results),
        "Gradient norms of the first third of the 3x3 layers as multiples of those of the last third (geometric "
        "means): far below 1 the gradient vanishes on its way back, far above 1 it explodes. Before training over "
        f"eight seeds, after it over n = {s.n}. File: <code>reports/results.csv</code>, there as decimal logarithms.",
    )
    return HTML(figure.data + shown.data)


def responses(s: Study) -> HTML:
    """Responses by layer."""
    layers = table("responses")
    return show_figure(
        evidence_figures.responses(layers, s.arch), "responses",
        f"Standard deviation of each 3x3 layer's response after training, of {', '.join(s.results['variant'])}.",
        "As He et al.'s Figure 7: standard deviation of each 3x3 layer's response after batch norm and before "
        f"addition and ReLU, after training, on {layers['images'].max()} fixed training images; left by layer, right "
        f"by size. Residual networks should lie below plain ones, deeper ones below shallower ones. {spread(s)}. "
        "File: <code>reports/responses.csv</code>.",
        s.figures,
    )  # fmt: skip
