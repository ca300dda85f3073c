"""Verdicts: what is declared is judged by interval and tolerance, and what cannot be judged is said."""

import numpy as np
import pandas as pd
import pytest
from conftest import grid_of

from pipeline.analysis import tables, verdicts
from pipeline.analysis.claims import Claim, Declared

CLAIM = {"id": "a", "statement": "s", "source": "t", "measure": "test_accuracy", "of": {"resnet8": 1}}
SIGN = {"of": {"resnet8": 1, "plain8": -1}, "published": None, "tolerance": None}


def declared(*claims: Claim, spread: float | None = 0.4, condition: str = "", **protocol: object) -> Declared:
    return Declared(
        spread=spread, short_spread=0.9, short_from=2, protocol=protocol, condition=condition, claims=list(claims)
    )


def claim(**changes: object) -> Claim:
    return Claim.model_validate(CLAIM | {"published": 90.0, "tolerance": 1.0} | changes)


@pytest.fixture
def judged(settings):
    def judge(errors: dict[str, list[float]], one: Claim, measures: dict | None = None, **changes: object) -> pd.Series:
        """The row of `one`, of runs on CIFAR-10 with these test errors in the last epoch, a list a variant."""
        seeds = list(range(len(next(iter(errors.values())))))
        given = settings(**({"dataset": "cifar10", "train_size": 50_000, "seeds": seeds} | changes))
        sizes = {"resnet8": 1_500_000, "plain8": 500_000}
        return verdicts.judge(declared(one), grid_of(given, errors, **(measures or {})), sizes).iloc[0]

    return judge


@pytest.mark.parametrize(
    ("errors", "verdict", "reason"),
    [
        ([10.0, 10.1, 9.9], "reproduced", "the interval lies within 89 to 91"),
        ([15.0, 15.1, 14.9], "not reproduced", "the interval lies outside 89 to 91"),
        ([10.9, 11.1, 11.0], "inconclusive", "the interval crosses a limit of 89 to 91"),
        ([5.0, 15.0, 10.0], "inconclusive", "the interval crosses a limit of 89 to 91"),
    ],
)
def test_a_value_is_held_against_its_tolerance(judged, errors, verdict, reason):
    row = judged({"resnet8": errors}, claim())
    assert (row["verdict"], row["reason"]) == (verdict, reason)
    assert row["difference"] == pytest.approx(100 - np.mean(errors) - 90)
    assert (row["n"], row["sd"]) == (3, pytest.approx(np.std(errors, ddof=1)))
    assert (row["accepted_from"], row["accepted_to"]) == (89, 91)
    assert row["test"] == "Student's t over seeds"
    assert row["binomial_se"] == pytest.approx(np.sqrt(np.mean(errors) * (100 - np.mean(errors)) / 10_000))


def test_a_tolerance_may_be_wider_on_one_side(judged):
    row = judged({"resnet8": [14.0, 14.1, 13.9]}, claim(tolerance=[85.0, 90.5]))
    assert row["verdict"] == "reproduced"


@pytest.mark.parametrize(
    ("plain", "verdict"),
    [([20.0, 21.0, 20.5], "reproduced"), ([5.0, 5.5, 5.2], "not reproduced"), ([10.0, 10.4, 9.9], "inconclusive")],
)
def test_without_a_published_value_the_sign_is_judged(judged, plain, verdict):
    row = judged({"resnet8": [10.0, 10.2, 10.1], "plain8": plain}, claim(**SIGN))
    assert row["verdict"] == verdict
    assert row["test"] == "Student's t over seeds"


@pytest.mark.parametrize(
    ("errors", "verdict"),
    [
        ([10.0], "agrees in one run"),
        ([16.0], "disagrees in one run"),
        ([11.0], "inconclusive"),
        ([10.0, 10.1], "agrees in two runs"),
        ([16.0, 15.9], "disagrees in two runs"),
    ],
)
def test_fewer_than_three_seeds_agree_or_disagree(judged, errors, verdict):
    row = judged({"resnet8": errors}, claim(tolerance=2.0))
    assert (row["verdict"], row["n"]) == (verdict, len(errors))
    assert "declared spread over seeds" in row["test"]


def test_a_difference_that_images_alone_would_call_sure_is_not_within_the_spread(judged):
    """0.9 points on the same 10,000 images: a bootstrap excludes 0 and the spread over seeds does not."""
    row = judged({"resnet8": [10.0], "plain8": [10.9]}, claim(**SIGN))
    assert row["verdict"] == "inconclusive"
    assert judged({"resnet8": [10.0], "plain8": [20.0]}, claim(**SIGN))["verdict"] == "agrees in one run"


