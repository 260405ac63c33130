"""A step of RMSprop, in float64: w moves by g / sqrt(v), or by the velocity of that."""

from collections.abc import Iterator
from itertools import product

import numpy as np

from minidecay.cuda.cases.case import Case

__all__ = ["cases"]

_RATE, _FRESH, _EPS, _DECAY, _MOMENTUM = 0.1, 0.01, 0.05, 0.01, 0.9


def cases(rng: np.random.Generator) -> Iterator[Case]:
    """Sizes around four (what a thread takes) and around a block."""
    for centered, moving in product((0, 1), repeat=2):
        for n in (1, 3, 4, 5, 1023, 1024, 1030):
            yield _case(rng, n, centered, moving)


def _case(rng: np.random.Generator, n: int, centered: int, moving: int) -> Case:
    w, g, velocity, mean = rng.standard_normal((4, n), dtype=np.float32)
    mean += np.copysign(np.float32(1), mean)
    # Variances well above 0, and some that rounding would have made negative.
    v = mean**2 * np.where(np.arange(n) % 5 == 2, np.float32(0.25), np.float32(2))
    step = g.astype(np.float64) + _DECAY * w
    square = v + _FRESH * (step**2 - v)
    middle = mean + _FRESH * (step - mean)
    variance = np.maximum(square - middle**2, 0) if centered else square
    moved = step / (np.sqrt(variance) + _EPS)
    if moving:
        moved += _MOMENTUM * velocity
    expected = {"w": w - _RATE * moved, "v": square, "g": g}
    expected |= {"velocity": moved} if moving else {}
    expected |= {"mean": middle} if centered else {}
    more = (velocity if moving else None, mean if centered else None, np.array([_RATE], np.float32))
    return Case(
        "rmsprop_step",
        f"{n} parameters" + ", centered" * centered + ", momentum" * moving,
        (w, g, v, *more, _FRESH, _EPS, _DECAY, _MOMENTUM, n),
        expected,
        {name: 1 for name, on in (("CENTERED", centered), ("MOMENTUM", moving)) if on},
    )
