from minidecay.devices.protocol import Array
from minidecay.ops.base import Gradients, Op


class Sqrt(Op):
    """y = sqrt x;  dy/dx = 1 / (2 y)"""

    def forward(self, x: Array) -> Array:
        y = self.device.sqrt(x)
        self.save(y)
        return y

    def backward(self, gy: Array) -> Gradients:
        (y,) = self.saved
        return (self.device.div(self.device.mul(gy, 0.5), y),)
