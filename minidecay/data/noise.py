"""Label noise: labels drawn anew by a transition matrix, and a subset that says where they lie.

A matrix T (classes, classes) holds the probability T[i, j] that an example of class i is labelled
j; each of its rows sums to 1.
"""

from dataclasses import replace
from typing import TypeVar

import numpy as np
from numpy.typing import ArrayLike, NDArray

from minidecay.data.split import Split, check_integer, check_number, check_split

AnySplit = TypeVar("AnySplit", bound=Split)


def symmetric_noise(classes: int, rate: float) -> NDArray[np.float64]:
    """The matrix that moves a label with probability `rate` to any other, all equally likely.

    `rate` is the share of labels that are wrong in the end: a label drawn from all the classes, its
    own included, is that of rate (classes - 1) / classes. Raises TypeError or ValueError for fewer
    than two classes and a rate outside [0, 1].

    >>> symmetric_noise(3, 0.4)
    array([[0.6, 0.2, 0.2],
           [0.2, 0.6, 0.2],
           [0.2, 0.2, 0.6]])
    """
    classes, rate = _checked("symmetric_noise", classes, rate)
    moved = (1 - np.eye(classes)) * rate / (classes - 1)
    return moved + np.eye(classes) * (1 - rate)


def pairwise_noise(classes: int, rate: float) -> NDArray[np.float64]:
    """The matrix that moves a label with probability `rate` to the next class, the last to class 0.

    The pair flipping of Han et al. 2018, Co-teaching. Raises as `symmetric_noise` does.

    >>> pairwise_noise(3, 0.4)
    array([[0.6, 0.4, 0. ],
           [0. , 0.6, 0.4],
           [0.4, 0. , 0.6]])
    """
    classes, rate = _checked("pairwise_noise", classes, rate)
    same = np.eye(classes)
    return (1 - rate) * same + rate * np.roll(same, 1, axis=1)


def label_noise(split: AnySplit, matrix: ArrayLike, rng: np.random.Generator) -> AnySplit:
    """The same examples with labels drawn anew, one by one: label i becomes j by matrix[i, j].

    matrix: (classes, classes), for instance `symmetric_noise(10, 0.4)`; rows sum to 1.
    rng: where the labels are drawn from.

    The subset "noise" holds the examples whose label changed, "clean" the others; examples that
    were "noise" before stay so. Every other subset keeps its clean examples alone, so that
    accuracies on noise and on the rest stay apart in a record. Images are shared with `split`,
    whose `labels` are still the true ones.

    Raises TypeError or ValueError for a matrix that is no such thing, or for fewer classes than
    the labels have.

    >>> from minidecay.random import stream
    >>> clean = Split(np.zeros((100, 2), np.float32), np.arange(100) % 10)
    >>> label_noise(clean, symmetric_noise(10, 0.4), stream(0, "noise"))
    Split(100 examples of (2,) float32, clean 59, noise 41)
    """
    check_split("label_noise: split", split)
    cumulative = np.cumsum(_transitions(matrix, split.classes), axis=1)
    if not isinstance(rng, np.random.Generator):
        raise TypeError(
            f"label_noise: rng must be a numpy.random.Generator, got {type(rng).__name__}; "
            'pass e.g. stream(seed, "noise")'
        )
    # Inverse transform sampling: the label is the number of thresholds at or below the draw.
    thresholds = (cumulative / cumulative[:, -1:])[split.labels, :-1]
    labels = (rng.random(len(split))[:, None] >= thresholds).sum(axis=1)
    noise = (labels != split.labels) | split.subsets.get("noise", False)
    subsets = {name: mask & ~noise for name, mask in split.subsets.items()}
    subsets |= {"clean": ~noise, "noise": noise}
    return replace(
        split, labels=labels, subsets={name: mask for name, mask in subsets.items() if mask.any()}
    )


def _checked(where: str, classes: int, rate: float) -> tuple[int, float]:
    classes = check_integer(f"{where}: classes", classes, 2)
    rate = check_number(f"{where}: rate", rate)
    if not 0 <= rate <= 1:
        raise ValueError(f"{where}: rate {rate} lies outside [0, 1]; pass a share such as 0.4")
    return classes, rate


def _transitions(matrix: ArrayLike, classes: int) -> NDArray[np.float64]:
    values = np.asarray(matrix)
    if values.dtype.kind not in "biuf":
        raise TypeError(f"label_noise: a matrix of {values.dtype} is no matrix of probabilities")
    values = values.astype(np.float64)
    if values.ndim != 2 or values.shape[0] != values.shape[1] or len(values) < classes:
        raise ValueError(
            f"label_noise: matrix {values.shape} must be square, with a row for each of the "
            f"{classes} classes of the labels"
        )
    if not (values >= 0).all() or not np.allclose(values.sum(axis=1), 1, rtol=0, atol=1e-6):
        raise ValueError(
            "label_noise: a row of the matrix holds no probabilities; "
            "rows hold numbers from 0 that sum to 1"
        )
    return values
