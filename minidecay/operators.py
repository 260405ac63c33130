"""What stands between a tensor's operators and the operations: `x + y` is `Add` applied to both."""

from collections.abc import Callable
from typing import TYPE_CHECKING, Any, Self, TypeAlias

import numpy as np

from minidecay import ops
from minidecay.devices import Device
from minidecay.devices.protocol import Array
from minidecay.ops.base import Op

if TYPE_CHECKING:
    from minidecay.autograd import Tensor

TensorLike: TypeAlias = "Tensor | np.ndarray | int | float"


class Operators:
    """The operators of a tensor, over one abstract step: apply an operation."""

    __slots__ = ()
    device: Device
    __array_ufunc__ = None  # so that array + tensor is asked of the tensor

    @property
    def shape(self) -> tuple[int, ...]:
        """The size of each axis."""
        raise NotImplementedError

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
