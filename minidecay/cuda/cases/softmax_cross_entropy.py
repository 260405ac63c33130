"""Log-softmax and cross-entropy over (rows, classes), and their gradients, in float64."""

from collections.abc import Iterator
from typing import Any

import numpy as np

from minidecay.cuda.cases.case import Case, unwritten

__all__ = ["cases"]

# One class and one row, rows around the four of a block, classes around the 32 lanes of a warp.
_SIZES = [(1, 1), (3, 2), (4, 10), (5, 31), (9, 32), (2, 33), (1, 100)]


def cases(rng: np.random.Generator) -> Iterator[Case]:
    """Each kernel on each size; logits so far apart that a careless exp would overflow."""
    for rows, classes in _SIZES:
        yield from _cases(rng, rng.integers(0, classes, rows), classes)
    yield from _cases(rng, np.array([-1, 2, 0, 3, -(2**40)]), 3, ", labels of no class")


def _cases(
    rng: np.random.Generator, labels: np.ndarray, classes: int, particular: str = ""
) -> Iterator[Case]:
    rows = len(labels)
    size, label = (rows, classes), f"{rows}x{classes}{particular}"

    logits = (100 + 50 * rng.standard_normal(size)).astype(np.float32)
    gy = rng.standard_normal(size).astype(np.float32)
    shifted = logits.astype(np.float64) - logits.max(axis=1, keepdims=True)
    y = shifted - np.log(np.exp(shifted).sum(axis=1, keepdims=True))
    is_label = np.arange(classes) == labels[:, None]
    losses = np.where(is_label.any(axis=1), -np.where(is_label, y, 0).sum(axis=1), np.nan)
    probabilities = np.exp(y)
    gx = probabilities - is_label
    near: dict[str, Any] = {"rtol": 1e-5, "atol": 5e-5}  # logits of some 200 have a step of 1.5e-5

    yield Case("log_softmax", label, (logits, unwritten(*size), *size), {"y": y}, **near)
    rounded = y.astype(np.float32)
    arguments = (gy, rounded, unwritten(*size), *size)
    total = gy.astype(np.float64).sum(axis=1, keepdims=True)
    expected = {"gx": gy - np.exp(rounded.astype(np.float64)) * total}
    yield Case("log_softmax_grad", label, arguments, expected, **near)
    yield Case(
        "softmax_cross_entropy",
        label,
        (logits, labels, unwritten(rows), unwritten(*size), *size),
        {"losses": losses, "probabilities": probabilities},
        **near,
    )
    given = probabilities.astype(np.float32)
    for each in (gy[:, 0].copy(), None):
        scale = 0.25 if each is None else each[:, None]
        yield Case(
            "softmax_cross_entropy_grad",
            label + ", one gradient for all" * (each is None),
            (each, 0.25 if each is None else 0.0, given, labels, unwritten(*size), *size),
            {"gx": scale * gx},
            **near,
        )
    yield Case(
        "softmax_cross_entropy_forward_backward",
        label,
        (logits, labels, unwritten(rows), unwritten(*size), 0.25, *size),
        {"losses": losses, "gx": 0.25 * gx},
        **near,
    )
