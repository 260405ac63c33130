from minidecay.devices.protocol import Array
from minidecay.ops.base import Gradients, Op


class Neg(Op):
    """y = -x"""

    takes_integers = True

    def forward(self, x: Array) -> Array:
        return self.device.neg(x)

    def backward(self, gy: Array) -> Gradients:
        return (self.device.neg(gy),)
