from collections.abc import Sequence

from minidecay.devices.protocol import Array
from minidecay.ops.base import Gradients, Op, normal_axes, reduced_shape


class Logsumexp(Op):
    """y = log sum e ** x over `axis` = m + log sum e ** (x - m), m = max x;  dy/dx = e ** (x - y)

    Where m is infinite y is m, and the elements that equal it share the gradient evenly.
    """

    def __init__(self, axis: int | Sequence[int] | None = None, keepdims: bool = False) -> None:
        self.axis, self.keepdims = axis, keepdims

    def check(self, x: Array) -> None:
        if any(x.shape[a] == 0 for a in normal_axes(self, self.axis, x.ndim)):
            self.fail(f"an axis of shape {x.shape} is empty and has nothing to sum")

    def forward(self, x: Array) -> Array:
        device, axes = self.device, normal_axes(self, self.axis, x.ndim)
        top = device.max(x, axes, True)
        # At the maximum the difference is 0 by decree: infinity less infinity would be no number.
        is_top = device.equal(x, top)
        shifted = device.sub(device.where(is_top, 0.0, x), device.where(is_top, 0.0, top))
        powers = device.exp(shifted)
        total = device.sum(powers, axes, True)
        self.save(device.div(powers, total))
        self.kept = total.shape
        y = device.add(device.log(total), top)
        return device.reshape(y, reduced_shape(x.shape, axes, self.keepdims))

    def backward(self, gy: Array) -> Gradients:
        (shares,) = self.saved
        return (self.device.mul(shares, self.device.reshape(gy, self.kept)),)
