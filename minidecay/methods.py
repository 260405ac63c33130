"""The methods of a tensor: those that NumPy's arrays or torch's tensors have, each an operation.

Names and arguments are NumPy's where both have it. What a method does, and what it raises, stands
with the function of the same name: `x.sum(0)` is `minidecay.sum(x, 0)`.
"""

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

from minidecay import ops
from minidecay.devices.protocol import Axes
from minidecay.operators import Operators, TensorLike

if TYPE_CHECKING:
    from minidecay.autograd import Tensor


class Methods(Operators):
    """The methods of a tensor, by the names that its users know."""

    __slots__ = ()

    # -- elementwise -----------------------------------------------------------------------------
    def exp(self) -> "Tensor":
        """e ** x."""
        return self._apply(ops.Exp(), self)

    def log(self) -> "Tensor":
        """The natural logarithm."""
        return self._apply(ops.Log(), self)

    def sqrt(self) -> "Tensor":
        """The square root."""
        return self._apply(ops.Sqrt(), self)

    def abs(self) -> "Tensor":
        """|x|."""
        return self._apply(ops.Abs(), self)

    def tanh(self) -> "Tensor":
        """The hyperbolic tangent."""
        return self._apply(ops.Tanh(), self)

    def sigmoid(self) -> "Tensor":
        """1 / (1 + e ** -x)."""
        return self._apply(ops.Sigmoid(), self)

    def relu(self) -> "Tensor":
        """max(x, 0)."""
        return self._apply(ops.Relu(), self)

    def maximum(self, other: TensorLike) -> "Tensor":
        """The larger of x and other."""
        return self._apply(ops.Maximum(), self, other)

    def minimum(self, other: TensorLike) -> "Tensor":
        """The smaller of x and other."""
        return self._apply(ops.Minimum(), self, other)

    def clip(self, min: float | None = None, max: float | None = None) -> "Tensor":
        """x from `min` to `max`, the nearer of them outside."""
        return self._apply(ops.Clip(min, max), self)

    # -- reductions over `axis`, all by default --------------------------------------------------
    def sum(self, axis: Axes = None, keepdims: bool = False) -> "Tensor":
        """The sum over `axis`."""
        return self._apply(ops.Sum(axis, keepdims), self)

    def mean(self, axis: Axes = None, keepdims: bool = False) -> "Tensor":
        """The mean over `axis`."""
        return self._apply(ops.Mean(axis, keepdims), self)

    def prod(self, axis: Axes = None, keepdims: bool = False) -> "Tensor":
        """The product over `axis`."""
        return self._apply(ops.Prod(axis, keepdims), self)

    def max(self, axis: Axes = None, keepdims: bool = False) -> "Tensor":
        """The maximum over `axis`."""
        return self._apply(ops.Max(axis, keepdims), self)

    def min(self, axis: Axes = None, keepdims: bool = False) -> "Tensor":
        """The minimum over `axis`."""
        return self._apply(ops.Min(axis, keepdims), self)

    def argmax(self, axis: int | None = None, keepdims: bool = False) -> "Tensor":
        """The first place of the maximum along `axis`, int64."""
        return self._apply(ops.Argmax(axis, keepdims), self)

    def argmin(self, axis: int | None = None, keepdims: bool = False) -> "Tensor":
        """The first place of the minimum along `axis`, int64."""
        return self._apply(ops.Argmin(axis, keepdims), self)

    def var(self, axis: Axes = None, keepdims: bool = False, ddof: int = 0) -> "Tensor":
        """The variance over `axis`, n - ddof in its divisor."""
        return self._apply(ops.Var(axis, keepdims, ddof), self)

    def std(self, axis: Axes = None, keepdims: bool = False, ddof: int = 0) -> "Tensor":
        """The standard deviation over `axis`, n - ddof in its divisor."""
        return self._apply(ops.Std(axis, keepdims, ddof), self)

    def logsumexp(self, axis: Axes = None, keepdims: bool = False) -> "Tensor":
        """log(sum(e ** x)) over `axis`."""
        return self._apply(ops.Logsumexp(axis, keepdims), self)

    def softmax(self, axis: int = -1) -> "Tensor":
        """e ** x / sum(e ** x) along `axis`."""
        return self._apply(ops.Softmax(axis), self)

    def log_softmax(self, axis: int = -1) -> "Tensor":
        """x - log(sum(e ** x)) along `axis`."""
        return self._apply(ops.LogSoftmax(axis), self)

    # -- shape -----------------------------------------------------------------------------------
    @property
    def T(self) -> "Tensor":  # noqa: N802 (NumPy's name)
        """The axes in reverse order."""
        return self._apply(ops.Transpose(), self)

    def reshape(self, *shape: Any) -> "Tensor":
        """The same elements in another shape: `x.reshape(2, -1)` or `x.reshape((2, -1))`."""
        return self._apply(ops.Reshape(_one_sequence(shape)), self)

    def transpose(self, *axes: Any) -> "Tensor":
        """The axes in another order, reversed where none is given, as NumPy's `transpose`."""
        return self._apply(ops.Transpose(_one_sequence(axes) or None), self)

    def squeeze(self, axis: Axes = None) -> "Tensor":
        """x without the axes `axis`, or without any of size 1."""
        return self._apply(ops.Squeeze(axis), self)

    def unsqueeze(self, axis: int | Sequence[int]) -> "Tensor":
        """x with a new axis of size 1 at `axis` of the result."""
        return self._apply(ops.Unsqueeze(axis), self)

    def expand(self, *shape: Any) -> "Tensor":
        """x repeated along axes of size 1: `x.expand(-1, 3)` or `x.expand((-1, 3))`."""
        return self._apply(ops.Expand(_one_sequence(shape)), self)

    def flip(self, axis: Axes = None) -> "Tensor":
        """x in reverse order along `axis`, along all axes by default."""
        return self._apply(ops.Flip(axis), self)

    def split(self, size: int | Sequence[int], axis: int = 0) -> "list[Tensor]":
        """x cut along `axis` into pieces of `size` each, or of such sizes."""
        pieces = ops.Split.pieces(self.shape, size, axis)
        return [self._apply(piece, self) for piece in pieces]

    def astype(self, dtype: Any) -> "Tensor":
        """The same values in another dtype; gradients come back in this one's."""
        return self._apply(ops.Astype(dtype), self)


def _one_sequence(values: tuple[Any, ...]) -> tuple[Any, ...]:
    """`f(2, 3)` and `f((2, 3))` alike."""
    if len(values) == 1 and isinstance(values[0], tuple | list):
        return tuple(values[0])
    return values
