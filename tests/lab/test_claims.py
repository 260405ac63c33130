"""Claims: on which side of a threshold a number lies, and how seeds make one verdict."""

import json
import math

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from minidecay.lab.machinery.claims import (
    Bound,
    Claim,
    describe,
    describe_verdicts,
    interval,
    student_t,
)


def bound(sense, threshold=0.5, of=lambda run: run):
    return Bound("accuracy", of, sense, threshold)


def one(sense=">=", **options):
    return Claim("C1", "it learns", [bound(sense)], **options)


BOTH = Claim(
    "C6",
    "neither this nor that",
    [
        Bound("this", lambda run: run["this"], "<=", 0.6),
        Bound("that", lambda run: run["that"], ">=", 0.2),
    ],
)


@pytest.mark.parametrize(
    ("sense", "value", "holds"),
    [
        (">=", 0.5, True),
        (">=", 0.4999, False),
        (">=", math.inf, True),
        ("<=", 0.5, True),
        ("<=", 0.5001, False),
        ("<=", -math.inf, True),
        (">=", math.nan, False),
        ("<=", math.nan, False),
    ],
)
def test_a_bound_holds_at_its_threshold_and_beyond_and_never_for_nan(sense, value, holds):
    assert bound(sense).holds(value) is holds
    assert one(sense).judge({0: value})["passed"] is holds


def test_a_bound_reads_as_a_comparison():
    assert str(bound("<=", 0.2)) == "accuracy <= 0.2"


def test_a_claim_of_one_bound_is_judged_by_one_number():
    verdict = one().judge({3: 0.6, 4: 0.9})
    assert verdict == {
        "name": "C1",
        "statement": "it learns",
        "bounds": ["accuracy >= 0.5"],
        "finding": False,
        "value": 0.75,
        "threshold": 0.5,
        "interval": pytest.approx([0.75 - 12.7062 * 0.15, 0.75 + 12.7062 * 0.15], abs=1e-4),
        "verdict": "undecided",  # two seeds so far apart say little about their mean
        "passed": True,
        "seeds": {"3": {"value": 0.6, "passed": True}, "4": {"value": 0.9, "passed": True}},
    }


def test_a_claim_of_two_bounds_is_judged_by_two_numbers_and_needs_both():
    verdict = BOTH.judge({0: {"this": 0.5, "that": 0.3}, 1: {"this": 0.7, "that": 0.5}})
    assert verdict["value"] == pytest.approx([0.6, 0.4])
    assert verdict["threshold"] == [0.6, 0.2]
    assert verdict["seeds"]["0"] == {"value": [0.5, 0.3], "passed": True}
    assert verdict["seeds"]["1"] == {"value": [0.7, 0.5], "passed": False}
    assert verdict["passed"] is False


def test_a_single_seed_that_falls_short_fails_a_claim_whose_mean_would_pass():
    verdict = one().judge({0: 0.9, 1: 0.4})
    assert verdict["value"] > 0.5 and verdict["passed"] is False
    assert [seed["passed"] for seed in verdict["seeds"].values()] == [True, False]


def test_a_verdict_is_plain_json():
    verdict = BOTH.judge({0: {"this": 0.5, "that": 0.3}})
    assert json.loads(json.dumps(verdict, allow_nan=False)) == verdict
    verdict = one().judge({0: math.nan, 1: 0.5})
    assert json.loads(json.dumps(verdict, allow_nan=False)) == verdict
    assert (verdict["value"], verdict["interval"]) == (None, [None, None])
    assert verdict["seeds"]["0"] == {"value": None, "passed": False}
    verdict = one().judge({0: math.inf, 1: 0.5})
    assert json.loads(json.dumps(verdict, allow_nan=False)) == verdict
    assert (verdict["value"], verdict["verdict"]) == (None, "undecided")


def test_a_quotient_that_divides_by_zero_is_no_number_and_leaves_the_claim_undecided():
    of = bound(">=", of=lambda run: 1.0 / run)
    verdict = Claim("F6", "it does as much", [of]).judge({0: 1.0, 1: 0.0, 2: 1.0})
    assert (verdict["value"], verdict["verdict"], verdict["passed"]) == (None, "undecided", False)
    assert verdict["seeds"]["0"] == {"value": 1.0, "passed": True}


