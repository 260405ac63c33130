from collections.abc import Sequence

from minidecay.devices.protocol import Array
from minidecay.ops.base import Gradients, Op, normal_axes


class Flip(Op):
    """x in reverse order along `axis`, all axes by default; the gradient is turned back likewise"""

    takes_integers = True
    is_view = True

    def __init__(self, axis: int | Sequence[int] | None = None) -> None:
        self.axis = axis

    def check(self, x: Array) -> None:
        normal_axes(self, self.axis, x.ndim)

    def forward(self, x: Array) -> Array:
        axes = normal_axes(self, self.axis, x.ndim)
        self.index = tuple(slice(None, None, -1 if a in axes else 1) for a in range(x.ndim))
        return self.device.getitem(x, self.index)

    def backward(self, gy: Array) -> Gradients:
        return (self.device.getitem(gy, self.index),)
