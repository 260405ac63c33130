from typing import Literal, TypeAlias

from minidecay.devices.protocol import Array
from minidecay.ops.base import Op

Reduction: TypeAlias = Literal["mean", "sum", "none"]


class Loss(Op):
    """What the losses share: a number for each example, reduced to their mean, their sum, or not"""

    def __init__(self, reduction: Reduction = "mean") -> None:
        if reduction not in ("mean", "sum", "none"):
            self.fail(f"reduction={reduction!r} must be 'mean', 'sum' or 'none'")
        self.reduction = reduction

    def reduce(self, losses: Array) -> Array:
        """The mean of the losses, their sum, or all of them."""
        self.count = losses.size
        if self.reduction == "none":
            return losses
        total = self.device.sum(losses)
        return total if self.reduction == "sum" else self.device.div(total, self.count)

    def of_each(self, gy: Array) -> Array:
        """The gradient of each loss, as an array of them or as one number for all."""
        return self.device.div(gy, self.count) if self.reduction == "mean" else gy


def check_labels(op: Op, scores: Array, labels: Array, what: str) -> None:
    """One class index for each row of scores (N, classes)."""
    if scores.ndim != 2 or labels.shape != scores.shape[:1]:
        op.fail(
            f"{what} {scores.shape} must be (N, classes) and labels {labels.shape} (N,), "
            "one class index for each example"
        )
    if labels.dtype.kind not in "iu":
        op.fail(f"labels are {labels.dtype}; give class indices as integers")
    if scores.size == 0:
        op.fail(f"{what} {scores.shape} are empty; give at least one example and one class")
    lowest, highest, classes = int(labels.min()), int(labels.max()), scores.shape[1]
    if lowest < 0 or highest >= classes:
        op.fail(f"labels run from {lowest} to {highest}, outside of 0 to {classes - 1}")
