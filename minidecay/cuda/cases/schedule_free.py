"""A step of schedule-free SGD: z -= lr (g + wd w);  x += share (z - x);  w = z + beta (x - z)."""

from collections.abc import Iterator

import numpy as np

from minidecay.cuda.cases.case import Case

__all__ = ["cases"]

_RATE, _SHARE, _MOMENTUM, _DECAY = 0.1, 0.2, 0.9, 0.01


def cases(rng: np.random.Generator) -> Iterator[Case]:
    """Sizes around four (what a thread takes) and around a block."""
    for n in (1, 3, 4, 5, 1023, 1024, 1030):
        w, g, z, x = rng.standard_normal((4, n), dtype=np.float32)
        moved = z - _RATE * (g.astype(np.float64) + _DECAY * w)
        average = x + _SHARE * (moved - x)
        yield Case(
            "schedule_free_step",
            f"{n} parameters",
            (w, g, z, x, np.array([_RATE, _SHARE], np.float32), _MOMENTUM, _DECAY, n),
            {"w": moved + _MOMENTUM * (average - moved), "z": moved, "x": average, "g": g},
        )
