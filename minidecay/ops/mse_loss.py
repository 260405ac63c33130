from minidecay.devices.protocol import Array
from minidecay.ops.base import Gradients
from minidecay.ops.loss import Loss


class MseLoss(Loss):
    """loss = (x - target)^2;  gx = 2 (x - target), and the target's is its negative"""

    def check(self, x: Array, target: Array) -> None:
        if x.shape != target.shape:
            self.fail(
                f"x {x.shape} and target {target.shape} must have one shape; reshape or expand one"
            )
        if x.size == 0:
            self.fail(f"x {x.shape} is empty; give at least one value")

    def forward(self, x: Array, target: Array) -> Array:
        difference = self.device.sub(x, target)
        self.save(difference)
        return self.reduce(self.device.mul(difference, difference))

    def backward(self, gy: Array) -> Gradients:
        (difference,) = self.saved
        gx = self.device.mul(difference, self.device.mul(self.of_each(gy), 2))
        return gx, self.device.neg(gx) if self.needs[1] else None
