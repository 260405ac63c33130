"""Copying, casting, reshaping and indexing."""

from typing import Any

import numpy as np

from minidecay.devices.protocol import Shape


def copy(x: np.ndarray) -> np.ndarray:
    return np.array(x)


def arange(n: int) -> np.ndarray:
    return np.arange(n, dtype=np.int64)


def astype(x: np.ndarray, dtype: Any) -> np.ndarray:
    return x.astype(dtype)


def reshape(x: np.ndarray, shape: Shape) -> np.ndarray:
    return np.asarray(x).reshape(shape)  # x may be one of NumPy's scalars


def getitem(x: np.ndarray, index: Any) -> np.ndarray:
    return np.asarray(x[index])


def setitem(x: np.ndarray, index: Any, value: Any) -> None:
    x[index] = value


def add_at(x: np.ndarray, index: Any, value: np.ndarray) -> None:
    np.add.at(x, index, value)
