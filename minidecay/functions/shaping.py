"""Functions that move elements and compute nothing."""

from collections.abc import Iterable, Sequence
from typing import Any

import numpy as np

from minidecay import ops
from minidecay.autograd import Tensor, apply
from minidecay.devices.protocol import Axes
from minidecay.operators import plain_index

__all__ = [
    "concatenate", "expand", "flip", "getitem", "pad", "reshape", "split", "squeeze", "stack",
    "transpose", "unsqueeze",
]  # fmt: skip


def reshape(x: Tensor, shape: Sequence[int]) -> Tensor:
    """The same elements in another shape; one size may be -1.

    >>> md.reshape(md.tensor([1, 2, 3, 4]), (2, -1))
    tensor([[1., 2.],
            [3., 4.]])
    """
    return apply(ops.Reshape(tuple(shape)), x)


def transpose(x: Tensor, axes: Sequence[int] | None = None) -> Tensor:
    """The axes in the order `axes`, reversed by default.

    >>> md.transpose(md.tensor(np.zeros((2, 3, 4))), (2, 0, 1)).shape
    (4, 2, 3)
    """
    return apply(ops.Transpose(axes), x)


def squeeze(x: Tensor, axis: Axes = None) -> Tensor:
    """x without the axes `axis`, or by default without any axis of size 1.

    Raises:
        ValueError: one of them is not of size 1, as NumPy's and unlike torch's.

    >>> md.squeeze(md.tensor([[[1, 2]]]), axis=0).shape
    (1, 2)
    """
    return apply(ops.Squeeze(axis), x)


def unsqueeze(x: Tensor, axis: int | Sequence[int]) -> Tensor:
    """x with a new axis of size 1 at `axis` of the result; NumPy calls it expand_dims.

    >>> md.unsqueeze(md.tensor([1, 2]), -1).shape
    (2, 1)
    """
    return apply(ops.Unsqueeze(axis), x)


def expand(x: Tensor, shape: Sequence[int]) -> Tensor:
    """x repeated along axes of size 1 and along new axes in front; -1 keeps a size.

    Nothing is copied. NumPy calls it broadcast_to.

    >>> md.expand(md.tensor([[1], [2]]), (-1, 3))
    tensor([[1., 1., 1.],
            [2., 2., 2.]])
    """
    return apply(ops.Expand(tuple(shape)), x)


def flip(x: Tensor, axis: Axes = None) -> Tensor:
    """x in reverse order along `axis`, along all axes by default.

    >>> md.flip(md.tensor([[1, 2], [3, 4]]), axis=1)
    tensor([[2., 1.],
            [4., 3.]])
    """
    return apply(ops.Flip(axis), x)


def pad(x: Tensor, pad_width: Any, value: float = 0.0) -> Tensor:
    """x with `value` put before and after it along its axes.

    Args:
        pad_width: as NumPy's: how many for all sides, (before, after) for all axes, or such a pair
            for each axis in order (unlike torch's, which begins with the last).

    >>> md.pad(md.tensor([[1, 2]]), ((0, 1), (2, 0)))
    tensor([[0., 0., 1., 2.],
            [0., 0., 0., 0.]])
    """
    return apply(ops.Pad(pad_width, value), x)


def getitem(x: Tensor, index: Any) -> Tensor:
    """x[index], by NumPy's rules: integers, slices, boolean masks, integer arrays.

    >>> md.getitem(md.tensor([[1, 2], [3, 4]]), (slice(None), 1))
    tensor([2., 4.])
    """
    return apply(ops.Getitem(plain_index(index)), x)


def split(x: Tensor, size: int | Sequence[int], axis: int = 0) -> list[Tensor]:
    """x cut along `axis` into pieces of `size` each (the last may be shorter), or of such sizes.

    As torch's; NumPy's is told the number of pieces instead, or where to cut.

    >>> [piece.shape for piece in md.split(md.tensor(np.zeros((5, 2))), 2)]
    [(2, 2), (2, 2), (1, 2)]
    """
    return [apply(piece, x) for piece in ops.Split.pieces(np.shape(x), size, axis)]


def concatenate(tensors: Sequence[Tensor], axis: int = 0) -> Tensor:
    """The tensors one after the other along `axis`; their other sizes agree.

    >>> md.concatenate([md.tensor([1]), md.tensor([2, 3])])
    tensor([1., 2., 3.])
    """
    return apply(ops.Concatenate(axis), *_several("concatenate", tensors))


def stack(tensors: Sequence[Tensor], axis: int = 0) -> Tensor:
    """The tensors, all of one shape, along a new axis.

    >>> md.stack([md.tensor([1, 2]), md.tensor([3, 4])], axis=1)
    tensor([[1., 3.],
            [2., 4.]])
    """
    return apply(ops.Stack(axis), *_several("stack", tensors))


def _several(name: str, tensors: Iterable[Tensor]) -> list[Tensor]:
    try:
        return list(tensors)
    except TypeError:
        kind = type(tensors).__name__
        raise TypeError(f"{name}: tensors is of type {kind}; give a list of them, [x, y]") from None