def test_a_short_schedule_tells_signs_of_differences_alone(judged):
    one = claim(of={"resnet8": 1, "plain8": -1}, published=2.0, epochs=100)
    row = judged({"resnet8": [10.0, 10.2, 10.1], "plain8": [20.0, 21.0, 20.5]}, one)
    assert row["verdict"] == "direction reproduced"
    assert "3 epochs were run, and judging its size takes 100" in row["reason"]
    row = judged({"resnet8": [10.0, 10.2, 10.1], "plain8": [20.0, 21.0, 20.5]}, claim(**SIGN, epochs=100))
    assert (row["verdict"], row["reason"]) == (
        "direction reproduced",
        "the interval has the claimed sign; 3 epochs were run, and the claim is about 100",
    )
    row = judged({"resnet8": [20.0, 21.0, 20.5], "plain8": [10.0, 10.2, 10.1]}, one)
    assert row["verdict"] == "direction not reproduced"
    assert judged({"resnet8": [20.0], "plain8": [10.0]}, one)["verdict"] == "direction disagrees in one run"
    assert judged({"resnet8": [10.0, 10.2]}, claim(epochs=100))["verdict"] == "inconclusive"


def test_the_sign_of_a_negative_published_value_is_negative(judged):
    one = claim(of={"resnet8": 1, "plain8": -1}, published=-2.0, epochs=100)
    row = judged({"resnet8": [20.0, 20.2, 20.1], "plain8": [10.0, 11.0, 10.5]}, one)
    assert row["verdict"] == "direction reproduced"


def test_short_runs_have_a_spread_of_their_own(judged):
    errors = {"resnet8": [10.0], "plain8": [12.0]}
    assert judged(errors, claim(**SIGN))["verdict"] == "agrees in one run"
    assert judged(errors, claim(**SIGN, epochs=100))["verdict"] == "inconclusive"
    assert judged(errors, claim(**SIGN), train_size=40_000)["verdict"] == "inconclusive"


def test_of_runs_shorter_than_that_spread_is_about_none_is_known(settings):
    errors = {"resnet8": [10.0], "plain8": [80.0]}
    grid = grid_of(settings(dataset="cifar10", train_size=50_000), errors)  # 3 epochs
    for first, verdict in ((3, "direction agrees in one run"), (4, "inconclusive")):
        known = Declared(spread=0.4, short_spread=0.9, short_from=first, protocol={}, claims=[claim(**SIGN, epochs=9)])
        assert verdicts.judge(known, grid, {}).iloc[0]["verdict"] == verdict


def test_two_runs_without_a_declared_spread_decide_nothing_of_errors(settings):
    one, images = claim(**SIGN), {"resnet8": [10.0, 10.0], "plain8": [80.0, 80.0]}
    grid = grid_of(settings(dataset="cifar10", train_size=50_000, seeds=[0, 1]), images)
    row = verdicts.judge(Declared(spread=None, protocol={}, claims=[one]), grid, {}).iloc[0]
    assert (row["verdict"], row["reason"]) == (
        "inconclusive",
        "two runs, and no spread over seeds is declared for such runs",
    )


def test_a_short_single_value_says_that_it_is_short(judged):
    row = judged({"resnet8": [10.0]}, claim(epochs=100))
    assert (row["verdict"], row["reason"]) == ("inconclusive", "3 epochs were run, and judging its size takes 100")


def test_the_middle_of_the_tolerance_has_the_sign_where_the_published_value_has_none(judged):
    one = claim(of={"resnet8": 1, "plain8": -1}, published=0.0, tolerance=[-3.0, 1.0], epochs=100)
    row = judged({"resnet8": [20.0, 20.2, 20.1], "plain8": [10.0, 11.0, 10.5]}, one)
    assert row["verdict"] == "direction reproduced"


def test_without_a_spread_for_short_runs_one_of_them_decides_nothing(settings):
    one = claim(**SIGN, epochs=100)
    grid = grid_of(settings(dataset="cifar10", train_size=50_000), {"resnet8": [10.0], "plain8": [80.0]})
    row = verdicts.judge(Declared(spread=0.4, protocol={}, claims=[one]), grid, {}).iloc[0]
    assert (row["verdict"], row["reason"]) == (
        "inconclusive",
        "one run, and no spread over seeds is declared for such runs; 3 epochs were run, and the claim is about 100",
    )


