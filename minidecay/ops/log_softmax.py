from minidecay.devices.protocol import Array
from minidecay.ops.base import Gradients, Op, normal_axes


class LogSoftmax(Op):
    """y = x - log sum exp x along `axis`;  gx = gy - e ** y sum gy"""

    def __init__(self, axis: int = -1) -> None:
        self.axis = axis

    def check(self, x: Array) -> None:
        if x.ndim == 0 or x.shape[normal_axes(self, self.axis, x.ndim)[0]] == 0:
            self.fail(f"x {x.shape} must have classes along its axis {self.axis}")

    def forward(self, x: Array) -> Array:
        y = self._last(self.device.log_softmax(self._last(x)))
        self.save(y)
        return y

    def backward(self, gy: Array) -> Gradients:
        (y,) = self.saved
        return (self._last(self.device.log_softmax_grad(self._last(gy), self._last(y))),)

    def _last(self, x: Array) -> Array:
        """x with `axis` and the last axis exchanged, there and back."""
        (axis,), last = normal_axes(self, self.axis, x.ndim), x.ndim - 1
        if axis == last:
            return x
        order = [last if a == axis else axis if a == last else a for a in range(x.ndim)]
        return self.device.transpose(x, order)
