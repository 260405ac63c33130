"""The elementwise functions that NumPy does not bring, and the tail of the heavy ones."""

import numpy as np

from minidecay.devices.protocol import Activation


def sigmoid(x: np.ndarray) -> np.ndarray:
    return 0.5 * (np.tanh(0.5 * x) + 1)  # 1 / (1 + exp(-x)) without its overflow


def relu(x: np.ndarray, out: np.ndarray | None = None) -> np.ndarray:
    # Against a row of zeros NumPy's loop is vectorised, against the number 0 it is not (2x).
    zeros = spread(np.zeros(x.shape[-1:], x.dtype), x)
    return np.asarray(np.maximum(x, zeros, out=out))


def relu_grad(gy: np.ndarray, y: np.ndarray, out: np.ndarray | None = None) -> np.ndarray:
    return np.asarray(np.multiply(gy, y > 0, out=out))


def spread(v: np.ndarray, x: np.ndarray) -> np.ndarray:
    """v (C,) as it broadcasts against x (..., W, C), repeated over W.

    NumPy's inner loop then runs over W * C values; over a few channels it is several times slower.
    """
    return np.tile(v, (x.shape[-2], 1)) if x.ndim > 2 else v


def finish(
    y: np.ndarray,
    bias: np.ndarray | None = None,
    residual: np.ndarray | None = None,
    activation: Activation = None,
) -> np.ndarray:
    """activation(y + bias + residual), written into y: the tail of every heavy primitive."""
    if bias is not None:
        y += spread(bias, y)
    if residual is not None:
        y += residual
    return relu(y, out=y) if activation == "relu" else y
