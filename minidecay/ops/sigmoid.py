from minidecay.devices.protocol import Array
from minidecay.ops.base import Gradients, Op


class Sigmoid(Op):
    """y = 1 / (1 + e ** -x);  dy/dx = y (1 - y)"""

    def forward(self, x: Array) -> Array:
        y = self.device.sigmoid(x)
        self.save(y)
        return y

    def backward(self, gy: Array) -> Gradients:
        (y,) = self.saved
        return (self.device.mul(gy, self.device.mul(y, self.device.sub(1, y))),)
