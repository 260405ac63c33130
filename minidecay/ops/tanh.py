from minidecay.devices.protocol import Array
from minidecay.ops.base import Gradients, Op


class Tanh(Op):
    """y = tanh x;  dy/dx = 1 - y^2"""

    def forward(self, x: Array) -> Array:
        y = self.device.tanh(x)
        self.save(y)
        return y

    def backward(self, gy: Array) -> Gradients:
        (y,) = self.saved
        return (self.device.mul(gy, self.device.sub(1, self.device.mul(y, y))),)
