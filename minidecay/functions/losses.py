"""Losses. `reduction` is "mean" over all of them, "sum", or "none" for each one's own."""

from collections.abc import Sequence
from typing import TypeAlias

import numpy as np

from minidecay import ops
from minidecay.autograd import Tensor, apply
from minidecay.functions.elementwise import mul, relu, sub
from minidecay.ops.loss import Loss, Reduction
from minidecay.values import companion

__all__ = [
    "binary_cross_entropy_with_logits", "cross_entropy", "margin_ranking_loss", "mse_loss",
    "multi_margin_loss", "nll_loss",
]  # fmt: skip

Labels: TypeAlias = "Tensor | np.ndarray | Sequence[int]"


def cross_entropy(
    logits: Tensor, labels: Labels, reduction: Reduction = "mean", label_smoothing: float = 0.0
) -> Tensor:
    """-log softmax(logits)[label] for each example (N,), reduced.

    With label smoothing e it is (1 - e) times that, plus e times the mean of -log softmax(logits)
    over all classes. Szegedy et al. 2016.

    Args:
        logits: (N, classes), floats.
        labels: (N,), class indices as integers in [0, classes). Where they lie on a GPU, which to
            ask is to wait for, the loss of another is NaN.

    Raises:
        ValueError: a shape does not fit, a label is no class, an option no choice, or labels that
            are a tensor lie on another device.

    >>> md.cross_entropy(md.tensor([[2, 0], [0, 2]]), [0, 0], reduction="none")
    tensor([0.1269, 2.1269])
    """
    given = companion("cross_entropy", labels, logits)
    return apply(ops.CrossEntropy(given, reduction, label_smoothing), logits)


def nll_loss(x: Tensor, labels: Labels, reduction: Reduction = "mean") -> Tensor:
    """-x[n, label n] for each example (N,), reduced: of log probabilities x, see `log_softmax`.

    Args:
        x: (N, classes), floats.
        labels: (N,), class indices as integers in [0, classes).

    Raises:
        ValueError: a shape does not fit, a label is no class, the reduction no choice, or labels
            that are a tensor lie on another device.

    >>> md.nll_loss(md.log_softmax(md.tensor([[2, 0], [0, 2]])), [0, 0], reduction="none")
    tensor([0.1269, 2.1269])
    """
    return apply(ops.NllLoss(companion("nll_loss", labels, x), reduction), x)


def mse_loss(x: Tensor, target: "Tensor | np.ndarray", reduction: Reduction = "mean") -> Tensor:
    """(x - target) ** 2 for each element, reduced; both have one shape, none is broadcast.

    >>> md.mse_loss(md.tensor([1, 2]), md.tensor([1, 4]))
    tensor(2.)
    """
    return apply(ops.MseLoss(reduction), x, target)


def binary_cross_entropy_with_logits(
    x: Tensor, target: "Tensor | np.ndarray", reduction: Reduction = "mean"
) -> Tensor:
    """-t log sigmoid(x) - (1 - t) log(1 - sigmoid(x)) for each logit x and target t, reduced.

    Args:
        x, target: of one shape; targets lie from 0 to 1.

    Raises:
        ValueError: the shapes differ or a target lies outside.

    >>> md.binary_cross_entropy_with_logits(md.tensor([0, 200]), md.tensor([1, 0]), "none")
    tensor([  0.6931, 200.    ])
    """
    return apply(ops.BinaryCrossEntropyWithLogits(reduction), x, target)


def multi_margin_loss(
    x: Tensor,
    labels: Labels,
    p: int = 1,
    margin: float = 1.0,
    reduction: Reduction = "mean",
) -> Tensor:
    """The hinge loss of classes, for each example (N,), reduced.

    The sum over j != label of max(0, margin - x[label] + x[j]) ** p, divided by the number of
    classes as torch does. Crammer and Singer 2001.

    Args:
        x: (N, classes), floats.
        labels: (N,), class indices as integers in [0, classes).
        p: 1, or 2 for squared hinges.

    Raises:
        ValueError: a shape does not fit, a label is no class, p or the reduction is no choice.

    >>> md.multi_margin_loss(md.tensor([[2, 0], [0, 0.5]]), [0, 0], reduction="none")
    tensor([0.  , 0.75])
    """
    if p not in (1, 2):
        raise ValueError(f"multi_margin_loss: p={p!r} must be 1 or 2")
    of_label = -nll_loss(x, labels, "none").reshape(-1, 1)
    hinges = relu(x - of_label + margin) ** p  # that of the label itself is margin ** p
    return _reduced((hinges.sum(axis=1) - max(margin, 0) ** p) / x.shape[1], reduction)


def margin_ranking_loss(
    x1: Tensor,
    x2: Tensor,
    target: "Tensor | np.ndarray",
    margin: float = 0.0,
    reduction: Reduction = "mean",
) -> Tensor:
    """max(0, margin - target (x1 - x2)), reduced: target 1 ranks x1 higher, -1 lower.

    >>> md.margin_ranking_loss(md.tensor([3, 1]), md.tensor([2, 2]), md.tensor([1, 1]))
    tensor(0.5)
    """
    return _reduced(relu(margin - mul(target, sub(x1, x2))), reduction)


def _reduced(losses: Tensor, reduction: Reduction) -> Tensor:
    """The mean of the losses, their sum, or all of them."""
    match Loss(reduction).reduction:
        case "mean":
            return losses.mean()
        case "sum":
            return losses.sum()
    return losses
