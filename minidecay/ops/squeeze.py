from collections.abc import Sequence

from minidecay.devices.protocol import Array
from minidecay.ops.base import Gradients, Op, normal_axes


class Squeeze(Op):
    """x without the axes `axis`, which are of size 1; without all such axes by default"""

    takes_integers = True
    is_view = True

    def __init__(self, axis: int | Sequence[int] | None = None) -> None:
        self.axis = axis

    def check(self, x: Array) -> None:
        axes = () if self.axis is None else normal_axes(self, self.axis, x.ndim)
        if any(x.shape[a] != 1 for a in axes):
            self.fail(f"axis={self.axis} of x {x.shape} is not of size 1; reduce or index it")

    def forward(self, x: Array) -> Array:
        self.x_shape = x.shape
        axes = None if self.axis is None else normal_axes(self, self.axis, x.ndim)
        gone = [n == 1 if axes is None else a in axes for a, n in enumerate(x.shape)]
        return self.device.reshape(
            x, tuple(n for n, go in zip(x.shape, gone, strict=True) if not go)
        )

    def backward(self, gy: Array) -> Gradients:
        return (self.device.reshape(gy, self.x_shape),)
