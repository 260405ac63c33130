"""Elementwise primitives, each one launch of `fused/elementwise` under its own name.

Operands may broadcast: to the kernel, an axis along which an operand repeats is one of stride 0.
Integers and booleans, which only keep books (labels, masks), are the array library's.
"""

from collections.abc import Sequence
from functools import lru_cache
from typing import Any

import numpy as np

from minidecay.devices.kernels.arrays import Arrays
from minidecay.devices.protocol import Array, Shape

FILE = "fused/elementwise"
AXES = 4  # that the kernels take
# What the array libraries call those that a launch would call otherwise.
_THEIR_NAMES = {
    "sub": "subtract",
    "mul": "multiply",
    "div": "divide",
    "pow": "power",
    "neg": "negative",
    "abs": "absolute",
}


class Elementwise(Arrays):
    def ones(self, shape: Shape, dtype: Any) -> Array:
        if np.dtype(dtype) != np.float32:
            return super().ones(shape, dtype)
        out = self.empty(shape)  # backward begins with it: by a launch that can be captured
        self.launch(
            FILE, "binary", None, None, 1.0, 0.0, out, out.size, *(1,) * 3, *(0,) * 8, OP="add"
        )
        return out

    def add(self, x: Array | float, y: Array | float) -> Array:
        return self._binary("add", x, y)

    def sub(self, x: Array | float, y: Array | float) -> Array:
        return self._binary("sub", x, y)

    def mul(self, x: Array | float, y: Array | float) -> Array:
        return self._binary("mul", x, y)

    def div(self, x: Array | float, y: Array | float) -> Array:
        return self._binary("div", x, y)

    def pow(self, x: Array | float, y: Array | float) -> Array:
        return self._binary("pow", x, y)

    def maximum(self, x: Array | float, y: Array | float) -> Array:
        return self._binary("maximum", x, y)

    def minimum(self, x: Array | float, y: Array | float) -> Array:
        return self._binary("minimum", x, y)

    def relu_grad(self, gy: Array, y: Array) -> Array:
        return self._binary("relu_grad", gy, y)

    def greater(self, x: Array | float, y: Array | float) -> Array:
        return self._compare("greater", x, y)

    def greater_equal(self, x: Array | float, y: Array | float) -> Array:
        return self._compare("greater_equal", x, y)

    def less(self, x: Array | float, y: Array | float) -> Array:
        return self._compare("less", x, y)

    def less_equal(self, x: Array | float, y: Array | float) -> Array:
        return self._compare("less_equal", x, y)

    def equal(self, x: Array | float, y: Array | float) -> Array:
        return self._compare("equal", x, y)

    def not_equal(self, x: Array | float, y: Array | float) -> Array:
        return self._compare("not_equal", x, y)

    def neg(self, x: Array) -> Array:
        return self._unary("neg", x)

    def exp(self, x: Array) -> Array:
        return self._unary("exp", x)

    def log(self, x: Array) -> Array:
        return self._unary("log", x)

    def log1p(self, x: Array) -> Array:
        return self._unary("log1p", x)

    def sqrt(self, x: Array) -> Array:
        return self._unary("sqrt", x)

    def abs(self, x: Array) -> Array:
        return self._unary("abs", x)

    def sign(self, x: Array) -> Array:
        return self._unary("sign", x)

    def tanh(self, x: Array) -> Array:
        return self._unary("tanh", x)

    def erf(self, x: Array) -> Array:
        return self._unary("erf", x)

    def sigmoid(self, x: Array) -> Array:
        return self._unary("sigmoid", x)

    def relu(self, x: Array) -> Array:
        return self._unary("relu", x)

    def where(self, condition: Array, x: Array | float, y: Array | float) -> Array:
        condition = self.xp.asarray(condition, bool)  # also from the host's memory
        if not self._computes(x, y):
            return self.xp.where(condition, x, y)
        return self._spread("where", [x, y], np.float32, condition)

    def _unary(self, op: str, x: Array) -> Array:
        x = self.xp.asarray(x)  # it may be one of NumPy's scalars
        if not self._computes(x):
            return getattr(self.xp, _THEIR_NAMES.get(op, op))(x)
        x = self.dense(x)
        y = self.empty(x.shape)
        self.launch(FILE, "unary", x, y, x.size, OP=op)
        return y

    def _binary(self, op: str, x: Array | float, y: Array | float) -> Array:
        if not self._computes(x, y):
            return getattr(self.xp, _THEIR_NAMES.get(op, op))(x, y)
        return self._spread("binary", [x, y], np.float32, OP=op)

    def _compare(self, op: str, x: Array | float, y: Array | float) -> Array:
        if not self._computes(x, y):
            return getattr(self.xp, op)(x, y)
        return self._spread("compare", [x, y], np.uint8, OP=op).view(bool)

    def _computes(self, *operands: Any) -> bool:
        """Are floats among the arrays? Then it is a kernel's work."""
        dtypes = [x.dtype for x in operands if isinstance(x, self.xp.ndarray)]
        for dtype in dtypes:
            self.check_dtype(dtype)
        return np.dtype(np.float32) in dtypes

    def _spread(
        self,
        kernel: str,
        operands: Sequence[Any],
        dtype: Any,
        condition: Array | None = None,
        **options: str,
    ) -> Array:
        """Launch a kernel over operands that broadcast; a number goes beside a null pointer."""
        are_arrays = [isinstance(x, self.xp.ndarray) for x in operands]
        numbers = [
            0.0 if is_array else float(x) for x, is_array in zip(operands, are_arrays, strict=True)
        ]
        arrays = [x if is_array else None for x, is_array in zip(operands, are_arrays, strict=True)]
        if condition is not None:
            arrays.insert(0, condition)
        shape = _broadcast(*(x.shape for x in arrays if x is not None))
        arrays = [None if x is None else self._given(_narrowed(x)) for x in arrays]
        axes, strides = _layout(shape, tuple(None if x is None else x.shape for x in arrays))
        if len(axes) > AXES:  # rare: repeated and not, in turn, over five axes
            arrays = [
                None if x is None else self.xp.array(self.xp.broadcast_to(x, shape), order="C")
                for x in arrays
            ]
            axes, strides = _layout(shape, tuple(None if x is None else shape for x in arrays))
        out = self.xp.empty(shape, dtype)
        self.launch(FILE, kernel, *arrays, *numbers, out, out.size, *axes[1:], *strides, **options)
        return out

    def _given(self, x: Array) -> Array:
        """A mask as bytes, and integers beside floats as floats."""
        if x.dtype == bool:
            return self.xp.asarray(x, order="C").view(np.uint8)
        return self.dense(x if x.dtype.kind == "f" else x.astype(np.float32))


