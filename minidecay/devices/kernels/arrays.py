"""Making, copying, reshaping and indexing: the array library's own, since nothing is computed."""

from collections.abc import Sequence
from typing import Any

import numpy as np

from minidecay.devices.kernels.base import Launching
from minidecay.devices.protocol import Array, Shape


class Arrays(Launching):
    def from_numpy(self, x: np.ndarray) -> Array:
        self.check_dtype(x.dtype)
        return self.xp.array(x)

    def asarray(self, x: np.ndarray) -> Array:
        self.check_dtype(x.dtype)
        return self.xp.asarray(x)

    def to_numpy(self, x: Array) -> np.ndarray:
        return np.asarray(x.get() if hasattr(x, "get") else x)  # CuPy's arrays have get()

    def zeros(self, shape: Shape, dtype: Any) -> Array:
        self.check_dtype(dtype)
        return self.xp.zeros(shape, dtype)

    def ones(self, shape: Shape, dtype: Any) -> Array:
        self.check_dtype(dtype)
        return self.xp.ones(shape, dtype)

    def arange(self, n: int) -> Array:
        return self.xp.arange(n, dtype=np.int64)

    def copy(self, x: Array) -> Array:
        return self.xp.array(x)

    def copy_into(self, out: Array, x: Array) -> None:
        self.xp.copyto(out, x)

    def astype(self, x: Array, dtype: Any) -> Array:
        self.check_dtype(dtype)
        return x.astype(dtype)

    def reshape(self, x: Array, shape: Shape) -> Array:
        return self.xp.asarray(x).reshape(shape)

    def transpose(self, x: Array, axes: Sequence[int]) -> Array:
        return self.xp.transpose(x, axes)

    def broadcast_to(self, x: Array, shape: Shape) -> Array:
        return self.xp.broadcast_to(x, shape)

    def concatenate(self, xs: Sequence[Array], axis: int) -> Array:
        return self.xp.concatenate(xs, axis)

    def getitem(self, x: Array, index: Any) -> Array:
        return self.xp.asarray(x[index])

    def setitem(self, x: Array, index: Any, value: Array | float) -> None:
        x[index] = self.xp.asarray(value) if isinstance(value, np.ndarray) else value

    def add_at(self, x: Array, index: Any, value: Array) -> None:
        # By the host, in order: a GPU's atomics would add in another order at every run.
        whole = self.to_numpy(x)
        np.add.at(whole, index, self.to_numpy(value))
        if whole is not x:
            x[...] = self.xp.asarray(whole)
