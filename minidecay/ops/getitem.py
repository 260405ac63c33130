from typing import Any

from minidecay.devices.protocol import Array
from minidecay.ops.base import Gradients, Op


class Getitem(Op):
    """y = x[index] as NumPy indexes; an element that was read twice gets both gradients"""

    takes_integers = True
    is_view = True

    def __init__(self, index: Any) -> None:
        self.index = index
        parts = index if isinstance(index, tuple) else (index,)
        basic = (int, slice, type(None), type(Ellipsis))
        self.is_basic = all(isinstance(p, basic) and not isinstance(p, bool) for p in parts)

    def forward(self, x: Array) -> Array:
        self.x_shape = x.shape
        return self.device.getitem(x, self.index)

    def backward(self, gy: Array) -> Gradients:
        gx = self.device.zeros(self.x_shape, gy.dtype)
        write = self.device.setitem if self.is_basic else self.device.add_at
        write(gx, self.index, gy)
        return (gx,)
