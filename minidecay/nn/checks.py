"""What is asked of the sizes and rates that a layer is made with."""

from numbers import Real

import numpy as np


def positive(layer: str, **sizes: int) -> None:
    """Raise ValueError, naming the layer, where a size is no positive integer."""
    for name, n in sizes.items():
        if not isinstance(n, int | np.integer) or isinstance(n, bool) or n < 1:
            raise ValueError(f"{layer}: {name}={n!r} must be a positive integer")


def is_in(low: float, value: object, high: float) -> bool:
    """Is it a number from low to high?"""
    return isinstance(value, Real) and low <= float(value) <= high
