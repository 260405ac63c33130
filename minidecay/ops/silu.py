from minidecay.devices.protocol import Array
from minidecay.ops.base import Gradients, Op


class Silu(Op):
    """y = x s with s = sigmoid x;  dy/dx = s (1 + x (1 - s))

    Hendrycks and Gimpel 2016; also called swish.
    """

    def forward(self, x: Array) -> Array:
        s = self.device.sigmoid(x)
        self.save(x, s)
        return self.device.mul(x, s)

    def backward(self, gy: Array) -> Gradients:
        device, (x, s) = self.device, self.saved
        slope = device.mul(s, device.add(1, device.mul(x, device.sub(1, s))))
        return (device.mul(gy, slope),)
