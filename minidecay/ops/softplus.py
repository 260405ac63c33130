from minidecay.devices.protocol import Array
from minidecay.ops.base import Gradients, Op


class Softplus(Op):
    """y = log(1 + e ** x) = max(x, 0) + log(1 + e ** -|x|), without overflow;  dy/dx = sigmoid x"""

    def forward(self, x: Array) -> Array:
        device = self.device
        self.save(x)
        return device.add(device.relu(x), device.log1p(device.exp(device.neg(device.abs(x)))))

    def backward(self, gy: Array) -> Gradients:
        (x,) = self.saved
        return (self.device.mul(gy, self.device.sigmoid(x)),)