_broadcast = lru_cache(maxsize=1024)(np.broadcast_shapes)


def _narrowed(x: Array) -> Array:
    """x without the repetitions of a broadcast view, whose axes have stride 0."""
    if all(x.strides):
        return x
    return x[tuple(slice(1 if stride == 0 else None) for stride in x.strides)]


@lru_cache(maxsize=1024)
def _layout(
    shape: Shape, shapes: tuple[Shape | None, ...]
) -> tuple[tuple[int, ...], tuple[int, ...]]:
    """The axes of an output, at least four, and each operand's strides along them, one after one.

    Neighbouring axes are made one where every operand runs on from one into the other, or repeats
    along both.
    """
    strides = [_strides(each or (), len(shape)) for each in shapes]
    axes: list[int] = []
    merged: list[tuple[int, ...]] = []  # for each axis: the stride of every operand
    for n, now in zip(shape, zip(*strides, strict=True), strict=True):
        if n == 1:
            continue
        if axes and all(outer == n * inner for outer, inner in zip(merged[-1], now, strict=True)):
            axes[-1], merged[-1] = axes[-1] * n, now
        else:
            axes.append(n)
            merged.append(now)
    missing = max(0, AXES - len(axes))
    axes = [1] * missing + axes
    merged = [(0,) * len(shapes)] * missing + merged
    return tuple(axes), tuple(stride for each in zip(*merged, strict=True) for stride in each)


def _strides(shape: Shape, ndim: int) -> tuple[int, ...]:
    """A contiguous array's strides in elements, 0 along axes of size 1, filled up from the left."""
    strides, step = [], 1
    for n in reversed(shape):
        strides.append(0 if n == 1 else step)
        step *= n
    return (0,) * (ndim - len(shape)) + tuple(reversed(strides))
