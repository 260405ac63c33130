from collections.abc import Sequence

from minidecay.devices.protocol import Array
from minidecay.ops.base import Gradients, Op, normal_axes


class Transpose(Op):
    """Axis i of y is axis axes[i] of x; without axes their order is reversed, as in NumPy"""

    takes_integers = True
    is_view = True

    def __init__(self, axes: Sequence[int] | None = None) -> None:
        self.axes = axes

    def check(self, x: Array) -> None:
        if self.axes is not None and len(normal_axes(self, tuple(self.axes), x.ndim)) != x.ndim:
            self.fail(f"axes={tuple(self.axes)} must name each of the {x.ndim} axes of {x.shape}")

    def forward(self, x: Array) -> Array:
        self.order = normal_axes(self, self.axes or tuple(reversed(range(x.ndim))), x.ndim)
        return self.device.transpose(x, self.order)

    def backward(self, gy: Array) -> Gradients:
        inverse = sorted(range(len(self.order)), key=self.order.__getitem__)
        return (self.device.transpose(gy, inverse),)
