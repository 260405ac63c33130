"""Reductions over `axis`: an int, a tuple, or None for all."""

from minidecay import ops
from minidecay.autograd import Tensor, apply
from minidecay.devices.protocol import Axes

__all__ = ["argmax", "argmin", "logsumexp", "max", "mean", "min", "prod", "std", "sum", "var"]


def sum(x: Tensor, axis: Axes = None, keepdims: bool = False) -> Tensor:
    """The sum over `axis`.

    >>> md.sum(md.tensor([[1, 2], [3, 4]]), axis=0)
    tensor([4., 6.])
    """
    return apply(ops.Sum(axis, keepdims), x)


def mean(x: Tensor, axis: Axes = None, keepdims: bool = False) -> Tensor:
    """The mean over `axis`.

    >>> md.mean(md.tensor([[1, 2], [3, 4]]), axis=1)
    tensor([1.5, 3.5])
    """
    return apply(ops.Mean(axis, keepdims), x)


def prod(x: Tensor, axis: Axes = None, keepdims: bool = False) -> Tensor:
    """The product over `axis`; its gradient is right also where factors are 0.

    >>> md.prod(md.tensor([[1, 2], [3, 4]]), axis=1)
    tensor([ 2., 12.])
    """
    return apply(ops.Prod(axis, keepdims), x)


def max(x: Tensor, axis: Axes = None, keepdims: bool = False) -> Tensor:
    """The maximum over `axis`; elements that share it share its gradient evenly.

    >>> md.max(md.tensor([[1, 2], [3, 4]]), axis=1)
    tensor([2., 4.])
    """
    return apply(ops.Max(axis, keepdims), x)


def min(x: Tensor, axis: Axes = None, keepdims: bool = False) -> Tensor:
    """The minimum over `axis`; elements that share it share its gradient evenly.

    >>> md.min(md.tensor([[1, 2], [3, 4]]), axis=1)
    tensor([1., 3.])
    """
    return apply(ops.Min(axis, keepdims), x)


def argmax(x: Tensor, axis: int | None = None, keepdims: bool = False) -> Tensor:
    """The first place of the maximum along `axis` (of x laid out flat by default), int64.

    A NaN counts as the maximum, as NumPy's and torch's.

    >>> md.argmax(md.tensor([[1, 5], [3, 0]]), axis=1)
    tensor([1, 0])
    """
    return apply(ops.Argmax(axis, keepdims), x)


def argmin(x: Tensor, axis: int | None = None, keepdims: bool = False) -> Tensor:
    """The first place of the minimum along `axis` (of x laid out flat by default), int64.

    A NaN counts as the minimum, as NumPy's and torch's.

    >>> md.argmin(md.tensor([[1, 5], [3, 0]]))
    tensor(3)
    """
    return apply(ops.Argmin(axis, keepdims), x)


def var(x: Tensor, axis: Axes = None, keepdims: bool = False, ddof: int = 0) -> Tensor:
    """The variance over `axis`: the squared deviations' sum over n - ddof, as NumPy's.

    >>> md.var(md.tensor([1, 2, 3, 4]))
    tensor(1.25)
    """
    return apply(ops.Var(axis, keepdims, ddof), x)


def std(x: Tensor, axis: Axes = None, keepdims: bool = False, ddof: int = 0) -> Tensor:
    """The standard deviation over `axis`, sqrt(var), as NumPy's; where it is 0 so is its gradient.

    >>> md.std(md.tensor([1, 3]), ddof=1)
    tensor(1.4142)
    """
    return apply(ops.Std(axis, keepdims, ddof), x)


def logsumexp(x: Tensor, axis: Axes = None, keepdims: bool = False) -> Tensor:
    """log(sum(e ** x)) over `axis`; no size of x, nor an infinite one, overflows.

    >>> md.logsumexp(md.tensor([1000, 1000, -np.inf]))
    tensor(1000.6932)
    """
    return apply(ops.Logsumexp(axis, keepdims), x)
