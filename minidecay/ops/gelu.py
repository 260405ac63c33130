import math
from typing import Literal

from minidecay.devices.protocol import Array
from minidecay.ops.base import Gradients, Op

SCALE, CUBIC = math.sqrt(2 / math.pi), 0.044715


class Gelu(Op):
    """y = x P(x), P the normal distribution function;  dy/dx = P(x) + x P'(x)

    P(x) = (1 + erf(x / sqrt 2)) / 2, or with approximate="tanh" (1 + tanh u) / 2 where
    u = sqrt(2 / pi) (x + 0.044715 x^3). Hendrycks and Gimpel 2016.
    """

    def __init__(self, approximate: Literal["none", "tanh"] = "none") -> None:
        if approximate not in ("none", "tanh"):
            self.fail(f"approximate={approximate!r} must be 'none' or 'tanh'")
        self.approximate = approximate

    def forward(self, x: Array) -> Array:
        p = self._distribution(x)
        self.save(x, p)
        return self.device.mul(x, p)

    def backward(self, gy: Array) -> Gradients:
        device, (x, p) = self.device, self.saved
        slope = device.add(p, device.mul(x, self._density(x, p)))
        return (device.mul(gy, slope),)

    def _distribution(self, x: Array) -> Array:
        device = self.device
        if self.approximate == "none":
            wave = device.erf(device.mul(x, math.sqrt(0.5)))
        else:
            rising = device.add(1, device.mul(device.mul(x, x), CUBIC))
            wave = device.tanh(device.mul(device.mul(x, rising), SCALE))
        return device.mul(device.add(wave, 1), 0.5)

    def _density(self, x: Array, p: Array) -> Array:
        device, square = self.device, self.device.mul(x, x)
        if self.approximate == "none":
            return device.mul(device.exp(device.mul(square, -0.5)), SCALE / 2)
        du = device.mul(device.add(1, device.mul(square, 3 * CUBIC)), SCALE)
        return device.mul(device.mul(device.mul(p, device.sub(1, p)), 2), du)
