from minidecay.devices.protocol import Array
from minidecay.ops.base import Gradients, Op


class Relu(Op):
    """y = max(x, 0);  dy/dx = 1 where y > 0, else 0"""

    def forward(self, x: Array) -> Array:
        y = self.device.relu(x)
        self.save(y)
        return y

    def backward(self, gy: Array) -> Gradients:
        (y,) = self.saved
        return (self.device.relu_grad(gy, y),)