def test_the_claimed_sign_is_that_of_the_published_value_not_of_the_tolerance(judged):
    one = claim(of={"resnet8": 1, "plain8": -1}, published=0.3, tolerance=[-1.0, 0.8], epochs=100)
    row = judged({"resnet8": [20.0, 20.2, 20.1], "plain8": [10.0, 11.0, 10.5]}, one)
    assert row["verdict"] == "direction not reproduced"


def test_the_sign_of_a_ratio_is_whether_it_is_above_1(judged):
    one = claim(measure="test_error", of={"plain8": 1}, over={"resnet8": 1}, published=2.0, tolerance=0.5, epochs=100)
    row = judged({"resnet8": [10.0, 10.2, 10.1], "plain8": [14.0, 14.2, 14.1]}, one)
    assert (row["verdict"], row["unit"]) == ("direction reproduced", "ratio")
    row = judged({"resnet8": [14.0, 14.2, 14.1], "plain8": [10.0, 10.2, 10.1]}, one)
    assert row["verdict"] == "direction not reproduced"
    one_run = judged({"resnet8": [10.0], "plain8": [14.0]}, one)
    assert one_run["verdict"] == "direction agrees in one run"
    assert one_run["test"] == "Fieller's interval, images and declared spread over seeds"
    row = judged({"resnet8": [10.0, 12.2, 8.1], "plain8": [10.0, 10.2, 10.1]}, one)
    assert (row["verdict"], row["reason"].partition(";")[0]) == ("inconclusive", "the interval contains 1")


SOONER = {
    "measure": "epochs_to_20",
    "of": {"plain8": 1},
    "over": {"resnet8": 1},
    "published": 2.0,
    "tolerance": [1.5, 3],
}


@pytest.mark.parametrize(
    ("plain", "residual", "verdict"),
    [
        ([np.inf], [9.0], "inconclusive"),  # one run has no spread
        ([40.0], [20.0], "inconclusive"),
        ([np.inf, np.inf, 75.0], [9.0, 10.0, 9.0], "not reproduced"),  # more than 8.4 times as many
        ([np.inf, 11.0, 11.0], [3.0, 3.0, 4.0], "inconclusive"),  # the mean is 10 times, by one run
        ([np.inf, np.inf, 75.0], [40.0, 42.0, 41.0], "inconclusive"),
        ([9.0, 9.0, 10.0], [np.inf, 70.0, np.inf], "not reproduced"),  # less than 0.12 times
    ],
)
def test_a_network_that_never_gets_there_decides_as_far_as_its_bound_is_sure(judged, plain, residual, verdict):
    """80 of 200 epochs at the first rate."""
    epochs = {"epochs_to_20": {"plain8": plain, "resnet8": residual}}
    errors = {"resnet8": [10.0, 11.0, 12.0][: len(plain)], "plain8": [30.0, 31.0, 32.0][: len(plain)]}
    row = judged(errors, claim(**SOONER), epochs, epochs=200)
    assert row["verdict"] == verdict
    if len(plain) > 1:
        who = "plain8" if np.isinf(plain[0]) else "resnet8"
        assert f"; not every run of {who} reached that error before the learning rate dropped" in row["reason"]


def test_a_bound_of_few_runs_tells_no_direction_of_a_short_schedule(judged):
    """The mean of the bound is 1.29, but two of three pairs are below 1."""
    epochs = {"epochs_to_20": {"plain8": [np.inf, 5.0, 5.0], "resnet8": [5.0, 6.0, 6.0]}}
    errors = {"resnet8": [10.0, 11.0, 12.0], "plain8": [30.0, 31.0, 32.0]}
    row = judged(errors, claim(**SOONER, epochs=200), epochs, epochs=30)
    assert (row["verdict"], row["ours"]) == ("inconclusive", pytest.approx(22 / 17))


def test_what_was_not_reached_or_has_no_spread_is_inconclusive(judged):
    errors = {"resnet8": [10.0, 10.2], "plain8": [20.0, 21.0]}
    none = {"plain8": [3.0, np.inf], "resnet8": [2.0, np.inf]}
    row = judged(errors, claim(**SOONER), {"epochs_to_20": none})
    expected = ("inconclusive", "not every run reached 20 % test error before the learning rate dropped")
    assert (row["verdict"], row["reason"]) == expected
    unsteady = {"instability": {"plain8": [np.nan, 1.0], "resnet8": [1.0, 1.0]}}
    row = judged(errors, claim(**SIGN | {"measure": "instability"}), unsteady)
    assert row["reason"] == "there are fewer than 9 epochs before the learning rate drops"


