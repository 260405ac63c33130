"""Fates, forgetting, and how well a score tells examples apart: against counting by hand."""

import re
from itertools import permutations
from statistics import fmean

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp

from minidecay.lab.machinery.examples import (
    FATES,
    fates,
    followed,
    forgetting_events,
    learned_at,
    precision_recall,
    roc_auc,
)

RIGHT = hnp.arrays(bool, hnp.array_shapes(min_dims=2, max_dims=2, max_side=9))


def courses(right):
    """Each example's epochs as text, such as "0111"."""
    return ["".join("01"[int(epoch)] for epoch in example) for example in right.T]


@given(RIGHT, st.data())
def test_a_fate_is_told_by_where_a_run_of_right_epochs_stands(right, data):
    held = data.draw(st.integers(1, len(right)))
    told = [
        "learned"
        if re.search(f"1{{{held}}}$", course)
        else "forgotten"
        if "1" * held in course
        else "never held"
        for course in courses(right)
    ]
    assert [FATES[fate] for fate in fates(right, held)] == told


@given(RIGHT)
def test_a_forgetting_event_is_right_and_then_wrong(right):
    assert forgetting_events(right).tolist() == [course.count("10") for course in courses(right)]


@given(RIGHT)
def test_an_example_is_learned_after_it_was_wrong_for_the_last_time(right):
    expected = [len(course.rstrip("1")) + 1 for course in courses(right)]
    assert learned_at(right).tolist() == expected


def test_what_became_of_examples_is_counted_by_stage():
    right = np.array([[*map(int, course)] for course in ("011111", "101111", "110101", "000110")]).T
    became = followed(right, first=2, held=2)
    assert became == {
        "learned": 0.5,
        "forgotten": 0.5,
        "never held": 0.0,
        "learned late": 0.5,  # of the first two the second, for good from epoch 3
        "events": pytest.approx(1 / 4),  # "10" in the first two epochs, of four examples
        "events later": pytest.approx(3 / 4 / 4),
    }


def test_where_nothing_is_learned_no_share_of_it_is_learned_late():
    became = followed(np.zeros((4, 3)), first=2)
    assert became["never held"] == 1 and np.isnan(became["learned late"])


scored = st.lists(
    st.tuples(st.sampled_from([-np.inf, -1.0, 0.0, 0.5, 2.0, np.inf]), st.booleans()),
    min_size=1,
    max_size=6,
)


def by_pairs(scores, wanted, others):
    of_wanted, of_others = (
        [score for score, chosen in zip(scores, mask, strict=True) if chosen]
        for mask in (wanted, others)
    )
    pairs = [(a, b) for a in of_wanted for b in of_others]
    return fmean((a > b) + (a == b) / 2 for a, b in pairs) if pairs else float("nan")


@given(scored)
def test_the_area_is_the_share_of_pairs_in_the_right_order(rows):
    scores, wanted = map(list, zip(*rows, strict=True))
    expected = by_pairs(scores, wanted, np.logical_not(wanted))
    assert roc_auc(scores, wanted) == pytest.approx(expected, nan_ok=True)


def test_the_area_against_some_leaves_the_others_out():
    rng = np.random.default_rng(0)
    scores, kind = rng.integers(0, 9, 60), rng.integers(0, 3, 60)
    expected = by_pairs(scores, kind == 0, kind == 1)
    assert roc_auc(scores, kind == 0, kind == 1) == pytest.approx(expected)
    assert roc_auc(scores, kind == 0) != pytest.approx(expected)


@given(scored, st.data())
def test_precision_and_recall_are_means_over_all_ways_to_break_ties(rows, data):
    flagged = data.draw(st.integers(1, len(rows)))
    chosen = [
        sorted(order, key=lambda row: -row[0])[:flagged]  # sorting keeps the order of ties
        for order in permutations(rows)
    ]
    found = fmean(sum(wanted for _, wanted in choice) for choice in chosen)
    scores, wanted = zip(*rows, strict=True)
    precision, recall = precision_recall(scores, wanted, flagged)
    assert precision == pytest.approx(found / flagged)
    assert recall == pytest.approx(found / sum(wanted) if any(wanted) else np.nan, nan_ok=True)


def test_scikit_learn_finds_the_same():
    metrics = pytest.importorskip("sklearn.metrics")
    rng = np.random.default_rng(1)
    scores, wanted = rng.standard_normal(500).round(1), rng.random(500) < 0.1
    assert roc_auc(scores, wanted) == pytest.approx(metrics.roc_auc_score(wanted, scores))
    different = scores + np.linspace(0, 1e-6, 500)  # without ties
    flagged = different >= np.sort(different)[-50]
    assert precision_recall(different, wanted, 50) == pytest.approx(
        (metrics.precision_score(wanted, flagged), metrics.recall_score(wanted, flagged))
    )


@pytest.mark.parametrize(
    ("call", "said"),
    [
        (lambda: fates([True, False]), r"fates: right \(2,\) is not \(epochs, examples\)"),
        (lambda: learned_at(np.zeros((0, 3))), r"learned_at: right \(0, 3\) is not"),
        (lambda: fates(np.ones((2, 5)), held=3), "held is 3 of 2 epochs; pass 1 to 2"),
        (lambda: followed(np.ones((4, 5)), first=4), "first is 4 of 4 epochs; pass 2 to 3"),
        (lambda: roc_auc([1.0, 2.0], [True]), r"scores \(2,\) and wanted \(1,\) do not match"),
        (lambda: roc_auc([np.nan], [True]), "roc_auc: a score is NaN"),
        (lambda: precision_recall([1.0], [True], 2), "flagged is 2 of 1 examples; pass 1 to 1"),
    ],
)
def test_what_makes_no_sense_is_refused(call, said):
    with pytest.raises(ValueError, match=said):
        call()
