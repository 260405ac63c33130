"""Losses. `reduction` is "mean" over all of them, "sum", or "none" for each one's own."""

from collections.abc import Sequence
from typing import TypeAlias

import numpy as np

from minidecay import ops
from minidecay.autograd import Tensor, apply
from minidecay.ops.loss import Reduction
from minidecay.values import companion

__all__ = ["binary_cross_entropy_with_logits", "cross_entropy", "mse_loss", "nll_loss"]

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
