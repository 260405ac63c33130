from collections.abc import Sequence

from minidecay.devices.protocol import Array
from minidecay.ops.base import Gradients, Op, is_number, normal_axes, reduced_shape


class Var(Op):
    """y = sum over `axis` of (x - mean)^2 / (n - ddof);  dy/dx = 2 (x - mean) / (n - ddof)"""

    def __init__(
        self, axis: int | Sequence[int] | None = None, keepdims: bool = False, ddof: int = 0
    ) -> None:
        if not is_number(ddof):
            self.fail(f"ddof={ddof!r} must be a number, such as 0 or 1")
        self.axis, self.keepdims, self.ddof = axis, keepdims, ddof

    def check(self, x: Array) -> None:
        count = self._count(x)
        if count - self.ddof <= 0:
            self.fail(f"{count} values of shape {x.shape} have no variance with ddof={self.ddof}")

    def forward(self, x: Array) -> Array:
        device = self.device
        self.axes = normal_axes(self, self.axis, x.ndim)
        mean = device.div(device.sum(x, self.axes, True), self._count(x))
        centred = device.sub(x, mean)
        self.divisor = self._count(x) - self.ddof
        self.save(centred)
        squares = device.sum(device.mul(centred, centred), self.axes, self.keepdims)
        return device.div(squares, self.divisor)

    def backward(self, gy: Array) -> Gradients:
        device, centred = self.device, self.saved[0]
        kept = reduced_shape(centred.shape, self.axes)
        scaled = device.mul(device.reshape(gy, kept), 2 / self.divisor)
        return (device.mul(centred, scaled),)

    def _count(self, x: Array) -> int:
        count = 1
        for axis in normal_axes(self, self.axis, x.ndim):
            count *= x.shape[axis]
        return count
