from minidecay.devices.protocol import Array
from minidecay.ops.base import Gradients, Op, Operand, broadcast_shape, shape_of


class Pow(Op):
    """y = a ** b;  dy/da = b a ** (b - 1);  dy/db = y log a, and 0 where a is 0"""

    def check(self, a: Operand, b: Operand) -> None:
        broadcast_shape(self, a, b)

    def forward(self, a: Operand, b: Operand) -> Array:
        y = self.device.pow(a, b)
        self.save(a, b, y)
        return y

    def backward(self, gy: Array) -> Gradients:
        a, b, y = self.saved
        device, ga, gb = self.device, None, None
        if self.needs[0]:
            slope = device.mul(b, device.pow(a, device.sub(b, 1)))
            if shape_of(b) or b == 0:  # a ** 0 is flat, also at a = 0, where 0 * 0 ** -1 is not
                slope = device.where(device.equal(b, 0), 0.0, slope)
            ga = self.sum_to(device.mul(gy, slope), shape_of(a))
        if self.needs[1]:
            zero = device.equal(a, 0)
            log_a = device.log(device.where(zero, 1.0, a))
            gb = self.sum_to(device.mul(gy, device.mul(y, log_a)), shape_of(b))
        return ga, gb
