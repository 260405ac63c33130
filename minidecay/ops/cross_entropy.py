import numpy as np

from minidecay.devices.protocol import Array
from minidecay.ops.base import Gradients, is_number
from minidecay.ops.loss import Loss, Reduction, check_labels


class CrossEntropy(Loss):
    """loss[n] = -log softmax(logits[n])[labels[n]];  gx = softmax(logits) - one_hot(labels)

    With label smoothing e (Szegedy et al. 2016) the target is one_hot - s, s = e (one_hot - 1 / K)
    for K classes. Each row of s sums to 0, so it adds sum(s logits) to the loss, and s to gx.
    """

    def __init__(
        self, labels: Array, reduction: Reduction = "mean", label_smoothing: float = 0.0
    ) -> None:
        super().__init__(reduction)
        if not is_number(label_smoothing) or not 0 <= label_smoothing <= 1:
            self.fail(f"label_smoothing={label_smoothing!r} must be a number from 0 to 1")
        self.labels, self.label_smoothing = labels, label_smoothing

    def check(self, logits: Array) -> None:
        check_labels(self, logits, self.labels, "logits")

    def forward(self, logits: Array) -> Array:
        device = self.device
        losses, probabilities = device.softmax_cross_entropy(logits, self.labels)
        self.save(probabilities, self.labels)
        if self.label_smoothing:
            losses = device.add(losses, device.sum(device.mul(self._moved(logits), logits), 1))
        return self.reduce(losses)

    def backward(self, gy: Array) -> Gradients:
        device, (probabilities, labels) = self.device, self.saved
        gy = self.of_each(gy)
        gx = device.softmax_cross_entropy_grad(gy, probabilities, labels)
        if self.label_smoothing:
            each = device.reshape(gy, (-1, 1))
            gx = device.add(gx, device.mul(each, self._moved(probabilities)))
        return (gx,)

    def _moved(self, like: Array) -> Array:
        """s, what smoothing takes from the label (N, classes) and gives to all classes."""
        n, classes = like.shape
        share = self.label_smoothing / classes
        s = self.device.mul(self.device.ones(like.shape, like.dtype), -share)
        rows = self.device.asarray(np.arange(n))
        labels = self.device.asarray(self.labels)
        self.device.setitem(s, (rows, labels), self.label_smoothing - share)
        return s
