"""First weights, drawn from a generator that is passed in."""

import math

import numpy as np

from minidecay.devices.protocol import Shape


def generator(rng: np.random.Generator | None) -> np.random.Generator:
    """`rng` itself, or a freshly seeded one where there is none, as NumPy's own default.

    Raises:
        TypeError: `rng` is something else, such as a seed.
    """
    if rng is None:
        return np.random.default_rng()
    if not isinstance(rng, np.random.Generator):
        raise TypeError(f"rng={rng!r} is no generator; pass minidecay.random.stream(seed, 'init')")
    return rng


def kaiming_normal(shape: Shape, fan_in: int, rng: np.random.Generator | None) -> np.ndarray:
    """Normal with deviation sqrt(2 / fan_in), which keeps the scale through ReLUs; float32.

    He et al. 2015, equation 10. `fan_in` is the number of inputs that one output sums over.

    Raises:
        ValueError: `fan_in` is not positive.
        TypeError: `rng` is no generator.

    >>> kaiming_normal((800, 500), 800, np.random.default_rng(0)).std()
    np.float32(0.05)
    """
    if not fan_in > 0:
        raise ValueError(f"kaiming_normal: fan_in={fan_in} must be positive")
    deviation = np.float32(math.sqrt(2 / fan_in))
    return generator(rng).standard_normal(shape, dtype=np.float32) * deviation
