from minidecay.devices.protocol import Array
from minidecay.ops.base import Gradients
from minidecay.ops.loss import Loss
from minidecay.recording import replayed


class BinaryCrossEntropyWithLogits(Loss):
    """loss = -t log sigmoid(x) - (1 - t) log(1 - sigmoid(x)) for targets t;  gx = sigmoid(x) - t

    Computed as max(x, 0) - x t + log(1 + e ** -|x|), which cannot overflow. The target's gradient
    is -x.
    """

    def check(self, x: Array, target: Array) -> None:
        if x.shape != target.shape:
            self.fail(
                f"logits {x.shape} and target {target.shape} must have one shape; "
                "reshape or expand one"
            )
        if x.size == 0:
            self.fail(f"logits {x.shape} are empty; give at least one")
        self.check_range(target)

    @replayed  # the targets of every batch are looked at
    def check_range(self, target: Array) -> None:
        lowest = -float(self.device.max(self.device.neg(target)))
        highest = float(self.device.max(target))
        if lowest < 0 or highest > 1:
            self.fail(f"targets run from {lowest:g} to {highest:g}, outside of 0 to 1")

    def forward(self, x: Array, target: Array) -> Array:
        device = self.device
        self.save(x, target)
        rest = device.log1p(device.exp(device.neg(device.abs(x))))
        return self.reduce(device.add(device.sub(device.relu(x), device.mul(x, target)), rest))

    def backward(self, gy: Array) -> Gradients:
        device, (x, target) = self.device, self.saved
        gy = self.of_each(gy)
        gx = device.mul(gy, device.sub(device.sigmoid(x), target))
        return gx, device.neg(device.mul(gy, x)) if self.needs[1] else None
