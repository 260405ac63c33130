"""Numbers that kernels read from device memory, since they change from step to step."""

import math
from typing import Any

import numpy as np

from minidecay.devices.protocol import Array

__all__ = ["Numbers"]

MOST = 64  # names


class Numbers:
    """Arrays of one element, each with a name and the number that was last written into it.

    What is passed to a kernel by value is baked into a captured step; what it reads from memory can
    change between replays. A device has its numbers in `device.numbers`, for the launches of eager
    steps. Whoever captures a step puts numbers of its own there while it does, and writes the next
    step's into them before each replay.

    A number is written only where its value changed. The write is ordered among the launches of the
    current stream and waits for nothing. All lie in one array, which is there before the first step
    is, so that no step leaves one behind among the memory that it gives back.

    Args:
        xp: the array library, NumPy or CuPy.

    >>> numbers = Numbers(np)
    >>> rate = numbers.array("lr", 0.5, np.float32)
    >>> rate is numbers.array("lr", 0.25, np.float32), rate
    (True, array([0.25], dtype=float32))
    """

    def __init__(self, xp: Any) -> None:
        self._xp = xp
        self._places = xp.zeros(MOST, np.uint64)
        self._held: dict[str, tuple[Array, float]] = {}

    def array(self, name: str, value: float, dtype: Any) -> Array:
        """The array called `name`, (1,) of `dtype`, which holds `value` now."""
        if name not in self._held:
            place = len(self._held)
            if place == MOST:
                raise RuntimeError(f"{MOST} numbers have a name already; {name!r} is one too many")
            array = self._places[place : place + 1].view(dtype)[:1]
            self._held[name] = array, math.nan  # nothing equals it: it is written now
        array, written = self._held[name]
        if value != written:
            self._write(array, np.array([value], dtype))
            self._held[name] = array, value
        return array

    def _write(self, array: Array, value: np.ndarray) -> None:
        if isinstance(array, np.ndarray):
            array[...] = value
        else:
            array.set(value)  # CuPy: copied by the stream, with no kernel of the library's
