from minidecay.devices.protocol import Array
from minidecay.ops.base import Gradients, Op, normal_axes


class Softmax(Op):
    """y = e ** x / sum e ** x along `axis`;  gx = y (gy - sum gy y)"""

    def __init__(self, axis: int = -1) -> None:
        self.axis = axis

    def check(self, x: Array) -> None:
        (axis,) = normal_axes(self, self.axis, x.ndim)
        if x.shape[axis] == 0:
            self.fail(f"x {x.shape} must have classes along its axis {self.axis}")

    def forward(self, x: Array) -> Array:
        device = self.device
        powers = device.exp(device.sub(x, device.max(x, self.axis, True)))
        y = device.div(powers, device.sum(powers, self.axis, True))
        self.save(y)
        return y

    def backward(self, gy: Array) -> Gradients:
        device, (y,) = self.device, self.saved
        mean = device.sum(device.mul(gy, y), self.axis, True)
        return (device.mul(y, device.sub(gy, mean)),)
