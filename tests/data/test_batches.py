"""Splits are checked once; an epoch of batches is one shuffled pass."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from minidecay.data import Split, batches
from minidecay.data.split import CHECKED_AT_ONCE
from minidecay.random import generator_state, stream


def numbered(n):
    """A split whose image i is filled with i."""
    images = np.broadcast_to(np.arange(n, dtype=np.float32)[:, None, None], (n, 2, 3)).copy()
    return Split(images, np.arange(n))


@given(st.integers(1, 40), st.integers(1, 50), st.booleans())
def test_an_epoch_visits_each_example_once(n, batch_size, drop_last):
    batch_size = min(batch_size, n) if drop_last else batch_size
    epoch = list(batches(numbered(n), batch_size, stream(0), drop_last))
    visited = [label for _, labels in epoch for label in labels]
    sizes = [len(labels) for _, labels in epoch]
    assert len(set(visited)) == len(visited)
    assert len(visited) == (n - n % batch_size if drop_last else n)
    assert all(size == batch_size for size in sizes[:-1])
    assert sizes[-1] == (batch_size if drop_last else n - batch_size * (len(sizes) - 1))


@given(st.integers(1, 30), st.integers(1, 8))
def test_images_and_labels_stay_together(n, batch_size):
    for images, labels in batches(numbered(n), batch_size, stream(0), drop_last=False):
        np.testing.assert_array_equal(images, np.broadcast_to(labels[:, None, None], images.shape))


def test_the_order_comes_from_the_generator_and_changes_by_epoch():
    def order(rng):
        return np.concatenate([labels for _, labels in batches(numbered(64), 8, rng)]).tolist()

    rng = stream(0, "batches")
    first, second = order(rng), order(rng)
    assert first == order(stream(0, "batches"))
    assert len({tuple(first), tuple(second), tuple(range(64))}) == 3


def test_an_epoch_takes_its_randomness_when_called():
    rng = stream(0, "batches")
    epoch = batches(numbered(10), 5, rng)
    state = generator_state(rng)
    assert state != generator_state(stream(0, "batches"))
    assert len(list(epoch)) == 2
    assert generator_state(rng) == state


def test_a_batch_is_a_contiguous_copy():
    split = numbered(6)
    for images, labels in batches(split, 3, stream(0)):
        assert images.flags.c_contiguous and images.dtype == np.float32
        images[:], labels[:] = -1, 0
    np.testing.assert_array_equal(split.images[:, 0, 0], np.arange(6))
    np.testing.assert_array_equal(split.labels, np.arange(6))


def test_a_pair_of_arrays_will_do():
    split = numbered(6)
    pairs = zip(
        batches(split, 2, stream(0)),
        batches((split.images, split.labels), 2, stream(0)),
        strict=True,
    )
    for ours, theirs in pairs:
        np.testing.assert_array_equal(ours[0], theirs[0])
        np.testing.assert_array_equal(ours[1], theirs[1])


@pytest.mark.parametrize(
    ("arguments", "error", "says"),
    [
        ((numbered(3), 4, stream(0)), ValueError, "batch_size 4 exceeds 3 examples and drop_last"),
        ((numbered(3), 0, stream(0)), ValueError, "batch_size must be at least 1, got 0"),
        ((numbered(3), 2.0, stream(0)), TypeError, "batch_size must be an integer, got 2.0"),
        ((numbered(3), True, stream(0)), TypeError, "batch_size must be an integer, got True"),
        ((numbered(3), 2, 0), TypeError, "rng must be a numpy.random.Generator, got int"),
        ((np.zeros((3, 2)), 2, stream(0)), TypeError, "expected a Split, got ndarray"),
        (((np.zeros((3, 2)), np.arange(2)), 2, stream(0)), ValueError, "labels .2,. do not match"),
    ],
)
def test_wrong_batches_fail_at_the_call_not_at_the_first_batch(arguments, error, says):
    with pytest.raises(error, match=says):
        batches(*arguments)


def test_a_split_keeps_its_images_and_counts_its_classes():
    images = np.zeros((3, 4, 4, 1), np.float32)
    split = Split(images, np.array([0, 4, 1], np.int8), {"first": np.array([True, False, False])})
    assert split.images is images
    assert split.labels.dtype == np.int64
    assert (len(split), split.classes) == (3, 5)
    assert repr(split) == "Split(3 examples of (4, 4, 1) float32, first 1)"


IMAGES, LABELS = np.zeros((3, 2)), np.array([0, 1, 1])


@pytest.mark.parametrize(
    ("arguments", "error", "says"),
    [
        ((IMAGES.astype(np.uint8), LABELS), TypeError, "must be a NumPy float array, got uint8"),
        (([[0.0], [1.0]], LABELS), TypeError, "must be a NumPy float array, got list"),
        ((np.zeros(3), LABELS), ValueError, r"images \(3,\) need shape \(N, \.\.\.\)"),
        ((np.zeros((0, 2)), LABELS[:0]), ValueError, "one example or more"),
        ((np.zeros((3, 0)), LABELS), ValueError, "one example or more"),
        ((IMAGES, LABELS[:2]), ValueError, r"labels \(2,\) do not match 3 images"),
        ((IMAGES, LABELS[:, None]), ValueError, r"labels \(3, 1\) do not match 3 images"),
        ((IMAGES, LABELS * 1.0), TypeError, "must be a NumPy integer array, got float64"),
        ((IMAGES, LABELS > 0), TypeError, "must be a NumPy integer array, got bool"),
        ((IMAGES, LABELS - 1), ValueError, "label -1 is negative; number the classes from 0"),
        ((IMAGES, LABELS, [LABELS > 0]), TypeError, "subsets must be a dict, got list"),
        ((IMAGES, LABELS, {"a": LABELS}), TypeError, "'a' must be a NumPy bool mask, got int64"),
        ((IMAGES, LABELS, {"a": LABELS[:2] > 0}), ValueError, r"'a' has shape \(2,\) for 3"),
        ((IMAGES, LABELS, {"a": LABELS > 1}), ValueError, "'a' holds no example; leave it out"),
    ],
)
def test_a_split_refuses(arguments, error, says):
    with pytest.raises(error, match=says) as caught:
        Split(*arguments)
    assert "\n" not in str(caught.value)


@pytest.mark.parametrize("bad", [np.nan, np.inf, -np.inf])
@pytest.mark.parametrize("place", [0, CHECKED_AT_ONCE - 1, CHECKED_AT_ONCE, 2 * CHECKED_AT_ONCE])
def test_a_split_says_which_image_is_not_finite(bad, place):
    images = np.zeros((2 * CHECKED_AT_ONCE + 1, 3), np.float32)
    images[place, 1] = bad
    with pytest.raises(ValueError, match=f"image {place} holds NaN or infinity"):
        Split(images, np.zeros(len(images), np.int64))
