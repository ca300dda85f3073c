"""Why study B's network from scratch "overfits", as study batchnorm found: for the reports of both."""

from pathlib import Path

import pandas as pd
from IPython.display import HTML

from pipeline.analysis.tables import interval, value

CLAIMS = ("slow_test", "same_training", "reestimated")  # that decide it, all of them
JUDGED = ("reproduced", "not reproduced", "inconclusive")
GUESSING = 100 / 17  # percent right, of 17 classes with as many images each


def explained(reports: Path) -> HTML:
    """The answer in words, from the tables in `reports` of study batchnorm."""
    claims = pd.read_csv(reports / "claims.csv").set_index("id").loc[list(CLAIMS)]
    accuracy = (
        100
        - pd.read_csv(reports / "results.csv").set_index("variant")[
            ["train_error", "train_error_eval", "test_error", "test_error_reestimated"]
        ]
    )
    slow, quick = accuracy.loc["slow"], accuracy.loc["quick"]
    runs = int(claims["n"].min())
    measured = (
        f"Batch norm keeps running averages of mean and variance for tests. Keras by default moves them by 1 % a step, "
        f"torch by 10 %. With Keras' defaults the same network reaches {value(slow['train_error'])} % in training, "
        f"with torch's {value(quick['train_error'])} % (mean of {runs} seeds). On held-out images it has "
        f"{value(slow['test_error'])} % ({bounds(claims, 'slow_test')}), where guessing gives {value(GUESSING)} %; "
        f"with torch's defaults {value(quick['test_error'])} %. <strong>On the very images that it was trained on it "
        f"has {value(slow['train_error_eval'])} % when it is tested</strong>. If only the averages are estimated anew "
        f"on the training images and no weight is changed, it has {value(slow['test_error_reestimated'])} % on "
        f"held-out images, {value(claims.loc['reestimated', 'ours'])} points more ({bounds(claims, 'reestimated')})."
    )
    return HTML(f"<p>{measured}</p>\n<p>{meaning(claims)}</p>")


def meaning(claims: pd.DataFrame) -> str:
    """What follows for the study's value, from the rows of claims.csv by id."""
    unjudged = claims[~claims["verdict"].isin(JUDGED)]
    if len(unjudged):
        return f"The claims about it are not judged ({unjudged['reason'].iloc[0]}). So nothing follows from this."
    if claims["verdict"].eq("reproduced").all():
        return (
            "<strong>So the study's “severe overfitting” is most likely none.</strong> After so few steps the averages "
            "are still near their start, and the network is tested with wrong ones. The study's own code was not run "
            "here, so that this happened there is an inference."
        )
    held = int(claims["verdict"].eq("reproduced").sum())
    text = (
        f"Of the {len(claims)} claims that were declared beforehand {held} {'holds' if held == 1 else 'hold'}. "
        "<strong>So what brought the study's network to 4.04 % is not settled.</strong>"
    )
    if claims.loc["reestimated", "low"] > 0:
        text += (
            " Slow averages make a network that has learned look much worse in tests, on the images that it was "
            "trained on as much as on others. That is no overfitting."
        )
        if claims.loc["slow_test", "low"] > GUESSING:
            text += (
                " But under our protocol they do not bring it down to guessing. The study does not name its batch "
                "size: with fewer steps the averages are further off, which could explain the rest, and so could "
                "another cause."
            )
    return text


def bounds(claims: pd.DataFrame, name: str) -> str:
    """The 95 % interval of a claim."""
    return f"95 % interval {interval(claims.loc[name, 'low'], claims.loc[name, 'high'])}"
