from minidecay.devices.protocol import Array
from minidecay.ops.base import Gradients, Op, Operand, broadcast_shape, shape_of


class Where(Op):
    """y = a where the condition (a boolean array) holds, else b"""

    takes_integers = True
    takes_numbers = True

    def __init__(self, condition: Array) -> None:
        self.condition = condition

    def check(self, a: Operand, b: Operand) -> None:
        if self.condition.dtype != bool:
            self.fail(f"the condition is {self.condition.dtype}; compare first (x > 0)")
        broadcast_shape(self, self.condition, a, b)

    def forward(self, a: Operand, b: Operand) -> Array:
        self.shapes = shape_of(a), shape_of(b)
        self.save(self.condition)
        return self.device.where(self.condition, a, b)

    def backward(self, gy: Array) -> Gradients:
        where, (condition,) = self.device.where, self.saved
        a_shape, b_shape = self.shapes
        ga, gb = where(condition, gy, 0.0), where(condition, 0.0, gy)
        return self.sum_to(ga, a_shape), self.sum_to(gb, b_shape)
