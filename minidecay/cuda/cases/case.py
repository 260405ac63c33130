"""A case: one launch of one kernel on given arrays, and what it must leave in them."""

from dataclasses import dataclass, field

import numpy as np

from minidecay.cuda.expressions import cdiv

__all__ = ["Case", "copied", "misaligned", "shares", "unwritten"]


@dataclass(frozen=True)
class Case:
    """One launch of one kernel, and the arrays that must come of it.

    Attributes:
        kernel: the name of the `__global__` function.
        label: what is particular here, such as "33x65x1, A transposed, bias".
        arguments: in the order of the prototype. Outputs come filled with NaN, so that an element
            nobody writes is seen.
        expected: a parameter's name -> its whole array after the launch, computed by NumPy.
        defines: the kernel's options (`-DRELU=1`).
        rtol, atol: how near is near enough, |got - expected| <= atol + rtol |expected|; integers
            are compared exactly.
    """

    kernel: str
    label: str
    arguments: tuple[np.ndarray | int | float | None, ...]
    expected: dict[str, np.ndarray]
    defines: dict[str, int | str] = field(default_factory=dict)
    rtol: float = 1e-5
    atol: float = 1e-5


def unwritten(*shape: int) -> np.ndarray:
    """An output before the launch: NaN, so that an element nobody writes is seen."""
    return np.full(shape, np.nan, np.float32)


def shares(length: int, parts: int) -> list[slice]:
    """How the kernels cut `length` things into parts, cdiv(length, parts) each while they last.

    As `share_of` in kernels/common/share.cuh.
    """
    size = cdiv(length, parts)
    return [slice(min(length, part * size), (part + 1) * size) for part in range(parts)]


def copied(array: np.ndarray) -> np.ndarray:
    """A copy that is aligned as the array is: it begins as far from a multiple of 16 bytes."""
    return _copied_to(array, array.ctypes.data)


def misaligned(array: np.ndarray) -> np.ndarray:
    """A copy that no float4 can be read from: it begins 4 bytes after a multiple of 16."""
    return _copied_to(array, 4)


def _copied_to(array: np.ndarray, address: int) -> np.ndarray:
    memory = np.empty(array.nbytes + 16, np.uint8)
    start = (address - memory.ctypes.data) % 16
    copy = memory[start : start + array.nbytes].view(array.dtype).reshape(array.shape)
    copy[...] = array
    return copy
