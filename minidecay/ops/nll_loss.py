import numpy as np

from minidecay.devices.protocol import Array
from minidecay.ops.base import Gradients
from minidecay.ops.loss import Loss, Reduction, check_labels


class NllLoss(Loss):
    """loss[n] = -x[n, labels[n]] of log probabilities x;  gx = -1 there, else 0"""

    def __init__(self, labels: Array, reduction: Reduction = "mean") -> None:
        super().__init__(reduction)
        self.labels = labels

    def check(self, x: Array) -> None:
        check_labels(self, x, self.labels, "log probabilities")

    def forward(self, x: Array) -> Array:
        self.x_shape = x.shape
        self.save(self.labels)
        return self.reduce(self.device.neg(self.device.getitem(x, self._places())))

    def backward(self, gy: Array) -> Gradients:
        gx = self.device.zeros(self.x_shape, gy.dtype)
        self.device.setitem(gx, self._places(), self.device.neg(self.of_each(gy)))
        return (gx,)

    def _places(self) -> tuple[Array, Array]:
        asarray = self.device.asarray
        return asarray(np.arange(len(self.labels))), asarray(self.labels)
