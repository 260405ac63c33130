from minidecay.devices.protocol import Array
from minidecay.ops.base import Gradients, Op, Operand, broadcast_shape, shape_of


class Sub(Op):
    """y = a - b"""

    takes_integers = True
    takes_numbers = True

    def check(self, a: Operand, b: Operand) -> None:
        broadcast_shape(self, a, b)

    def forward(self, a: Operand, b: Operand) -> Array:
        self.shapes = shape_of(a), shape_of(b)
        return self.device.sub(a, b)

    def backward(self, gy: Array) -> Gradients:
        a_shape, b_shape = self.shapes
        gb = self.sum_to(self.device.neg(gy), b_shape) if self.needs[1] else None
        return self.sum_to(gy, a_shape), gb
