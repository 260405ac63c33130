from minidecay.devices.protocol import Array
from minidecay.ops.base import Gradients, Op


class Log(Op):
    """y = ln x;  dy/dx = 1 / x"""

    def forward(self, x: Array) -> Array:
        self.save(x)
        return self.device.log(x)

    def backward(self, gy: Array) -> Gradients:
        (x,) = self.saved
        return (self.device.div(gy, x),)
