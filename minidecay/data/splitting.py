"""A data set's two halves: what is trained on, and what is held out."""

from typing import NamedTuple

import numpy as np

from minidecay.data.split import Split, check_number, check_split


class TrainTest(NamedTuple):
    """A training and a test set, by name or as a pair: `train, test = data`.

    >>> some = Split(np.zeros((2, 3)), np.array([0, 1]))
    >>> TrainTest(some, some).test
    Split(2 examples of (3,) float64)
    """

    train: Split
    test: Split


def train_test_split(split: Split, rng: np.random.Generator, test_size: float = 0.25) -> TrainTest:
    """Hold out a share of the examples of every class, drawn from `rng`; both keep their order.

    test_size: between 0 and 1; of a class of n examples round(n * test_size) are held out.

    Raises TypeError or ValueError for a share that is none, and where a half would be empty.

    >>> images, labels = np.zeros((10, 2), np.float32), np.arange(10) % 2
    >>> train_test_split(Split(images, labels), np.random.default_rng(0), test_size=0.4)
    TrainTest(train=Split(6 examples of (2,) float32), test=Split(4 examples of (2,) float32))
    """
    check_split("train_test_split: split", split)
    test_size = check_number("train_test_split: test_size", test_size)
    if not 0 < test_size < 1:
        raise ValueError(f"train_test_split: test_size {test_size} must lie between 0 and 1")
    if not isinstance(rng, np.random.Generator):
        raise TypeError(
            f"train_test_split: rng must be a numpy.random.Generator, got {type(rng).__name__}; "
            'pass e.g. stream(seed, "test")'
        )
    held = np.zeros(len(split), bool)
    for label in np.unique(split.labels):
        members = rng.permutation(np.flatnonzero(split.labels == label))
        held[members[: round(len(members) * test_size)]] = True
    if held.all() or not held.any():
        raise ValueError(
            f"train_test_split: test_size {test_size} of {len(split)} examples leaves a half empty;"
            " pass a share between, or more examples"
        )
    return TrainTest(split.take(~held), split.take(held))