def test_another_protocol_is_not_what_the_claim_is_about(judged, settings):
    grid = grid_of(settings(dataset="cifar10", train_size=50_000, lr=0.05), {"resnet8": [10.0]})
    row = verdicts.judge(declared(claim(), lr=0.1, batch_size=128), grid, {}).iloc[0]
    assert (row["verdict"], row["reason"]) == ("another protocol", "lr is 0.05, and the claim is about 0.1")
    assert row["ours"] == 90
    assert verdicts.judge(declared(claim(), lr=0.05), grid, {}).iloc[0]["verdict"] != "another protocol"
    count = claim(measure="parameters", published=1.5, tolerance=0.05)
    row = verdicts.judge(declared(count, lr=0.1), grid, {"resnet8": 1_500_000}).iloc[0]
    assert row["verdict"] == "reproduced"


def test_other_images_are_not_what_any_claim_is_about(settings):
    """Nor are counts, of a network with more classes; generated images of the same form change no count."""
    arch = {"resnet8": {"depth": 8, "classes": 100}}
    hundred = settings(dataset="cifar100", variants=["resnet8"], arch=arch)
    both = declared(claim(), claim(id="b", measure="parameters", published=1.5, tolerance=0.05), dataset="cifar10")
    rows = verdicts.judge(both, grid_of(hundred, {"resnet8": [10.0]}), {"resnet8": 1_500_000})
    said = ("another protocol", "dataset is cifar100, and the claim is about cifar10")
    assert [*rows[["verdict", "reason"]].itertuples(index=False, name=None)] == [said, said]
    rows = verdicts.judge(both, grid_of(settings(), {"resnet8": [10.0]}), {"resnet8": 1_500_000})
    assert rows["verdict"].tolist() == ["not judged", "reproduced"]


def test_a_tolerance_may_have_one_end(judged):
    one = claim(published=None, tolerance=[60.0, float("inf")], measure="test_error")
    assert judged({"resnet8": [70.0, 71.0, 70.5]}, one)["verdict"] == "reproduced"
    assert judged({"resnet8": [50.0, 51.0, 50.5]}, one)["reason"] == "the interval lies outside 60 to ∞"


def test_a_run_that_diverges_may_confirm(judged, settings):
    for diverged, verdict in (("confirms", "agrees in one run"), (None, "not judged")):
        one = claim(published=60.0, tolerance=[60.0, 100.0], measure="test_error", diverged=diverged)
        grid = grid_of(settings(dataset="cifar10", train_size=50_000), {"resnet8": [90.0]})
        grid.runs["diverged"] = True
        assert verdicts.judge(declared(one), grid, {}).iloc[0]["verdict"] == verdict
        longer = one.model_copy(update={"epochs": 100})
        assert verdicts.judge(declared(longer), grid, {}).iloc[0]["verdict"] == "not judged"


def test_facts_are_those_of_single_networks(judged):
    row = judged({"resnet8": [10.0], "plain8": [20.0]}, claim(**SIGN))
    assert row["facts"] == "test error of resnet8; test error of plain8"
    row = judged({"resnet8": [10.0]}, claim(measure="train_loss", epoch=3))
    assert row["facts"] == "training loss of resnet8"  # the last of three
    row = judged({"resnet8": [10.0]}, claim(measure="test_error", epoch=3, since=1))
    assert row["facts"] == "test error of resnet8; test error of resnet8, epoch 1"
    row = judged({"resnet8": [10.0]}, claim(measure="accuracy_gap", epoch=2))
    assert row["facts"] == "test error of resnet8, epoch 2; training error (running) of resnet8, epoch 2"


def test_what_is_the_identity_or_not_needs_no_schedule_and_no_seeds(judged):
    one = claim(measure="identity_deviation", published=0.0, tolerance=1e-6)
    for values, verdict in (([0.0], "reproduced"), ([0.0, 0.0], "reproduced"), ([0.0, 0.5], "not reproduced")):
        row = judged(
            {"resnet8": [10.0] * len(values)}, one, {"identity_deviation": {"resnet8": values}}, train_size=200
        )
        assert (row["verdict"], row["test"]) == (verdict, "largest of all runs")


def test_a_ratio_of_two_losses_is_no_gain(judged):
    one = claim(measure="test_error", of={"plain8": 1}, over={"plain8": 1, "resnet8": -1}, published=2.0, tolerance=0.5)
    row = judged({"plain8": [10.0, 10.1, 10.2], "resnet8": [14.0, 14.1, 14.2]}, one)
    assert (row["verdict"], row["reason"]) == ("inconclusive", "what it is divided by is not above 0")


