from minidecay.devices.protocol import Array
from minidecay.ops.base import Gradients, Op


class Abs(Op):
    """y = |x|;  dy/dx = sign x, and 0 at 0"""

    takes_integers = True

    def forward(self, x: Array) -> Array:
        self.save(x)
        return self.device.abs(x)

    def backward(self, gy: Array) -> Gradients:
        (x,) = self.saved
        return (self.device.mul(gy, self.device.sign(x)),)
