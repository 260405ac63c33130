"""Label noise: labels move as the matrix says, and a record tells noise and the rest apart."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from minidecay import nn
from minidecay.data import (
    PatternSet,
    Split,
    label_noise,
    pairwise_noise,
    symmetric_noise,
)
from minidecay.random import stream
from minidecay.training import evaluate

rates = st.floats(0, 1)


def labelled(n, classes, **subsets):
    """n examples, of each class in turn."""
    return Split(np.zeros((n, 2), np.float32), np.arange(n) % classes, subsets)


@given(st.integers(2, 12), rates)
def test_rows_of_a_matrix_are_probabilities_and_the_rate_is_what_leaves_the_diagonal(classes, rate):
    for make in (symmetric_noise, pairwise_noise):
        matrix = make(classes, rate)
        assert matrix.shape == (classes, classes) and (matrix >= 0).all()
        np.testing.assert_allclose(matrix.sum(axis=1), 1, atol=1e-12)
        np.testing.assert_allclose(np.diag(matrix), 1 - rate, atol=1e-12)


def test_symmetric_noise_moves_to_any_other_class_and_pairwise_to_the_next():
    np.testing.assert_allclose(symmetric_noise(5, 0.4)[2], [0.1, 0.1, 0.6, 0.1, 0.1])
    np.testing.assert_allclose(pairwise_noise(5, 0.4)[4], [0.4, 0, 0, 0, 0.6])
    np.testing.assert_allclose(pairwise_noise(2, 0.3), symmetric_noise(2, 0.3))


@pytest.mark.parametrize("make", [symmetric_noise, pairwise_noise])
def test_labels_move_as_often_as_the_matrix_says(make):
    clean = labelled(40_000, 4)
    matrix = make(4, 0.3)
    noisy = label_noise(clean, matrix, stream(0, "noise"))
    for label in range(4):
        given_labels = noisy.labels[clean.labels == label]
        shares = np.bincount(given_labels, minlength=4) / len(given_labels)
        np.testing.assert_allclose(shares, matrix[label], atol=0.02)  # four deviations
        assert (shares[matrix[label] == 0] == 0).all()


@st.composite
def noisy_cases(draw):
    classes = draw(st.integers(2, 5))
    weights = draw(
        st.lists(
            st.lists(st.integers(0, 3), min_size=classes, max_size=classes).filter(any),
            min_size=classes,
            max_size=classes,
        )
    )
    matrix = np.array(weights, float)
    return draw(st.integers(classes, 60)), matrix / matrix.sum(axis=1, keepdims=True)


@given(noisy_cases(), st.integers(0, 100))
def test_any_matrix_is_obeyed_and_the_subsets_say_which_labels_moved(case, seed):
    n, matrix = case
    clean = labelled(n, len(matrix), first=np.arange(n) < n // 2 + 1)
    noisy = label_noise(clean, matrix, stream(seed, "noise"))
    moved = noisy.labels != clean.labels
    assert (matrix[clean.labels, noisy.labels] > 0).all()  # what is impossible never happens
    assert noisy.images is clean.images and noisy.labels.dtype == np.int64
    expected = {"first": clean.subsets["first"] & ~moved, "clean": ~moved, "noise": moved}
    expected = {name: mask for name, mask in expected.items() if mask.any()}
    assert list(noisy.subsets) == list(expected)
    for name, mask in expected.items():
        np.testing.assert_array_equal(noisy.subsets[name], mask)


def test_labels_come_from_the_generator_alone():
    clean, matrix = labelled(100, 10), symmetric_noise(10, 0.5)
    first, again, other = (
        label_noise(clean, matrix, stream(seed, "noise")).labels for seed in (0, 0, 1)
    )
    np.testing.assert_array_equal(first, again)
    assert (first != other).any()


def test_a_rate_of_zero_and_of_one_move_none_and_all():
    clean = labelled(100, 10)
    still = label_noise(clean, symmetric_noise(10, 0), stream(0))
    np.testing.assert_array_equal(still.labels, clean.labels)
    assert list(still.subsets) == ["clean"]
    moved = label_noise(clean, pairwise_noise(10, 1), stream(0))
    np.testing.assert_array_equal(moved.labels, (clean.labels + 1) % 10)
    assert list(moved.subsets) == ["noise"]


def test_noise_in_a_pattern_set_adds_to_its_own_and_keeps_its_tiers():
    train = PatternSet(1000, 100, noise_fraction=0.2).train
    noisy = label_noise(train, symmetric_noise(10, 0.25), stream(0, "noise"))
    masks = noisy.subsets
    assert type(noisy) is type(train) and noisy.tier is train.tier
    assert (masks["noise"] >= train.subsets["noise"]).all()
    assert masks["noise"].sum() > 300  # 200, and a quarter of the other 800
    np.testing.assert_array_equal(masks["simple"] | masks["complex"], masks["clean"])
    np.testing.assert_array_equal(masks["clean"], ~masks["noise"])


def test_an_evaluation_tells_noise_and_clean_labels_apart():
    class Truth(nn.Module):
        """Logits that are right about the true label, which is the image."""

        def forward(self, x):
            return x

    labels = np.arange(200) % 4
    clean = Split(np.eye(4, dtype=np.float32)[labels], labels)
    noisy = label_noise(clean, symmetric_noise(4, 0.5), stream(0, "noise"))
    accuracy = evaluate(Truth(), noisy).accuracy()
    assert (accuracy["clean"], accuracy["noise"]) == (1, 0)
    assert 0.4 < accuracy["all"] < 0.6


FINE = symmetric_noise(3, 0.5)


@pytest.mark.parametrize(
    ("call", "error", "says"),
    [
        (lambda: symmetric_noise(1, 0.1), ValueError, "classes must be at least 2, got 1"),
        (lambda: pairwise_noise(3, 1.1), ValueError, r"pairwise_noise: rate 1.1 lies outside \[0,"),
        (lambda: pairwise_noise(3, "a"), TypeError, "rate must be a number, got 'a'"),
        (lambda: symmetric_noise(3, np.nan), ValueError, "rate must be finite"),
        (lambda: label_noise(labelled(9, 4), FINE, stream(0)), ValueError, r"of the 4 classes"),
        (lambda: label_noise(labelled(9, 3), FINE[0], stream(0)), ValueError, r"must be square"),
        (lambda: label_noise(labelled(9, 3), FINE[:2], stream(0)), ValueError, r"must be square"),
        (lambda: label_noise(labelled(9, 3), 2 * FINE, stream(0)), ValueError, "sum to 1"),
        (lambda: label_noise(labelled(9, 3), FINE * np.nan, stream(0)), ValueError, "sum to 1"),
        (lambda: label_noise(labelled(9, 3), np.eye(3) * 2 - np.eye(3)[[1, 2, 0]], stream(0)),
         ValueError, "no probabilities"),
        (lambda: label_noise(labelled(9, 3), "symmetric", stream(0)), TypeError, "is no matrix of"),
        (lambda: label_noise(labelled(9, 3), FINE, 0), TypeError, "rng must be a numpy"),
    ],
)  # fmt: skip
def test_what_is_no_noise_is_refused_in_a_line(call, error, says):
    with pytest.raises(error, match=says) as told:
        call()
    assert "\n" not in str(told.value)
