from minidecay.devices.protocol import Array
from minidecay.ops.base import Gradients, Op


class Exp(Op):
    """y = e ** x;  dy/dx = y"""

    def forward(self, x: Array) -> Array:
        y = self.device.exp(x)
        self.save(y)
        return y

    def backward(self, gy: Array) -> Gradients:
        (y,) = self.saved
        return (self.device.mul(gy, y),)
