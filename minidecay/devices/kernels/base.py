"""What every family of primitives stands on: arrays of one library, and launching a kernel."""

from functools import cache
from typing import Any

import numpy as np

from minidecay.cuda.expressions import cdiv
from minidecay.cuda.launching import Module, load
from minidecay.devices.kernels.numbers import Numbers
from minidecay.devices.protocol import Array, Shape

BLOCKS = 512  # that fill a GPU
SHARE = 2048  # numbers that are worth a block


def columns_and_parts(length: int, inner: int, outer: int = 1) -> tuple[int, int]:
    """How the kernels that reduce an array (outer, length, inner) along `length` share it out.

    Returns:
        a block's columns, and into how many parts `length` is cut: as `kernels/common/columns.cuh`
        and `share.cuh` have it, so that the blocks fill a GPU also where there are few columns.
    """
    columns = next(n for n in (1, 4, 8, 16, 32) if n >= min(inner, 32))
    across = max(1, outer * cdiv(inner, columns))
    return columns, max(1, min(BLOCKS // across, cdiv(length * columns, SHARE)))


class Launching:
    """A device's array library and its kernels.

    Args:
        name: "emulated" or "cuda".
        xp: NumPy or CuPy, for what is bookkeeping: making, copying and indexing arrays, and
            integers and booleans. What computes with floats is a kernel of ours.

    Attributes:
        numbers: the numbers in device memory that launches read, such as the learning rate.
    """

    def __init__(self, name: str, xp: Any) -> None:
        self.name, self.xp = name, xp
        self.numbers = Numbers(xp)
        self._module = cache(self._load)  # a launch should not read files

    def _load(self, file: str, **options: Any) -> Module:
        return load(file, device=self.name, **options)

    def launch(self, file: str, kernel: str, *arguments: Any, **options: Any) -> None:
        """Launch `kernel` of kernels/`file`.cu under the given options.

        A flag, True or False, is 1 or the file's default.
        """
        given = {
            name: 1 if value is True else value
            for name, value in options.items()
            if value is not False
        }
        self._module(file, **given).launch(kernel, arguments)

    def empty(self, shape: Shape) -> Array:
        return self.xp.empty(shape, np.float32)

    def dense(self, x: Array | None) -> Array | None:
        """x as the kernels take it, float32 and C-contiguous; None stays. Other floats raise."""
        if x is None:
            return None
        if x.dtype == np.float32 and x.flags.c_contiguous and isinstance(x, self.xp.ndarray):
            return x
        self.check_dtype(x.dtype)
        return self.xp.asarray(x, np.float32, order="C")

    def check_dtype(self, dtype: Any) -> None:
        """Raise TypeError for floats that are not float32."""
        dtype = np.dtype(dtype)
        if dtype.kind == "f" and dtype != np.float32:
            raise TypeError(
                f"{self.name}: {dtype} values, but the kernels compute in float32; "
                "use astype('float32'), or the device cpu"
            )
