from minidecay.devices.protocol import Array
from minidecay.ops.base import Gradients, Op, is_number


class Elu(Op):
    """y = x where x > 0, else alpha (e^x - 1);  dy/dx = 1 or y + alpha

    Clevert, Unterthiner and Hochreiter 2016. e^x - 1 = 2 t / (1 - t) with t = tanh(x / 2), which
    loses no digits near 0.
    """

    def __init__(self, alpha: float = 1.0) -> None:
        if not is_number(alpha):
            self.fail(f"alpha={alpha!r} must be a number")
        self.alpha = alpha

    def forward(self, x: Array) -> Array:
        device = self.device
        t = device.tanh(device.mul(device.minimum(x, 0), 0.5))
        below = device.mul(device.div(t, device.sub(1, t)), 2 * self.alpha)
        self.save(x, below)
        return device.where(device.greater(x, 0), x, below)

    def backward(self, gy: Array) -> Gradients:
        device, (x, below) = self.device, self.saved
        slope = device.add(below, self.alpha)
        return (device.where(device.greater(x, 0), gy, device.mul(gy, slope)),)
