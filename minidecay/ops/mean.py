from minidecay.devices.protocol import Array
from minidecay.ops.base import Gradients
from minidecay.ops.sum import Sum


class Mean(Sum):
    """y = mean of x over `axis`: a sum over n values, divided by n"""

    takes_integers = False

    def check(self, x: Array) -> None:
        super().check(x)
        if x.size == 0:
            self.fail(f"an array of shape {x.shape} holds nothing to take a mean of")

    def forward(self, x: Array) -> Array:
        total = super().forward(x)
        self.count = x.size // max(1, total.size)
        return self.device.div(total, self.count)

    def backward(self, gy: Array) -> Gradients:
        return super().backward(self.device.div(gy, self.count))
