from minidecay.devices.protocol import Array
from minidecay.ops.base import Gradients, Op, Operand, broadcast_shape, shape_of


class Div(Op):
    """y = a / b;  dy/da = 1 / b;  dy/db = -y / b"""

    takes_numbers = True

    def check(self, a: Operand, b: Operand) -> None:
        broadcast_shape(self, a, b)

    def forward(self, a: Operand, b: Operand) -> Array:
        y = self.device.div(a, b)
        self.a_shape = shape_of(a)
        self.save(b, y)
        return y

    def backward(self, gy: Array) -> Gradients:
        b, y = self.saved
        ga = self.device.div(gy, b)
        gb = self.device.neg(self.device.mul(ga, y)) if self.needs[1] else None
        return self.sum_to(ga, self.a_shape), None if gb is None else self.sum_to(gb, shape_of(b))
