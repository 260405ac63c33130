"""Reductions, in one launch of `fused/reduce`, or in two where few sums are long.

    x (outer, length, inner) -> y (outer, inner)

In two, `length` is cut into parts that go over the whole GPU, and the parts' sums are summed.
"""

import math
from functools import lru_cache

import numpy as np

from minidecay.devices.kernels.arrays import Arrays
from minidecay.devices.kernels.base import columns_and_parts
from minidecay.devices.protocol import Array, Axes, Shape

FILE = "fused/reduce"
LONG = 1024  # a row that is worth a block, not a warp


class Reductions(Arrays):
    def sum(self, x: Array, axis: Axes = None, keepdims: bool = False) -> Array:
        return self._reduced("sum", x, axis, keepdims)

    def max(self, x: Array, axis: Axes = None, keepdims: bool = False) -> Array:
        return self._reduced("max", x, axis, keepdims)

    def norm(self, x: Array) -> float:
        squares = self._folded("square_sum", self.dense(x), 1, x.size, 1)
        return math.sqrt(float(self.to_numpy(squares)[0]))

    def _reduced(self, op: str, x: Array, axis: Axes, keepdims: bool) -> Array:
        if x.dtype != np.float32 or x.size == 0:
            self.check_dtype(x.dtype)
            return self.xp.asarray(getattr(self.xp, op)(x, axis=axis, keepdims=keepdims))
        order, sizes, shape = _plan(x.shape, axis, keepdims)
        if order is not None:
            x = self.xp.transpose(x, order)
        return self._folded(op, self.dense(x), *sizes).reshape(shape)

    def _folded(self, op: str, x: Array, outer: int, length: int, inner: int) -> Array:
        columns, parts = columns_and_parts(length, inner, outer)
        y = self._launched(op, x, outer, length, inner, columns, parts)
        if parts == 1:
            return y
        # A narrow block has more threads for each of its columns, and the parts are few.
        op = "sum" if op == "square_sum" else op
        return self._launched(op, y, outer, parts, inner, min(columns, 8), 1)

    def _launched(
        self, op: str, x: Array, outer: int, length: int, inner: int, columns: int, parts: int
    ) -> Array:
        y = self.empty((outer * parts * inner,))
        sizes = (outer, length) if inner == 1 else (outer, length, inner)
        if inner > 1:
            self.launch(FILE, "reduce_columns", x, y, *sizes, parts, OP=op, COLUMNS=columns)
        elif length >= LONG or parts > 1:
            self.launch(FILE, "reduce_long_rows", x, y, *sizes, parts, OP=op)
        else:
            self.launch(FILE, "reduce_rows", x, y, *sizes, OP=op)
        return y


@lru_cache(maxsize=1024)
def _plan(
    shape: Shape, axis: Axes, keepdims: bool
) -> tuple[tuple[int, ...] | None, tuple[int, int, int], Shape]:
    """The order that brings the axes together (None: they are), (outer, length, inner), shape."""
    ndim = len(shape)
    wanted = range(ndim) if axis is None else (axis,) if isinstance(axis, int) else axis
    axes = sorted(a % ndim for a in wanted)
    kept = [a for a in range(ndim) if a not in axes]
    result = tuple(1 if a in axes else n for a, n in enumerate(shape) if keepdims or a not in axes)

    def product(some: list[int]) -> int:
        return math.prod(shape[a] for a in some)

    length = product(axes)
    if axes and axes == list(range(axes[0], axes[-1] + 1)):
        inner = product(list(range(axes[-1] + 1, ndim)))
        return None, (product(list(range(axes[0]))), length, inner), result
    return (*kept, *axes), (product(kept), length, 1), result
