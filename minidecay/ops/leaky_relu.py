from minidecay.devices.protocol import Array
from minidecay.ops.base import Gradients, Op, is_number


class LeakyRelu(Op):
    """y = x where x > 0, else a x, with a the negative slope;  dy/dx = 1 or a likewise

    Maas, Hannun and Ng 2013.
    """

    def __init__(self, negative_slope: float = 0.01) -> None:
        if not is_number(negative_slope):
            self.fail(f"negative_slope={negative_slope!r} must be a number")
        self.negative_slope = negative_slope

    def forward(self, x: Array) -> Array:
        self.save(x)
        return self._scaled(x, x)

    def backward(self, gy: Array) -> Gradients:
        (x,) = self.saved
        return (self._scaled(gy, x),)

    def _scaled(self, values: Array, x: Array) -> Array:
        device = self.device
        return device.where(device.greater(x, 0), values, device.mul(values, self.negative_slope))
