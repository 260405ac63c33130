"""What every operation is: a check, a forward and a backward over a device's arrays.

An operation is made for one application (`Conv2d(stride=2)`), told its device, and used once. What
its backward will read, forward hands to `save`, so that the engine can tell when it went stale.
"""

import math
import re
from collections.abc import Sequence
from numbers import Real
from operator import index
from typing import Any, ClassVar, NoReturn

import numpy as np

from minidecay.devices.protocol import Array, Device, Pair, Shape

Operand = Any  # an Array, a Python number, or None for an optional input that was left out
Gradients = Sequence[Array | None]


class Op:
    """One application of an operation; subclasses give `forward` and `backward`."""

    device: Device
    needs: Sequence[bool]  # for each input: is its gradient wanted? May be skipped where not.
    homes: Sequence[Array | None]  # for each input: where its gradient may be written, if anywhere
    saved: tuple[Any, ...] = ()
    takes_integers: ClassVar[bool] = False  # most operations want floats
    takes_numbers: ClassVar[bool] = False  # and arrays: a Python number has no shape
    takes_none: ClassVar[bool] = False  # may an input be left out?
    is_view: ClassVar[bool] = False  # may the output share memory with the first input?

    name: ClassVar[str]  # of the public function: `Conv2d` is `conv2d`, `BatchNorm` is `batch_norm`

    def __init_subclass__(cls) -> None:
        cls.name = re.sub(r"(?<=[a-z])(?=[A-Z])", "_", cls.__name__).lower()

    def check(self, *operands: Operand) -> None:
        """Raise ValueError, with operation, shapes and mend, where the inputs do not fit."""

    def forward(self, *operands: Operand) -> Array:
        """The output array."""
        raise NotImplementedError

    def backward(self, gy: Array) -> Gradients:
        """The gradient of each input, None for those that have none."""
        raise NotImplementedError

    def save(self, *values: Any) -> None:
        """Keep what backward reads."""
        self.saved = values

    def fail(self, message: str) -> NoReturn:
        raise ValueError(f"{self.name}: {message}")

    def sum_to(self, g: Array, shape: Shape) -> Array:
        """The gradient of a broadcast: g summed over the axes along which `shape` was stretched."""
        if g.shape == shape:
            return g
        extra = len(g.shape) - len(shape)
        stretched = tuple(
            axis for axis, n in enumerate((1,) * extra + shape) if n == 1 and g.shape[axis] != 1
        )
        axes = tuple(range(extra)) + tuple(axis for axis in stretched if axis >= extra)
        return self.device.reshape(self.device.sum(g, axes), shape)


def shape_of(operand: Operand) -> Shape:
    """The shape of an array, () for a Python number."""
    return getattr(operand, "shape", ())


def broadcast_shape(op: Op, *operands: Operand) -> Shape:
    """The common shape by NumPy's rule: sizes from the right are equal or 1.

    Raises:
        ValueError: the shapes do not broadcast.
    """
    shapes = [shape_of(operand) for operand in operands]
    if all(shape == shapes[0] for shape in shapes):
        return shapes[0]
    result: list[int] = []
    for from_right in range(1, max(map(len, shapes)) + 1):
        sizes = {shape[-from_right] for shape in shapes if from_right <= len(shape)} - {1}
        if len(sizes) > 1:
            listed = " and ".join(str(shape) for shape in shapes)
            op.fail(
                f"shapes {listed} do not broadcast: axis -{from_right} has sizes "
                f"{sorted(sizes)}; make them equal or 1 (reshape)"
            )
        result.append(sizes.pop() if sizes else 1)
    return tuple(reversed(result))


def pair(op: Op, value: Any, what: str, least: int) -> Pair:
    """(height, width) from one integer or two."""
    two = tuple(value) if isinstance(value, tuple | list) else (value, value)
    whole = [int(n) for n in two if isinstance(n, int | np.integer) and not isinstance(n, bool)]
    if len(two) != 2 or len(whole) != 2 or min(whole) < least:
        op.fail(f"{what}={value!r} must be an integer of at least {least}, or two of them")
    return whole[0], whole[1]


def normal_axes(op: Op, axis: int | Sequence[int] | None, ndim: int) -> tuple[int, ...]:
    """`axis` as a tuple of non-negative axes; None means all.

    Raises:
        ValueError: an axis is out of range or named twice.
        TypeError: an axis is no integer.
    """
    if axis is None:
        return tuple(range(ndim))
    axes = integers(op, f"axis={axis!r}", axis if isinstance(axis, Sequence) else (axis,))
    if any(not -ndim <= a < ndim for a in axes):
        op.fail(f"axis={axis} is out of range for {ndim} dimensions; use -{ndim} to {ndim - 1}")
    normal = tuple(a % ndim for a in axes)
    if len(set(normal)) < len(normal):
        op.fail(f"axis={axis} names an axis twice; name each once")
    return normal


def integers(op: Op, what: str, values: Sequence[Any]) -> tuple[int, ...]:
    """`values` as Python's integers; `what` names them.

    Raises:
        TypeError: one is no integer.
    """
    try:
        return tuple(index(value) for value in values)
    except TypeError:
        raise TypeError(f"{op.name}: {what} must be an integer, or a tuple of them") from None


def reduced_shape(shape: Shape, axes: Sequence[int], keepdims: bool = True) -> Shape:
    """The shape that is left where non-negative `axes` are reduced."""
    return tuple(1 if a in axes else n for a, n in enumerate(shape) if keepdims or a not in axes)


def is_number(value: object) -> bool:
    """Is it a real number? A bool is none, and NaN, as its name says, is none."""
    return not isinstance(value, bool) and isinstance(value, Real) and not math.isnan(value)


def check_eps(op: Op, eps: Any) -> float:
    """`eps`, which is added to a variance, where it is a finite number of at least 0.

    Raises:
        ValueError: it is none.
    """
    if not is_number(eps) or not 0 <= eps < math.inf:
        op.fail(f"eps={eps!r} must be a number of at least 0")
    return float(eps)
