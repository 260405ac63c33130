from minidecay.devices.protocol import Array
from minidecay.ops.base import Gradients, Op, Operand, broadcast_shape, shape_of


class Add(Op):
    """y = a + b"""

    takes_integers = True
    takes_numbers = True

    def check(self, a: Operand, b: Operand) -> None:
        broadcast_shape(self, a, b)

    def forward(self, a: Operand, b: Operand) -> Array:
        self.shapes = shape_of(a), shape_of(b)
        return self.device.add(a, b)

    def backward(self, gy: Array) -> Gradients:
        return [self.sum_to(gy, shape) for shape in self.shapes]
