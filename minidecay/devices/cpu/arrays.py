"""Copying, casting and indexing."""

from typing import Any

import numpy as np


def copy(x: np.ndarray) -> np.ndarray:
    return np.array(x)


def astype(x: np.ndarray, dtype: Any) -> np.ndarray:
    return x.astype(dtype)


def getitem(x: np.ndarray, index: Any) -> np.ndarray:
    return np.asarray(x[index])


def setitem(x: np.ndarray, index: Any, value: Any) -> None:
    x[index] = value


def add_at(x: np.ndarray, index: Any, value: np.ndarray) -> None:
    np.add.at(x, index, value)
