from collections.abc import Sequence

from minidecay.devices.protocol import Array
from minidecay.ops.base import Gradients, Op, normal_axes


class Unsqueeze(Op):
    """x with new axes of size 1, which in the result are the axes `axis`"""

    takes_integers = True
    is_view = True

    def __init__(self, axis: int | Sequence[int]) -> None:
        self.axis, self.new = axis, 1 if isinstance(axis, int) else len(axis)

    def check(self, x: Array) -> None:
        normal_axes(self, self.axis, x.ndim + self.new)

    def forward(self, x: Array) -> Array:
        self.x_shape = x.shape
        ndim, sizes = x.ndim + self.new, iter(x.shape)
        new = normal_axes(self, self.axis, ndim)
        return self.device.reshape(x, tuple(1 if a in new else next(sizes) for a in range(ndim)))

    def backward(self, gy: Array) -> Gradients:
        return (self.device.reshape(gy, self.x_shape),)
