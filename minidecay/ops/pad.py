from typing import Any

import numpy as np

from minidecay.devices.protocol import Array
from minidecay.ops.base import Gradients, Op, is_number


class Pad(Op):
    """x with `value` before and after it along its axes; the gradient is what lies within

    The widths are one integer for all, (before, after) for all axes, or such a pair for each.
    """

    takes_integers = True

    def __init__(self, pad_width: Any, value: float = 0.0) -> None:
        if not is_number(value):
            self.fail(f"value={value!r} must be a number")
        self.pad_width, self.value = pad_width, value

    def check(self, x: Array) -> None:
        self._widths(x)
        if x.dtype.kind != "f" and int(self.value) != self.value:
            self.fail(f"value={self.value} must be an integer for {x.dtype} values")

    def forward(self, x: Array) -> Array:
        device, widths = self.device, self._widths(x)
        sizes = list(zip(x.shape, widths, strict=True))
        y = device.zeros(tuple(before + n + after for n, (before, after) in sizes), x.dtype)
        self.within = tuple(slice(before, before + n) for n, (before, _) in sizes)
        if self.value != 0:
            device.setitem(y, ..., self.value)
        device.setitem(y, self.within, x)
        return y

    def backward(self, gy: Array) -> Gradients:
        return (self.device.getitem(gy, self.within),)

    def _widths(self, x: Array) -> list[tuple[int, int]]:
        try:
            widths = np.asarray(self.pad_width)
            pairs = np.broadcast_to(widths, (x.ndim, 2))
        except ValueError:
            widths, pairs = np.array(0.5), np.array(())
        if widths.dtype.kind not in "iu" or (pairs < 0).any():
            self.fail(
                f"pad_width={self.pad_width!r} for x {x.shape} must be an integer of at least 0, "
                f"two (before, after), or {x.ndim} such pairs"
            )
        return [(int(before), int(after)) for before, after in pairs]
