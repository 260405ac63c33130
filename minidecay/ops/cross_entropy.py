from typing import Literal

from minidecay.devices.protocol import Array
from minidecay.ops.base import Gradients, Op
from minidecay.recording import replayed


class CrossEntropy(Op):
    """loss[n] = -log softmax(logits[n])[labels[n]];  gx = softmax(logits) - one_hot(labels)"""

    def __init__(self, labels: Array, reduction: Literal["mean", "sum", "none"] = "mean") -> None:
        if reduction not in ("mean", "sum", "none"):
            self.fail(f"reduction={reduction!r} must be 'mean', 'sum' or 'none'")
        self.labels, self.reduction = labels, reduction

    def check(self, logits: Array) -> None:
        labels = self.labels
        if logits.ndim != 2 or labels.shape != logits.shape[:1]:
            self.fail(
                f"logits {logits.shape} must be (N, classes) and labels {labels.shape} (N,), "
                "one class index for each example"
            )
        if labels.dtype.kind not in "iu":
            self.fail(f"labels are {labels.dtype}; give class indices as integers")
        if logits.size == 0:
            self.fail(f"logits {logits.shape} are empty; give at least one example and one class")
        self.check_range(logits.shape[1])

    @replayed  # the labels of every batch are looked at
    def check_range(self, classes: int) -> None:
        lowest, highest = int(self.labels.min()), int(self.labels.max())
        if lowest < 0 or highest >= classes:
            self.fail(f"labels run from {lowest} to {highest}, outside of 0 to {classes - 1}")

    def forward(self, logits: Array) -> Array:
        losses, probabilities = self.device.softmax_cross_entropy(logits, self.labels)
        self.count = len(losses)
        self.save(probabilities, self.labels)
        if self.reduction == "none":
            return losses
        total = self.device.sum(losses)
        return total if self.reduction == "sum" else self.device.div(total, self.count)

    def backward(self, gy: Array) -> Gradients:
        probabilities, labels = self.saved
        if self.reduction == "mean":
            gy = self.device.div(gy, self.count)
        return (self.device.softmax_cross_entropy_grad(gy, probabilities, labels),)
