"""What stands between a tensor's operators and the operations: `x + y` is `Add` applied to both.

Methods are those that NumPy's arrays have, by NumPy's names and arguments.
"""

from collections.abc import Callable
from typing import TYPE_CHECKING, Any, Self, TypeAlias

import numpy as np

from minidecay import ops
from minidecay.devices import Device
from minidecay.devices.protocol import Array, Axes
from minidecay.ops.base import Op

if TYPE_CHECKING:
    from minidecay.autograd import Tensor

TensorLike: TypeAlias = "Tensor | np.ndarray | int | float"


class Operators:
    """The operators and methods of a tensor, over one abstract step: apply an operation."""

    __slots__ = ()
    device: Device
    __array_ufunc__ = None  # so that array + tensor is asked of the tensor

    def _apply(self, op: Op, *operands: Any) -> "Tensor":
        raise NotImplementedError

    def _compare(self, primitive: Callable[[Array, Any], Array], other: TensorLike) -> "Tensor":
        raise NotImplementedError

    def detach(self) -> "Tensor":
        """The same values with no history."""
        raise NotImplementedError

    def __setitem__(self, index: Any, value: TensorLike) -> None:
        raise NotImplementedError

    # -- operators -------------------------------------------------------------------------------
    def __add__(self, other: TensorLike) -> "Tensor":
        return self._apply(ops.Add(), self, other)

    def __radd__(self, other: TensorLike) -> "Tensor":
        return self._apply(ops.Add(), other, self)

    def __sub__(self, other: TensorLike) -> "Tensor":
        return self._apply(ops.Sub(), self, other)

    def __rsub__(self, other: TensorLike) -> "Tensor":
        return self._apply(ops.Sub(), other, self)

    def __mul__(self, other: TensorLike) -> "Tensor":
        return self._apply(ops.Mul(), self, other)

    def __rmul__(self, other: TensorLike) -> "Tensor":
        return self._apply(ops.Mul(), other, self)

    def __truediv__(self, other: TensorLike) -> "Tensor":
        return self._apply(ops.Div(), self, other)

    def __rtruediv__(self, other: TensorLike) -> "Tensor":
        return self._apply(ops.Div(), other, self)

    def __pow__(self, other: TensorLike) -> "Tensor":
        return self._apply(ops.Pow(), self, other)

    def __rpow__(self, other: TensorLike) -> "Tensor":
        return self._apply(ops.Pow(), other, self)

    def __matmul__(self, other: "Tensor | np.ndarray") -> "Tensor":
        return self._apply(ops.Matmul(), self, other)

    def __rmatmul__(self, other: "Tensor | np.ndarray") -> "Tensor":
        return self._apply(ops.Matmul(), other, self)

    def __neg__(self) -> "Tensor":
        return self._apply(ops.Neg(), self)

    def __abs__(self) -> "Tensor":
        return self._apply(ops.Abs(), self)

    def __getitem__(self, index: Any) -> "Tensor":
        return self._apply(ops.Getitem(plain_index(index)), self)

    def __gt__(self, other: Any) -> "Tensor":
        return self._compare(self.device.greater, other)

    def __ge__(self, other: Any) -> "Tensor":
        return self._compare(self.device.greater_equal, other)

    def __lt__(self, other: Any) -> "Tensor":
        return self._compare(self.device.less, other)

    def __le__(self, other: Any) -> "Tensor":
        return self._compare(self.device.less_equal, other)

    def __eq__(self, other: Any) -> "Tensor":  # type: ignore[override]
        return self._compare(self.device.equal, other)

    def __ne__(self, other: Any) -> "Tensor":  # type: ignore[override]
        return self._compare(self.device.not_equal, other)

    __hash__ = object.__hash__

    # -- methods where NumPy has one -------------------------------------------------------------
    @property
    def T(self) -> "Tensor":  # noqa: N802 (NumPy's name)
        """The axes in reverse order."""
        return self._apply(ops.Transpose(), self)

    def sum(self, axis: Axes = None, keepdims: bool = False) -> "Tensor":
        """The sum over `axis` (all by default); see `minidecay.sum`."""
        return self._apply(ops.Sum(axis, keepdims), self)

    def mean(self, axis: Axes = None, keepdims: bool = False) -> "Tensor":
        """The mean over `axis` (all by default); see `minidecay.mean`."""
        return self._apply(ops.Mean(axis, keepdims), self)

    def max(self, axis: Axes = None, keepdims: bool = False) -> "Tensor":
        """The maximum over `axis` (all by default); see `minidecay.max`."""
        return self._apply(ops.Max(axis, keepdims), self)

    def var(self, axis: Axes = None, keepdims: bool = False, ddof: int = 0) -> "Tensor":
        """The variance over `axis` (all by default); see `minidecay.var`."""
        return self._apply(ops.Var(axis, keepdims, ddof), self)

    def reshape(self, *shape: Any) -> "Tensor":
        """The same elements in another shape: `x.reshape(2, -1)` or `x.reshape((2, -1))`."""
        return self._apply(ops.Reshape(_one_sequence(shape)), self)

    def transpose(self, *axes: Any) -> "Tensor":
        """The axes in another order, reversed where none is given, as NumPy's `transpose`."""
        return self._apply(ops.Transpose(_one_sequence(axes) or None), self)

    def astype(self, dtype: Any) -> "Tensor":
        """The same values in another dtype; gradients come back in this one's."""
        return self._apply(ops.Astype(dtype), self)

    # -- in place --------------------------------------------------------------------------------
    def __iadd__(self, other: TensorLike) -> Self:
        self[...] = self.detach() + other
        return self

    def __isub__(self, other: TensorLike) -> Self:
        self[...] = self.detach() - other
        return self

    def __imul__(self, other: TensorLike) -> Self:
        self[...] = self.detach() * other
        return self

    def __itruediv__(self, other: TensorLike) -> Self:
        self[...] = self.detach() / other
        return self


def plain_index(index: Any) -> Any:
    """An index that may hold tensors, as one of NumPy arrays."""
    if isinstance(index, tuple):
        return tuple(plain_index(part) for part in index)
    return np.asarray(index) if isinstance(index, Operators) else index


def _one_sequence(values: tuple[Any, ...]) -> tuple[Any, ...]:
    """`f(2, 3)` and `f((2, 3))` alike."""
    if len(values) == 1 and isinstance(values[0], tuple | list):
        return tuple(values[0])
    return values
