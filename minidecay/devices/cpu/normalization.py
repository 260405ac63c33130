"""Batch normalisation (Ioffe and Szegedy 2015, algorithm 1) over all axes but the last.

With n values a channel and x^ = (x - mean) / sqrt(var + eps):

    y  = gamma x^ + beta
    gx = gamma / sqrt(var + eps) * (gy - mean(gy) - x^ mean(gy x^))

Each is two passes over memory, one that sums and one that writes, a few rows at a time, which stay
in a cache from one NumPy call to the next. A row of images is (W C), wide enough for NumPy's loops.
"""

from collections.abc import Iterator
from functools import lru_cache
from typing import Any

import numpy as np

from minidecay.devices.cpu.elementwise import finish, relu, relu_grad, spread
from minidecay.devices.protocol import Activation

Triple = tuple[np.ndarray, np.ndarray, np.ndarray] | tuple[None, None, None]

CHUNK = 1 << 16  # values: what is worked on at a time


def batch_norm(
    x: np.ndarray,
    gamma: np.ndarray,
    beta: np.ndarray,
    eps: float,
    *,
    residual: np.ndarray | None = None,
    activation: Activation = None,
    out: Triple = (None, None, None),
) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    mean, var = _moments(x, out[1:])
    scale = gamma / np.sqrt(var + eps)
    y = np.empty(x.shape, x.dtype) if out[0] is None else out[0]
    rows, y_rows = _rows(x), _rows(y)
    scales, shifts = _across(scale, rows), _across(beta - mean * scale, rows)
    added = None if residual is None else _rows(residual)
    for part in _parts(rows):
        piece = np.multiply(rows[part], scales, out=y_rows[part])
        piece += shifts
        if added is not None:
            piece += added[part]
        if activation == "relu":
            relu(piece, out=piece)
    return y, mean, var


def batch_norm_grad(
    gy: np.ndarray,
    x: np.ndarray,
    gamma: np.ndarray,
    mean: np.ndarray,
    var: np.ndarray,
    eps: float,
    activated: np.ndarray | None = None,
    out: Triple = (None, None, None),
) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """With `activated`, the ReLU of the layer's output, gy is the gradient of that ReLU."""
    count = max(1, x.size // x.shape[-1])
    gx = np.empty(x.shape, x.dtype) if out[0] is None else out[0]
    rows, gx_rows = _rows(x), _rows(gx)
    g_rows = _rows(gy) if activated is None else gx_rows
    means = _across(mean, rows)
    g_sum, g_centred_sum = np.zeros((2, rows.shape[1]), x.dtype)
    for part in _parts(rows):
        g = g_rows[part]
        if activated is not None:
            relu_grad(_rows(gy)[part], _rows(activated)[part], out=g)
        centred = rows[part] - means
        g_sum += _column_sums(g)
        g_centred_sum += _column_sums(np.multiply(centred, g, out=centred))
    inverse = 1 / np.sqrt(var + eps)
    g_beta = np.positive(_by_channel(g_sum, mean.size), out=out[2])
    g_gamma = np.multiply(_by_channel(g_centred_sum, mean.size), inverse, out=out[1])

    a = gamma * inverse
    b = a * inverse * g_gamma / count
    scales, slopes = _across(a, rows), _across(b, rows)
    shifts = _across(b * mean - a * g_beta / count, rows)
    for part in _parts(rows):
        piece = np.multiply(g_rows[part], scales, out=gx_rows[part])
        piece -= rows[part] * slopes
        piece += shifts
    return gx, g_gamma, g_beta


def batch_norm_inference(
    x: np.ndarray,
    gamma: np.ndarray,
    beta: np.ndarray,
    mean: np.ndarray,
    var: np.ndarray,
    eps: float,
    *,
    residual: np.ndarray | None = None,
    activation: Activation = None,
) -> np.ndarray:
    scale = gamma / np.sqrt(var + eps)
    return finish(x * spread(scale, x), beta - mean * scale, residual, activation)


def _moments(x: np.ndarray, out: tuple[np.ndarray | None, ...]) -> tuple[np.ndarray, np.ndarray]:
    """Mean and variance of each channel, as Chan, Golub and LeVeque (1979) join them from parts.

    The squares are of deviations from a part's own mean: E[x^2] - mean^2 would lose all digits
    where the mean is far larger than the deviation.
    """
    channels = x.shape[-1]
    rows = _rows(x)
    counts, means, squares = [], [], []
    for part in _parts(rows):
        some = rows[part]
        counts.append(some.size // channels)
        means.append(_by_channel(_column_sums(some), channels) / counts[-1])
        centred = some - _across(means[-1], some)
        squares.append(_by_channel(_column_sums(np.square(centred, out=centred)), channels))
    if len(counts) == 1:
        return np.positive(means[0], out=out[0]), np.divide(squares[0], counts[0], out=out[1])
    count = sum(counts)
    shares = np.array(counts, x.dtype) / count
    mean = np.matmul(shares, np.array(means), out=out[0])
    between = shares @ np.square(means - mean)
    return mean, np.add(np.sum(squares, axis=0) / count, between, out=out[1])


def _rows(x: np.ndarray) -> np.ndarray:
    """x (..., W, C) as (rows, W C), or (N, C) as it is."""
    return x.reshape(-1, x.shape[-2] * x.shape[-1]) if x.ndim > 2 else x


def _parts(rows: np.ndarray) -> Iterator[slice]:
    some = max(1, CHUNK // max(1, rows.shape[1]))
    return (slice(start, start + some) for start in range(0, len(rows), some))


def _across(v: np.ndarray, rows: np.ndarray) -> np.ndarray:
    """v (C,) repeated along a row."""
    repeats = rows.shape[1] // v.size
    return np.tile(v, repeats) if repeats > 1 else v


def _by_channel(sums: np.ndarray, channels: int) -> np.ndarray:
    return sums.reshape(-1, channels).sum(axis=0) if sums.size > channels else sums


def _column_sums(rows: np.ndarray) -> np.ndarray:
    # A product with a row of ones: BLAS sums columns up to 20x faster than rows.sum(axis=0).
    return np.asarray(_ones(len(rows), rows.dtype) @ rows)


@lru_cache(maxsize=64)
def _ones(n: int, dtype: np.dtype[Any]) -> np.ndarray:
    return np.ones(n, dtype)
