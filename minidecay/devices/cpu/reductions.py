"""Reductions."""

import math

import numpy as np

from minidecay.devices.protocol import Axes


def sum(
    x: np.ndarray, axis: Axes = None, keepdims: bool = False, out: np.ndarray | None = None
) -> np.ndarray:
    return np.asarray(x.sum(axis=axis, keepdims=keepdims, out=out))


def max(
    x: np.ndarray, axis: Axes = None, keepdims: bool = False, out: np.ndarray | None = None
) -> np.ndarray:
    return np.asarray(x.max(axis=axis, keepdims=keepdims, out=out))


def norm(x: np.ndarray) -> float:
    flat = x.reshape(-1)
    return math.sqrt(float(np.dot(flat, flat)))
