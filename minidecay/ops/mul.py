from minidecay.devices.protocol import Array
from minidecay.ops.base import Gradients, Op, Operand, broadcast_shape, shape_of


class Mul(Op):
    """y = a b"""

    takes_integers = True
    takes_numbers = True

    def check(self, a: Operand, b: Operand) -> None:
        broadcast_shape(self, a, b)

    def forward(self, a: Operand, b: Operand) -> Array:
        self.save(a, b)
        return self.device.mul(a, b)

    def backward(self, gy: Array) -> Gradients:
        a, b = self.saved
        ga = self.sum_to(self.device.mul(gy, b), shape_of(a)) if self.needs[0] else None
        gb = self.sum_to(self.device.mul(gy, a), shape_of(b)) if self.needs[1] else None
        return ga, gb
