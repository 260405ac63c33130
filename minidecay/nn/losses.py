"""Losses as layers, called with what the network says and with what is true."""

import numpy as np

from minidecay import functions as F
from minidecay import ops
from minidecay.autograd import Tensor
from minidecay.functions.losses import Labels
from minidecay.nn.module import Module
from minidecay.ops.loss import Loss, Reduction


class _Loss(Module):
    def __init__(self, reduction: Reduction = "mean") -> None:
        self.reduction = Loss(reduction).reduction

    def describe(self) -> str:
        return f"reduction={self.reduction!r}"


class CrossEntropyLoss(_Loss):
    """-log softmax(logits)[label]: logits (N, classes), labels (N,); see `minidecay.cross_entropy`.

    >>> nn.CrossEntropyLoss()(md.tensor([[2, 0], [0, 2]]), [0, 0])
    tensor(1.1269)
    """

    def __init__(self, reduction: Reduction = "mean", label_smoothing: float = 0.0) -> None:
        super().__init__(reduction)
        op = ops.CrossEntropy(np.zeros(0, int), reduction, label_smoothing)
        self.label_smoothing = op.smoothing

    def forward(self, logits: Tensor, labels: Labels) -> Tensor:
        return F.cross_entropy(logits, labels, self.reduction, self.label_smoothing)

    def describe(self) -> str:
        return f"{super().describe()}, label_smoothing={self.label_smoothing}"


class NLLLoss(_Loss):
    """-x[label] of log probabilities x (N, classes), labels (N,); see `minidecay.nll_loss`.

    >>> nn.NLLLoss()(md.tensor([[-0.5, -1], [-3, -2]]), [0, 1])
    tensor(1.25)
    """

    def forward(self, x: Tensor, labels: Labels) -> Tensor:
        return F.nll_loss(x, labels, self.reduction)


class MSELoss(_Loss):
    """(x - target) ** 2, both of one shape; see `minidecay.mse_loss`.

    >>> nn.MSELoss()(md.tensor([1, 2]), md.tensor([1, 4]))
    tensor(2.)
    """

    def forward(self, x: Tensor, target: Tensor | np.ndarray) -> Tensor:
        return F.mse_loss(x, target, self.reduction)


class BCEWithLogitsLoss(_Loss):
    """-t log sigmoid(x) - (1 - t) log(1 - sigmoid(x)) for targets t from 0 to 1, of x's shape.

    See `minidecay.binary_cross_entropy_with_logits`.

    >>> nn.BCEWithLogitsLoss("sum")(md.tensor([0, 200]), md.tensor([1, 1]))
    tensor(0.6931)
    """

    def forward(self, x: Tensor, target: Tensor | np.ndarray) -> Tensor:
        return F.binary_cross_entropy_with_logits(x, target, self.reduction)


class MultiMarginLoss(_Loss):
    """The hinge loss of classes: scores (N, classes), labels (N,); see `multi_margin_loss`.

    >>> nn.MultiMarginLoss()(md.tensor([[2, 0], [0, 0.5]]), [0, 0])
    tensor(0.375)
    """

    def __init__(self, p: int = 1, margin: float = 1.0, reduction: Reduction = "mean") -> None:
        super().__init__(reduction)
        self.p, self.margin = p, margin

    def forward(self, x: Tensor, labels: Labels) -> Tensor:
        return F.multi_margin_loss(x, labels, self.p, self.margin, self.reduction)

    def describe(self) -> str:
        return f"p={self.p}, margin={self.margin}, {super().describe()}"


class MarginRankingLoss(_Loss):
    """max(0, margin - target (x1 - x2)), of one shape; see `margin_ranking_loss`.

    >>> nn.MarginRankingLoss()(md.tensor([3, 1]), md.tensor([2, 2]), md.tensor([1, 1]))
    tensor(0.5)
    """

    def __init__(self, margin: float = 0.0, reduction: Reduction = "mean") -> None:
        super().__init__(reduction)
        self.margin = margin

    def forward(self, x1: Tensor, x2: Tensor, target: Tensor | np.ndarray) -> Tensor:
        return F.margin_ranking_loss(x1, x2, target, self.margin, self.reduction)

    def describe(self) -> str:
        return f"margin={self.margin}, {super().describe()}"
