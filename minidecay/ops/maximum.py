from minidecay.devices.protocol import Array
from minidecay.ops.base import Gradients, Op, Operand, broadcast_shape, shape_of


class Maximum(Op):
    """y = max(a, b); the gradient goes to the larger, half to each where they are equal"""

    takes_integers = True
    takes_numbers = True

    def check(self, a: Operand, b: Operand) -> None:
        broadcast_shape(self, a, b)

    def forward(self, a: Operand, b: Operand) -> Array:
        self.save(a, b)
        return self.device.maximum(a, b)

    def backward(self, gy: Array) -> Gradients:
        a, b = self.saved
        device = self.device
        half = device.where(device.equal(a, b), device.mul(gy, 0.5), 0.0)
        ga = device.where(device.greater(a, b), gy, half)
        gb = device.where(device.less(a, b), gy, half)
        return self.sum_to(ga, shape_of(a)), self.sum_to(gb, shape_of(b))
