"""Batch normalisation (Ioffe and Szegedy 2015, algorithm 1) over all axes but the last.

With n values a channel and x^ = (x - mean) / sqrt(var + eps):

    y  = gamma x^ + beta
    gx = gamma / sqrt(var + eps) * (gy - mean(gy) - x^ mean(gy x^))
"""

from functools import lru_cache
from typing import Any

import numpy as np

from minidecay.devices.cpu.elementwise import finish, spread
from minidecay.devices.protocol import Activation


def batch_norm(
    x: np.ndarray,
    gamma: np.ndarray,
    beta: np.ndarray,
    eps: float,
    *,
    residual: np.ndarray | None = None,
    activation: Activation = None,
) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    mean = _channel_mean(x)
    centred = x - spread(mean, x)
    var = _channel_mean(np.square(centred))
    y = np.multiply(centred, spread(gamma / np.sqrt(var + eps), x), out=centred)
    return finish(y, beta, residual, activation), mean, var


def batch_norm_grad(
    gy: np.ndarray,
    x: np.ndarray,
    gamma: np.ndarray,
    mean: np.ndarray,
    var: np.ndarray,
    eps: float,
) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    inverse = 1 / np.sqrt(var + eps)
    normal = x - spread(mean, x)
    normal *= spread(inverse, x)
    g_mean, g_normal_mean = _channel_mean(gy), _channel_mean(gy * normal)
    gx = gy - spread(g_mean, x)
    normal *= spread(g_normal_mean, x)
    gx -= normal
    gx *= spread(gamma * inverse, x)
    count = x.size // x.shape[-1]
    return gx, g_normal_mean * count, g_mean * count


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


def _channel_mean(x: np.ndarray) -> np.ndarray:
    # A product with a row of shares: BLAS sums columns up to 20x faster than x.mean(axis=0).
    rows = x.reshape(-1, x.shape[-1])
    return np.asarray(_shares(len(rows), x.dtype) @ rows)


@lru_cache(maxsize=16)
def _shares(n: int, dtype: np.dtype[Any]) -> np.ndarray:
    return np.full(n, 1 / n, dtype)
