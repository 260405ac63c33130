"""Claims: on which side of a threshold a number lies, and how seeds make one verdict."""

import json
import math

import pytest

from minidecay.lab.machinery.claims import Bound, Claim, describe


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
