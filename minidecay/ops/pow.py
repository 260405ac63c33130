import math

from minidecay.devices.protocol import Array
from minidecay.ops.base import Gradients, Op, Operand, broadcast_shape, shape_of


class Pow(Op):
    """y = a ** b;  dy/da = b a ** (b - 1), 0 where b is 0;  dy/db = y log a, 0 where a is 0"""

    takes_numbers = True

    def check(self, a: Operand, b: Operand) -> None:
        broadcast_shape(self, a, b)

    def forward(self, a: Operand, b: Operand) -> Array:
        y = self.device.pow(a, b)
        self.save(a, b, y)
        return y

    def backward(self, gy: Array) -> Gradients:
        a, b, y = self.saved
        mul, pow, ga, gb = self.device.mul, self.device.pow, None, None
        if self.needs[0]:
            slope = mul(pow(a, self._one_less(b)), b)
            ga = self.sum_to(mul(gy, slope), shape_of(a))
        if self.needs[1]:
            gb = self.sum_to(mul(gy, mul(y, self._log(a))), shape_of(b))
        return ga, gb

    def _one_less(self, b: Operand) -> Operand:
        """b - 1, but 1 where b is 0: there the slope is 0 a, also for a = 0."""
        if isinstance(b, int | float):
            return b - 1 if b != 0 else 1
        return self.device.where(self.device.equal(b, 0), 1.0, self.device.sub(b, 1))

    def _log(self, a: Operand) -> Operand:
        """log a, but 0 where a is 0."""
        if isinstance(a, int | float):
            return math.log(a or 1) if a >= 0 else math.nan
        return self.device.log(self.device.where(self.device.equal(a, 0), 1.0, a))
