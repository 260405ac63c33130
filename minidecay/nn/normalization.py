"""Layers that normalise: over the batch, or over each example's features."""

import math
from collections.abc import Sequence

import numpy as np

from minidecay import functions as F
from minidecay.autograd import Tensor, tensor
from minidecay.nn.checks import is_in, positive
from minidecay.nn.module import Module, Parameter


class _BatchNorm(Module):
    """Batch normalisation of the last axis: by the batch in training, by running statistics after.

    y = weight (x - mean) / sqrt(var + eps) + bias, all but x of shape (C,). In training mean and
    (biased) variance are the batch's, and running <- (1 - momentum) running + momentum batch, the
    variance unbiased there, as in torch. Ioffe and Szegedy 2015.
    """

    axes: int

    def __init__(self, channels: int, eps: float = 1e-5, momentum: float = 0.1) -> None:
        layer = type(self).__name__
        positive(layer, channels=channels)
        if not is_in(0, eps, math.inf) or eps == 0:
            raise ValueError(f"{layer}: eps={eps!r} must be a number above 0")
        if not is_in(0, momentum, 1):
            raise ValueError(f"{layer}: momentum={momentum!r} must be a number from 0 to 1")
        self.eps, self.momentum = eps, momentum
        self.weight = Parameter(np.ones(channels, np.float32))
        self.bias = Parameter(np.zeros(channels, np.float32))
        self.running_mean = tensor(np.zeros(channels, np.float32))
        self.running_var = tensor(np.ones(channels, np.float32))

    def forward(self, x: Tensor) -> Tensor:
        if x.ndim != self.axes or x.shape[-1] != self.weight.size:
            wanted = ("N", "H", "W")[: self.axes - 1]
            raise ValueError(
                f"{type(self).__name__}: x {x.shape} must be ({', '.join(wanted)}, "
                f"{self.weight.size})"
            )
        return F.batch_norm(
            x,
            self.weight,
            self.bias,
            self.running_mean,
            self.running_var,
            self.training,
            self.momentum,
            self.eps,
        )

    def describe(self) -> str:
        return f"{self.weight.size}, eps={self.eps}, momentum={self.momentum}"


class BatchNorm1d(_BatchNorm):
    """Batch normalisation of features (N, C); training needs N of at least 2.

    >>> nn.BatchNorm1d(1, eps=1e-9)(md.tensor([[0], [2]]))
    tensor([[-1.],
            [ 1.]], op=batch_norm)
    """

    axes = 2


class BatchNorm2d(_BatchNorm):
    """Batch normalisation of images (N, H, W, C), one mean and variance a channel.

    >>> nn.BatchNorm2d(3)(md.tensor(np.ones((2, 4, 4, 3), np.float32))).shape
    (2, 4, 4, 3)
    """

    axes = 4


class LayerNorm(Module):
    """Each example normalised over its last axes, of the sizes `normalized_shape`.

    y = weight (x - mean) / sqrt(var + eps) + bias, weight and bias of `normalized_shape`, beginning
    at ones and zeros; the same in training and after. Ba, Kiros and Hinton 2016.

    >>> nn.LayerNorm(4)(md.tensor([[0, 0, 2, 2]]))
    tensor([[-1., -1.,  1.,  1.]], op=layer_norm)
    """

    def __init__(self, normalized_shape: int | Sequence[int], eps: float = 1e-5) -> None:
        one = (normalized_shape,) if isinstance(normalized_shape, int) else normalized_shape
        shape = tuple(one)
        if not shape:
            raise ValueError("LayerNorm: normalized_shape=() must hold the sizes of the last axes")
        for size in shape:
            positive("LayerNorm", normalized_shape=size)
        if not is_in(0, eps, math.inf) or eps == 0:
            raise ValueError(f"LayerNorm: eps={eps!r} must be a number above 0")
        self.eps = eps
        self.weight = Parameter(np.ones(shape, np.float32))
        self.bias = Parameter(np.zeros(shape, np.float32))

    def forward(self, x: Tensor) -> Tensor:
        return F.layer_norm(x, self.weight, self.bias, self.eps)

    def describe(self) -> str:
        return f"{self.weight.shape}, eps={self.eps}"
