from collections.abc import Sequence

from minidecay.devices.protocol import Array
from minidecay.ops.base import Gradients, Op, normal_axes, reduced_shape


class Max(Op):
    """y = max of x over `axis`; elements that share the maximum share its gradient evenly"""

    takes_integers = True

    def __init__(self, axis: int | Sequence[int] | None = None, keepdims: bool = False) -> None:
        self.axis, self.keepdims = axis, keepdims

    def check(self, x: Array) -> None:
        if any(x.shape[a] == 0 for a in normal_axes(self, self.axis, x.ndim)):
            self.fail(f"an axis of shape {x.shape} is empty and has no {self.name}")

    def forward(self, x: Array) -> Array:
        self.axes = normal_axes(self, self.axis, x.ndim)
        y = self.device.max(x, self.axes, self.keepdims)
        self.save(x, y)
        return y

    def backward(self, gy: Array) -> Gradients:
        device, (x, y) = self.device, self.saved
        kept = reduced_shape(x.shape, self.axes)
        hit = device.astype(device.equal(x, device.reshape(y, kept)), x.dtype)
        share = device.div(device.reshape(gy, kept), device.sum(hit, self.axes, True))
        return (device.mul(hit, share),)
