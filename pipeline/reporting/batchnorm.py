"""Why study B's network from scratch "overfits", as study batchnorm found: for the reports of both."""

from pathlib import Path

import pandas as pd
from IPython.display import HTML

from pipeline.analysis.tables import interval, value

CLAIMS = ("slow_test", "same_training", "reestimated")  # that decide it, all of them


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
        f"torch by 10 %. With Keras' defaults the same network reaches {value(slow['train_error'])} % in training in 5 "
        f"epochs, with torch's {value(quick['train_error'])} % (mean of {runs} seeds). On held-out images it has "
        f"{value(slow['test_error'])} % ({bounds(claims, 'slow_test')}), where guessing gives 5.88 %; with torch's "
        f"defaults {value(quick['test_error'])} %. <strong>On the very images that it was trained on it has "
        f"{value(slow['train_error_eval'])} % when it is tested</strong>. If only the averages are estimated anew on "
        f"the training images and no weight is changed, it has {value(slow['test_error_reestimated'])} % on held-out "
        f"images, {value(claims.loc['reestimated', 'ours'])} points more ({bounds(claims, 'reestimated')})."
    )
    if claims["verdict"].eq("reproduced").all():
        meaning = (
            "<strong>So the study's “severe overfitting” is most likely none.</strong> After so few steps the averages "
            "are still near their start, and the network is tested with wrong ones. The study's own code was not run "
            "here, so that this happened there is an inference."
        )
    else:
        held = int(claims["verdict"].eq("reproduced").sum())
        meaning = (
            f"Of the {len(claims)} claims that were declared beforehand {held} {'holds' if held == 1 else 'hold'}. "
            "<strong>So what brought the study's network to 4.04 % is not settled.</strong>"
        )
        if claims.loc["reestimated", "low"] > 0:
            meaning += (
                " Slow averages make a network that has learned look much worse in tests, on the images that it was "
                "trained on as much as on others. That is no overfitting. But here they do not bring it down to "
                "guessing, so the study's value must have another cause besides, or instead."
            )
    return HTML(f"<p>{measured}</p>\n<p>{meaning}</p>")


def bounds(claims: pd.DataFrame, name: str) -> str:
    """The 95 % interval of a claim."""
    return f"95 % interval {interval(claims.loc[name, 'low'], claims.loc[name, 'high'])}"
