from collections.abc import Sequence

from minidecay.devices.protocol import Array
from minidecay.ops.base import Gradients, Op, normal_axes, reduced_shape


class Sum(Op):
    """y = sum of x over `axis`; every element gets the gradient of its sum"""

    takes_integers = True

    def __init__(self, axis: int | Sequence[int] | None = None, keepdims: bool = False) -> None:
        self.axis, self.keepdims = axis, keepdims

    def check(self, x: Array) -> None:
        normal_axes(self, self.axis, x.ndim)

    def forward(self, x: Array) -> Array:
        self.axes, self.x_shape = normal_axes(self, self.axis, x.ndim), x.shape
        return self.device.sum(x, self.axes, self.keepdims)

    def backward(self, gy: Array) -> Gradients:
        kept = reduced_shape(self.x_shape, self.axes)
        return (self.device.broadcast_to(self.device.reshape(gy, kept), self.x_shape),)
