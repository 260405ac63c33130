"""Matrix products, single and batched."""

import numpy as np

from minidecay.devices.cpu.elementwise import finish
from minidecay.devices.protocol import Activation


def matmul(
    a: np.ndarray,
    b: np.ndarray,
    *,
    transpose_a: bool = False,
    transpose_b: bool = False,
    bias: np.ndarray | None = None,
    residual: np.ndarray | None = None,
    activation: Activation = None,
    out: np.ndarray | None = None,
) -> np.ndarray:
    """activation(a @ b + bias + residual); a transpose is a view that BLAS reads as it is."""
    a = a.swapaxes(-1, -2) if transpose_a else a
    b = b.swapaxes(-1, -2) if transpose_b else b
    return finish(np.matmul(a, b, out=out), bias, residual, activation)
