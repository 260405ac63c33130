"""Sets from arrays, parts of sets, and sets held out."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

import minidecay as md
from minidecay.data import PatternSet, Split, digits, from_arrays, train_test_split
from minidecay.random import stream

MASKED = np.ma.masked_array([0, 1], mask=[False, True])


@pytest.mark.parametrize("dtype", [np.uint8, np.int32, np.float16, np.float32, np.float64])
def test_two_arrays_of_numbers_are_a_data_set(dtype):
    images = np.arange(24).reshape(3, 2, 2, 2).astype(dtype)
    split = from_arrays(images, np.array([0, 2, 1], np.uint8))
    assert split.images.dtype == np.float32 and split.labels.dtype == np.int64
    np.testing.assert_array_equal(split.images, images)
    assert split.labels.tolist() == [0, 2, 1]


def test_a_data_set_from_lists_tensors_and_torch_s_tensors():
    expected = np.array([[0, 1], [2, 3]], np.float32)
    for images, labels in (([[0, 1], [2, 3]], [1, 0]), (md.tensor(expected), np.array([1, 0]))):
        split = from_arrays(images, labels, {"first": np.array([True, False])})
        np.testing.assert_array_equal(split.images, expected)
        assert repr(split) == "Split(2 examples of (2,) float32, first 1)"
    torch = pytest.importorskip("torch")
    split = from_arrays(torch.tensor(expected), torch.tensor([1, 0]))
    np.testing.assert_array_equal(split.images, expected)


def test_floats_of_32_bits_are_not_copied():
    images = np.zeros((2, 3), np.float32)
    assert from_arrays(images, [0, 1]).images is images


@pytest.mark.parametrize(
    ("images", "labels", "error", "says"),
    [
        (["a", "b"], [0, 1], TypeError, "images of <U1 are no numbers"),
        ([[True], [False]], [0, 1], TypeError, "images of bool are no numbers"),
        ([[1j], [2j]], [0, 1], TypeError, "images of complex128 are no numbers"),
        ([[1], [2]], [0.0, 1.0], TypeError, "labels must be a NumPy integer array, got float64"),
        ([[1], [2]], ["0", "1"], TypeError, "labels must be a NumPy integer array, got <U1"),
        ([[1], [2]], [[0], [1]], ValueError, r"labels \(2, 1\) do not match 2 images"),
        ([[1], [2]], [0, -1], ValueError, "label -1 is negative"),
        ([[1], [2]], [0], ValueError, r"labels \(1,\) do not match 2 images"),
        ([[1], [np.nan]], [0, 1], ValueError, "image 1 holds NaN or infinity"),
        ([[1e300], [0]], [0, 1], ValueError, "image 0 holds NaN or infinity"),
        ([1, 2], [0, 1], ValueError, r"images \(2,\) need shape \(N, \.\.\.\)"),
        (np.zeros((0, 2)), [], ValueError, "one example or more"),
        ([[1, 2], [3]], [0, 1], ValueError, "images are nested lists of different lengths"),
        ([[1], [2]], [[0], [1, 2]], ValueError, "labels are nested lists of different lengths"),
        (MASKED[:, None], [0, 1], TypeError, "images must not be masked; fill the values"),
        ([[1], [2]], MASKED, TypeError, "labels must not be masked; fill the values"),
        ([[1], [2]], np.array([0, 2**63 + 1], np.uint64), ValueError, "is too large for int64"),
    ],
)
def test_what_is_no_data_set_is_refused_in_a_line(images, labels, error, says):
    with pytest.raises(error, match=says) as told:
        from_arrays(images, labels)
    assert "\n" not in str(told.value)


def test_arrays_are_masked_in_nothing_or_refused():
    whole = np.ma.masked_array(np.zeros((2, 3)), mask=False)
    split = Split(whole, np.ma.masked_array([0, 1]).astype(np.uint64))
    assert type(split.images) is type(split.labels) is np.ndarray
    with pytest.raises(TypeError, match="Split: images must not be masked"):
        Split(np.ma.masked_array(np.zeros((2, 3)), mask=[[True] * 3, [False] * 3]), np.arange(2))
    with pytest.raises(TypeError, match="Split: subset 'odd' must not be masked"):
        Split(np.zeros((2, 3)), np.arange(2), {"odd": MASKED == 1})


def numbered(n, classes=3):
    """Examples that carry their own number."""
    numbers = np.arange(n)
    images = numbers[:, None].astype(np.float32)
    return Split(images, numbers % classes, {"even": numbers % 2 == 0, "first": numbers == 0})


@given(st.integers(1, 30), st.data())
def test_examples_are_taken_with_all_that_belongs_to_them(n, data):
    split = numbered(n)
    mask = np.array(data.draw(st.lists(st.booleans(), min_size=n, max_size=n).filter(any)))
    for index in (mask, np.flatnonzero(mask)[::-1], slice(0, max(1, n // 2))):
        taken = split.take(index)
        numbers = np.arange(n)[index]
        assert taken.images[:, 0].tolist() == numbers.tolist()
        assert taken.labels.tolist() == (numbers % 3).tolist()
        expected = {"even": numbers % 2 == 0, "first": numbers == 0}
        assert list(taken.subsets) == [name for name, mask in expected.items() if mask.any()]
        for name, mask in taken.subsets.items():
            assert mask.tolist() == expected[name].tolist()


def test_a_part_of_a_pattern_set_keeps_its_tiers():
    train = PatternSet(100, 10).train
    part = train.take(train.labels < 5)
    assert type(part) is type(train)
    np.testing.assert_array_equal(part.tier, train.tier[train.labels < 5])
    np.testing.assert_array_equal(part.pattern, train.pattern[train.labels < 5])


def test_taking_none_or_what_is_not_there_is_refused():
    with pytest.raises(ValueError, match="one example or more"):
        numbered(3).take(slice(0))
    with pytest.raises(IndexError):
        numbered(3).take(np.array([3]))


@given(st.integers(4, 60), st.integers(1, 4), st.floats(0.1, 0.9), st.integers(0, 99))
def test_a_share_of_every_class_is_held_out_and_nothing_is_lost(n, classes, test_size, seed):
    split = numbered(n, classes)
    shares = {c: round(count * test_size) for c, count in enumerate(np.bincount(split.labels))}
    if sum(shares.values()) in (0, n):
        with pytest.raises(ValueError, match="leaves a half empty"):
            train_test_split(split, stream(seed), test_size)
        return
    train, test = train_test_split(split, stream(seed), test_size)
    kept, held = (part.images[:, 0].tolist() for part in (train, test))
    assert sorted(kept + held) == list(range(n))
    assert kept == sorted(kept) and held == sorted(held)
    assert {c: int((test.labels == c).sum()) for c in shares} == shares


def test_who_is_held_out_comes_from_the_generator():
    first, again, other = (
        train_test_split(numbered(60), stream(seed)).test.images.tolist() for seed in (0, 0, 1)
    )
    assert first == again != other and len(first) == 15


@pytest.mark.parametrize(
    ("rng", "test_size", "error", "says"),
    [
        (stream(0), 0, ValueError, "test_size 0.0 must lie between 0 and 1"),
        (stream(0), 1, ValueError, "test_size 1.0 must lie between 0 and 1"),
        (stream(0), 5.5, ValueError, "test_size 5.5 must lie between 0 and 1"),
        (stream(0), "a", TypeError, "test_size must be a number, got 'a'"),
        (0, 0.5, TypeError, "rng must be a numpy.random.Generator, got int"),
    ],
)
def test_a_share_that_is_none_is_refused_in_a_line(rng, test_size, error, says):
    with pytest.raises(error, match=says) as told:
        train_test_split(numbered(9), rng, test_size)
    assert "\n" not in str(told.value)


def test_the_digits_of_scikit_learn():
    pytest.importorskip("sklearn")
    train, test = digits()
    assert repr(digits()) == (
        "TrainTest(train=Split(1438 examples of (8, 8, 1) float32), "
        "test=Split(359 examples of (8, 8, 1) float32))"
    )
    both = np.concatenate([train.images, test.images])
    assert (both.min(), both.max()) == (0, 1) and both.dtype == np.float32
    counts = np.bincount(np.concatenate([train.labels, test.labels])).tolist()
    assert counts == [178, 182, 177, 183, 181, 182, 181, 179, 174, 180]
    assert (abs(np.bincount(test.labels) - 36) <= 1).all()
    np.testing.assert_array_equal(digits().test.images, test.images)
    assert not np.array_equal(digits(seed=1).test.labels, test.labels)
    assert len(digits(test_size=0.5).test) == 898


def test_without_scikit_learn_the_digits_name_the_extra(monkeypatch):
    monkeypatch.setitem(__import__("sys").modules, "sklearn.datasets", None)
    with pytest.raises(ImportError, match=r'digits: .* pip install "minidecay\[digits\]"') as told:
        digits()
    assert "\n" not in str(told.value)
