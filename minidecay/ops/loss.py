from typing import Literal, TypeAlias

import numpy as np

from minidecay.devices.protocol import Array
from minidecay.ops.base import Op
from minidecay.recording import replayed

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


class ClassLoss(Loss):
    """What the losses of classes share: scores (N, classes) and one class index for each example"""

    scores = "logits"  # what the scores are called

    def __init__(self, labels: Array, reduction: Reduction = "mean") -> None:
        super().__init__(reduction)
        self.labels = labels

    def check(self, x: Array) -> None:
        labels = self.labels
        if x.ndim != 2 or labels.shape != x.shape[:1]:
            self.fail(
                f"{self.scores} {x.shape} must be (N, classes) and labels {labels.shape} (N,), "
                "one class index for each example"
            )
        if labels.dtype.kind not in "iu":
            self.fail(f"labels are {labels.dtype}; give class indices as integers")
        if x.size == 0:
            self.fail(f"{self.scores} {x.shape} are empty; give at least one example and one class")
        if isinstance(labels, np.ndarray):
            self.check_range(x.shape[1])
        # On a GPU, which to ask is to wait for, the loss of no class is NaN.

    def of_each(self, gy: Array) -> Array:
        if self.reduction != "none":
            gy = self.device.broadcast_to(gy, self.labels.shape)
        return super().of_each(gy)

    @replayed  # the labels of every batch are looked at
    def check_range(self, classes: int) -> None:
        lowest, highest = int(self.labels.min()), int(self.labels.max())
        if lowest < 0 or highest >= classes:
            self.fail(f"labels run from {lowest} to {highest}, outside of 0 to {classes - 1}")
