"""A step of Adam, in float64: m and v move by a share of the way, and w by m / sqrt(v)."""

from collections.abc import Iterator
from itertools import product

import numpy as np

from minidecay.cuda.cases.case import Case

__all__ = ["cases"]

_RATE, _C1, _C2 = 0.1, 1.25, 4.0  # of a step in the first half dozen
_NEW1, _NEW2, _EPS, _DECAY = 0.1, 0.001, 1e-3, 0.01


def cases(rng: np.random.Generator) -> Iterator[Case]:
    """Sizes around four (what a thread takes) and around a block."""
    for decoupled, amsgrad in product((0, 1), repeat=2):
        for n in (1, 3, 4, 5, 1023, 1024, 1030):
            yield _case(rng, n, decoupled, amsgrad)


def _case(rng: np.random.Generator, n: int, decoupled: int, amsgrad: int) -> Case:
    w, g, m = rng.standard_normal((3, n), dtype=np.float32)
    v, largest = np.square(rng.standard_normal((2, n), dtype=np.float32))
    step = g.astype(np.float64) + (0 if decoupled else _DECAY) * w
    mean = m + _NEW1 * (step - m)
    square = v + _NEW2 * (step**2 - v)
    top = np.maximum(largest, square) if amsgrad else square
    kept = w * (1 - _RATE * _DECAY) if decoupled else w
    moved = kept - _RATE * _C1 * mean / (_C2 * np.sqrt(top) + _EPS)
    expected = {"w": moved, "m": mean, "v": square, "g": g}
    now = np.array([_RATE, _C1, _C2], np.float32)
    return Case(
        "adam_step",
        f"{n} parameters" + ", decoupled" * decoupled + ", amsgrad" * amsgrad,
        (w, g, m, v, largest if amsgrad else None, now, _NEW1, _NEW2, _EPS, _DECAY, n),
        expected | ({"largest": top} if amsgrad else {}),
        {name: 1 for name, on in (("DECOUPLED", decoupled), ("AMSGRAD", amsgrad)) if on},
    )
