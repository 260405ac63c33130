from minidecay.devices.protocol import Array
from minidecay.ops.base import Gradients, Op


class LogSoftmax(Op):
    """y = x - log sum exp x over the last axis;  gx = gy - e ** y sum gy"""

    def check(self, x: Array) -> None:
        if x.ndim == 0 or x.shape[-1] == 0:
            self.fail(f"x {x.shape} must have classes along its last axis")

    def forward(self, x: Array) -> Array:
        y = self.device.log_softmax(x)
        self.save(y)
        return y

    def backward(self, gy: Array) -> Gradients:
        (y,) = self.saved
        return (self.device.log_softmax_grad(gy, y),)
