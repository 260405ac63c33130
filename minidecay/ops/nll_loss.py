from minidecay.devices.protocol import Array
from minidecay.ops.base import Gradients
from minidecay.ops.loss import ClassLoss


class NllLoss(ClassLoss):
    """loss[n] = -x[n, labels[n]] of log probabilities x;  gx = -1 there, else 0"""

    scores = "log probabilities"

    def forward(self, x: Array) -> Array:
        device = self.device
        self.places = device.arange(len(x)), device.asarray(self.labels)
        self.x_shape = x.shape
        self.save(self.labels)
        return self.reduce(device.neg(device.getitem(x, self.places)))

    def backward(self, gy: Array) -> Gradients:
        gx = self.device.zeros(self.x_shape, gy.dtype)
        self.device.setitem(gx, self.places, self.device.neg(self.of_each(gy)))
        return (gx,)
