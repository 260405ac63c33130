"""One step of SGD: g' = g + wd w;  v = m v + g';  w -= lr v, or lr (g' + m v) with NESTEROV.

With DECOUPLED g' = g, and w *= 1 - lr wd before all else.
"""

from collections.abc import Iterator
from itertools import product

import numpy as np

from minidecay.cuda.cases.case import Case

__all__ = ["cases"]

_RATE, _MOMENTUM, _DECAY = 0.1, 0.9, 0.01


def cases(rng: np.random.Generator) -> Iterator[Case]:
    """Sizes around four (what a thread takes) and around a block."""
    for decoupled, nesterov in product((0, 1), repeat=2):
        for n in (1, 3, 4, 5, 1023, 1024, 1030):
            yield _case(rng, n, nesterov, decoupled)


def _case(rng: np.random.Generator, n: int, nesterov: int, decoupled: int) -> Case:
    w, g, v = rng.standard_normal((3, n), dtype=np.float32)
    step = g.astype(np.float64) + (0 if decoupled else _DECAY) * w
    kept = w * (1 - _RATE * _DECAY) if decoupled else w
    moved = _MOMENTUM * v + step
    return Case(
        "sgd_step",
        f"{n} parameters" + ", nesterov" * nesterov + ", decoupled" * decoupled,
        (w, g, v, np.full(1, _RATE, np.float32), _MOMENTUM, _DECAY, n),
        {"w": kept - _RATE * (step + _MOMENTUM * moved if nesterov else moved), "v": moved, "g": g},
        {name: 1 for name, on in (("NESTEROV", nesterov), ("DECOUPLED", decoupled)) if on},
    )
