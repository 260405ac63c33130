"""Tensors on the memory of another library's arrays. The other way is the Tensor's own."""

from typing import Any

import numpy as np

from minidecay.autograd import Tensor
from minidecay.devices import device as find_device

_CPU, _CUDA = 1, 2  # DLPack's numbers of devices


def from_dlpack(x: Any) -> Tensor:
    """A tensor that shares the memory of `x`, an array of any library that speaks DLPack.

    Memory of the CPU makes a tensor on `cpu`, that of an NVIDIA GPU one on `cuda`. Strides and
    dtype stay; writing into either is seen in both, and not noticed by a graph that has read it
    (`tensor(x)` makes a copy that is safe from it). `numpy.from_dlpack(tensor)` and
    `torch.from_dlpack(tensor)` are the way back, for tensors that require no gradient.

    Raises:
        TypeError: `x` has no `__dlpack__`, or holds no real numbers that NumPy has a dtype for.
        BufferError: `x` cannot be exported: it requires a gradient, is sparse, is of another byte
            order.
        ValueError: it lies on another kind of device.
        RuntimeError: it lies on a GPU, and CuPy is missing.

    >>> array = np.arange(6, dtype=np.float32).reshape(2, 3)
    >>> x = from_dlpack(array.T)
    >>> array[0, 1] = 9
    >>> x
    tensor([[0., 3.],
            [9., 4.],
            [2., 5.]])
    """
    if not hasattr(x, "__dlpack__") or not hasattr(x, "__dlpack_device__"):
        raise TypeError(f"from_dlpack: {type(x).__name__} has no __dlpack__; use tensor(...)")
    kind = int(x.__dlpack_device__()[0])
    if kind not in (_CPU, _CUDA):
        raise ValueError(f"from_dlpack: memory of DLPack's device {kind}; move it to the CPU first")
    where = find_device("cpu" if kind == _CPU else "cuda")
    library: Any = np if kind == _CPU else where.xp  # type: ignore[attr-defined]
    try:
        array = library.from_dlpack(x)
    except RuntimeError as error:
        if kind != _CPU:
            raise
        # What NumPy raises for a dtype that it lacks, such as bfloat16.
        raise TypeError(f"from_dlpack: {error} Convert it to float32 first.") from error
    if array.dtype.kind not in "biuf":
        raise TypeError(f"from_dlpack: {array.dtype} values are no real numbers")
    return Tensor(array, where)