def test_a_variant_that_is_not_what_its_name_says_is_not_judged_as_it(judged):
    arch = {"resnet8": {"depth": 14, "shortcut": "projection"}}
    row = judged({"resnet8": [10.0, 10.1]}, claim(), arch=arch, variants=["resnet8"])
    assert (row["verdict"], row["reason"]) == ("not run", "resnet8 in the grid is another network than its name says")
    row = judged(
        {"resnet8": [10.0, 10.1]}, claim(), arch={"resnet8": {"depth": 8, "shortcut": "none"}}, variants=["resnet8"]
    )
    assert row["verdict"] == "not run"


def test_an_epoch_before_the_last_is_measured_where_it_is_claimed(judged):
    row = judged({"resnet8": [10.0, 10.0]}, claim(epoch=1))
    assert row["ours"] == 100 - 61
    assert row["measured"] == "test accuracy of resnet8, epoch 1"
    row = judged({"resnet8": [10.0, 10.0]}, claim(epoch=5))
    assert (row["verdict"], row["n"]) == ("not run", 0)
    assert "3 epochs were run, and it is measured after 5" in row["reason"]


def test_one_loss_says_nothing_of_its_spread(judged):
    row = judged({"resnet8": [10.0]}, claim(measure="train_loss"))
    assert (row["verdict"], row["reason"]) == (
        "inconclusive",
        "one run, and no spread over seeds is declared for this measure",
    )


def test_parameters_need_no_run(judged):
    row = judged({"resnet8": [10.0]}, claim(measure="parameters", published=1.5, tolerance=0.05))
    assert (row["ours"], row["verdict"], row["reason"]) == (1.5, "reproduced", "the count lies within 1.45 to 1.55")
    row = judged({"resnet8": [10.0]}, claim(measure="parameters", over={"plain8": 1}, published=3.0, tolerance=0.5))
    assert (row["ours"], row["verdict"]) == (3, "reproduced")
    row = judged({"resnet8": [10.0]}, claim(measure="parameters", of={"nets": 1}))
    assert (row["verdict"], row["reason"]) == ("not run", "nets not in the grid")


def test_what_is_not_in_the_grid_is_not_run(judged):
    row = judged({"resnet8": [10.0]}, claim(**SIGN), variants=["resnet8"])
    assert (row["verdict"], row["reason"]) == ("not run", "plain8 not in the grid")
    assert np.isnan(row["ours"])


def test_fewer_training_images_are_like_a_short_schedule(judged):
    row = judged({"resnet8": [10.0, 10.1]}, claim(), train_size=200)
    assert (row["verdict"], row["reason"]) == ("inconclusive", "200 of 50,000 training images were used")


def test_generated_images_and_diverged_runs_are_not_judged(judged, settings):
    row = judged({"resnet8": [10.0]}, claim(), dataset="synthetic", train_size=200)
    assert (row["verdict"], row["reason"]) == ("not judged", "the images were generated")
    grid = grid_of(settings(dataset="cifar10"), {"resnet8": [90.0]})
    grid.runs["diverged"] = True
    row = verdicts.judge(declared(claim()), grid, {}).iloc[0]
    assert (row["verdict"], row["reason"]) == ("not judged", "a run diverged")
    initial = pd.DataFrame({"variant": "resnet8", "seed": range(8), "gradient_reach": np.linspace(0.4, 0.6, 8)})
    grid = type(grid)(**vars(grid) | {"initial": initial})
    untrained = claim(measure="gradient_reach_initial", published=None, tolerance=[-1.0, 1.0])
    assert verdicts.judge(declared(untrained), grid, {}).iloc[0]["verdict"] == "reproduced"


def test_a_condition_is_said_with_every_verdict_on_trained_networks_and_no_other(settings):
    given = settings(dataset="cifar10", train_size=50_000, seeds=[0, 1, 2])
    both = declared(claim(), claim(id="b", measure="parameters", published=1.5), condition="under our protocol")
    grid = grid_of(given, {"resnet8": [15.0, 15.1, 14.9]})
    rows = verdicts.judge(both, grid, {"resnet8": 1_500_000}).set_index("id")
    assert rows.loc["a", "reason"] == "the interval lies outside 89 to 91; under our protocol"
    assert "protocol" not in rows.loc["b", "reason"]


def test_claims_of_which_none_has_a_published_value_can_be_shown(settings):
    grid = grid_of(settings(dataset="cifar10", train_size=50_000), {"resnet8": [10.0]})
    rows = verdicts.judge(declared(claim(published=None, tolerance=None)), grid, {})
    assert tables.claims_table(rows)["published"].tolist() == ["–"]
