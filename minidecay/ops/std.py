from minidecay.devices.protocol import Array
from minidecay.ops.base import Gradients
from minidecay.ops.var import Var


class Std(Var):
    """y = sqrt(var x) over `axis`;  dy/dx = dvar/dx / (2 y), and 0 where y is 0"""

    def forward(self, x: Array) -> Array:
        y = self.device.sqrt(super().forward(x))
        self.save(*self.saved, y)
        return y

    def backward(self, gy: Array) -> Gradients:
        device, (_, y) = self.device, self.saved
        is_zero = device.equal(y, 0)
        slope = device.div(0.5, device.where(is_zero, 1.0, y))
        return super().backward(device.mul(gy, device.where(is_zero, 0.0, slope)))
