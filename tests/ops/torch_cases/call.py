from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import numpy as np
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp

import minidecay as md

SHAPES = hnp.array_shapes(min_dims=0, max_dims=4, min_side=1, max_side=5)
AXES = st.sampled_from([None, 0, -1, (0, -1), (1, 0)])


@dataclass
class Call:
    """One use of an operation: ours and torch's functions of the same arrays."""

    ours: Callable[..., md.Tensor]
    torchs: Callable[..., Any]
    arrays: list[np.ndarray]


def normal(draw, shape, positive=False, apart=False):
    """N(0, 1) values; positive ones; or values no two of which are near each other."""
    rng = np.random.default_rng(draw(st.integers(0, 2**32 - 1)))
    values = rng.standard_normal(shape)
    if positive:
        return np.abs(values) + 0.5
    if apart:
        size = int(np.prod(shape))
        return (rng.permutation(size).reshape(shape) - size / 2 + 0.25) / 4
    return values
