"""Reductions."""

import math

import numpy as np

from minidecay.devices.protocol import Axes


def sum(x: np.ndarray, axis: Axes = None, keepdims: bool = False) -> np.ndarray:
    return np.asarray(x.sum(axis=axis, keepdims=keepdims))


def max(x: np.ndarray, axis: Axes = None, keepdims: bool = False) -> np.ndarray:
    return np.asarray(x.max(axis=axis, keepdims=keepdims))


def norm(x: np.ndarray) -> float:
    flat = x.reshape(-1)
    return math.sqrt(float(np.dot(flat, flat)))