def test_a_finding_is_judged_alike_and_marked():
    assert one(finding=True).judge({0: 0.1}) == one().judge({0: 0.1}) | {"finding": True}


def test_verdicts_are_told_in_two_lines_each_number_beside_its_threshold():
    verdicts = [
        one().judge({0: 0.9, 1: 0.4}),
        BOTH.judge({0: {"this": 0.5, "that": 0.25}, 1: {"this": 0.5, "that": 0.25}}),
    ]
    assert describe(verdicts).splitlines() == [
        "FAIL  C1  it learns",
        "          0.650 (accuracy >= 0.5); 1/2 seeds",
        "PASS  C6  neither this nor that",
        "          0.500 (this <= 0.6); 0.250 (that >= 0.2); 2/2 seeds",
    ]


@pytest.mark.parametrize(
    ("freedom", "t"),  # of the printed tables, at 95 %
    [(1, 12.7062), (2, 4.3027), (3, 3.1824), (4, 2.7764), (9, 2.2622), (30, 2.0423)],
)
def test_students_t_is_that_of_the_tables(freedom, t):
    assert student_t(freedom) == pytest.approx(t, abs=1e-4)


def test_students_t_of_many_seeds_is_that_of_the_normal_distribution():
    assert student_t(100_000) == pytest.approx(1.95996, abs=1e-3)
    assert student_t(100_000, confidence=0.99) == pytest.approx(2.5758, abs=1e-3)


@settings(max_examples=20)
@given(st.lists(st.floats(-1e3, 1e3), min_size=2, max_size=8))
def test_the_interval_is_that_of_scipy(values):
    stats = pytest.importorskip("scipy.stats")
    low, high = interval(values)
    error = stats.sem(values)
    if error > 1e-9:
        expected = stats.t.interval(0.95, len(values) - 1, np.mean(values), error)
        assert (low, high) == pytest.approx(expected, rel=1e-6, abs=1e-6)


@pytest.mark.parametrize("values", [[0.7], [0.7, math.nan], [math.inf, 0.0]])
def test_there_is_no_interval_of_one_seed_or_of_what_is_no_number(values):
    assert all(map(math.isnan, interval(values)))


@pytest.mark.parametrize(
    ("sense", "low", "high", "verdict"),
    [
        (">=", 0.5, 0.9, "holds"),
        (">=", 0.4, 0.9, "undecided"),
        (">=", 0.1, 0.49, "fails"),
        ("<=", 0.1, 0.5, "holds"),
        ("<=", 0.1, 0.6, "undecided"),
        ("<=", 0.6, 0.9, "fails"),
        (">=", math.nan, math.nan, "undecided"),
        ("<=", math.nan, math.nan, "undecided"),
    ],
)
def test_an_interval_wholly_beyond_the_threshold_holds_and_wholly_short_of_it_fails(
    sense, low, high, verdict
):
    assert bound(sense).verdict(low, high) == verdict


@pytest.mark.parametrize(
    ("this", "that", "verdict"),
    [
        ((0.5, 0.51), (0.3, 0.31), "holds"),
        ((0.5, 0.51), (0.0, 0.9), "undecided"),
        ((0.5, 0.51), (0.1, 0.11), "fails"),
        ((0.0, 0.9), (0.1, 0.11), "fails"),
    ],
)
def test_a_claim_fails_where_one_bound_fails_and_holds_where_all_hold(this, that, verdict):
    runs = {seed: {"this": this[seed], "that": that[seed]} for seed in (0, 1)}
    runs |= {seed: {"this": this[seed - 2], "that": that[seed - 2]} for seed in (2, 3)}
    assert BOTH.judge(runs)["verdict"] == verdict


def test_one_seed_decides_nothing():
    assert one().judge({0: 0.9})["verdict"] == "undecided"


def test_seeds_that_agree_in_every_bit_decide():
    assert one().judge({0: 0.5, 1: 0.5})["verdict"] == "holds"


def test_verdicts_over_seeds_are_told_with_their_intervals():
    verdicts = [
        one().judge({0: 0.60, 1: 0.61, 2: 0.62}),
        one("<=").judge({0: math.nan, 1: 0.5}),
    ]
    assert describe_verdicts(verdicts).splitlines() == [
        "holds      C1  it learns",
        "               0.610 [0.585, 0.635] (accuracy >= 0.5)",
        "undecided  C1  it learns",
        "               no number (accuracy <= 0.5)",
    ]
