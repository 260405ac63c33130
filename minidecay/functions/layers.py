"""What layers compute: products, convolution, pooling, normalisation, dropout, softmax."""

from collections.abc import Sequence

import numpy as np

from minidecay import ops
from minidecay.autograd import Tensor, apply
from minidecay.devices.protocol import Key, Pair, Word
from minidecay.functions import running
from minidecay.values import companion

__all__ = [
    "avg_pool2d", "batch_norm", "conv2d", "conv_transpose2d", "dropout", "embedding",
    "global_avg_pool2d", "layer_norm", "linear", "log_softmax", "matmul", "max_pool2d", "softmax",
]  # fmt: skip


def matmul(a: "Tensor | np.ndarray", b: "Tensor | np.ndarray") -> Tensor:
    """a (..., M, K) @ b (..., K, N) -> (..., M, N); leading axes broadcast, vectors as in NumPy.

    >>> md.matmul(md.tensor([[1, 2], [3, 4]]), md.tensor([1, 1]))
    tensor([3., 7.])
    """
    return apply(ops.Matmul(), a, b)


def linear(x: Tensor, w: Tensor, bias: Tensor | None = None) -> Tensor:
    """x (..., inputs) @ w (inputs, outputs) + bias (outputs,) -> (..., outputs).

    >>> md.linear(md.tensor([[1, 2]]), md.tensor([[1, 0], [0, 1]]), md.tensor([10, 20]))
    tensor([[11., 22.]])
    """
    return apply(ops.Linear(), x, w, bias)


def embedding(indices: "Tensor | np.ndarray | Sequence[int]", w: Tensor) -> Tensor:
    """The rows of w (rows, features) that the integers `indices` (...) name -> (..., features).

    Raises:
        ValueError: an index is no integer or outside of 0 to rows - 1, or indices that are a tensor
            lie on another device.

    >>> md.embedding([2, 0, 2], md.tensor([[0, 0], [1, 1], [2, 2]]))
    tensor([[2., 2.],
            [0., 0.],
            [2., 2.]])
    """
    return apply(ops.Embedding(companion("embedding", indices, w)), w)


def conv2d(
    x: Tensor,
    w: Tensor,
    bias: Tensor | None = None,
    stride: int | Pair = 1,
    padding: int | Pair = 0,
) -> Tensor:
    """Convolve images x (N, H, W, C_in) with w (kh, kw, C_in, C_out) -> (N, OH, OW, C_out).

    As in torch nothing is flipped, and OH = (H + 2 padding - kh) // stride + 1.

    >>> x, w = md.tensor(np.ones((1, 4, 4, 3))), md.tensor(np.ones((3, 3, 3, 8)))
    >>> md.conv2d(x, w, stride=2, padding=1).shape
    (1, 2, 2, 8)
    """
    return apply(ops.Conv2d(stride, padding), x, w, bias)


def conv_transpose2d(
    x: Tensor,
    w: Tensor,
    bias: Tensor | None = None,
    stride: int | Pair = 1,
    padding: int | Pair = 0,
    output_padding: int | Pair = 0,
) -> Tensor:
    """The transpose of a convolution: x (N, H, W, C_in), w (kh, kw, C_in, C_out) -> larger images.

    Each pixel of x spreads over a window of (N, OH, OW, C_out), windows `stride` apart added up:
    OH = (H - 1) stride - 2 padding + kh + output_padding. Dumoulin and Visin 2016.

    >>> x, w = md.tensor(np.ones((1, 4, 4, 3))), md.tensor(np.ones((2, 2, 3, 8)))
    >>> md.conv_transpose2d(x, w, stride=2).shape
    (1, 8, 8, 8)
    """
    return apply(ops.ConvTranspose2d(stride, padding, output_padding), x, w, bias)


def max_pool2d(
    x: Tensor, size: int | Pair, stride: int | Pair | None = None, padding: int | Pair = 0
) -> Tensor:
    """The largest of each (kh, kw) window of x (N, H, W, C); stride defaults to the window.

    >>> md.max_pool2d(md.tensor([[[[1], [2]], [[3], [4]]]]), 2)
    tensor([[[[4.]]]])
    """
    return apply(ops.MaxPool2d(size, stride, padding), x)


def avg_pool2d(
    x: Tensor, size: int | Pair, stride: int | Pair | None = None, padding: int | Pair = 0
) -> Tensor:
    """The mean of each (kh, kw) window of x (N, H, W, C), padding counted as zeros.

    >>> md.avg_pool2d(md.tensor([[[[1], [2]], [[3], [4]]]]), 2)
    tensor([[[[2.5]]]])
    """
    return apply(ops.AvgPool2d(size, stride, padding), x)


def global_avg_pool2d(x: Tensor) -> Tensor:
    """The mean of each channel of x (N, H, W, C) -> (N, C).

    >>> md.global_avg_pool2d(md.tensor([[[[1, 0], [2, 0]], [[3, 0], [4, 8]]]]))
    tensor([[2.5, 2. ]])
    """
    return apply(ops.GlobalAvgPool2d(), x)


def batch_norm(
    x: Tensor,
    gamma: Tensor,
    beta: Tensor,
    running_mean: Tensor | None = None,
    running_var: Tensor | None = None,
    training: bool = True,
    momentum: float = 0.1,
    eps: float = 1e-5,
) -> Tensor:
    """Normalise each channel (the last axis) of x (..., C), scale by gamma, shift by beta (C,).

    Ioffe and Szegedy 2015. In training by the batch's mean and biased variance, which also move
    the running ones in place, r += momentum (batch - r), the variance unbiased, as in torch.
    Otherwise by the running ones, which must be there then and get no gradient.

    Raises:
        ValueError: a shape or a device does not fit, a channel has one value alone in training, a
            running statistic wants a gradient, or `eps` or `momentum` is no number in its range.
        TypeError: two dtypes differ, or what training is to move is no tensor.

    >>> md.batch_norm(md.tensor([[0], [2]]), md.tensor([1]), md.tensor([5]), eps=0)
    tensor([[4.],
            [6.]])
    """
    if not training:
        if running_mean is None or running_var is None:
            raise ValueError("batch_norm: inference needs running_mean and running_var")
        running.check_constant(running_mean, running_var)
        return apply(ops.BatchNormInference(eps), x, gamma, beta, running_mean, running_var)
    op = ops.BatchNorm(eps)
    y = apply(op, x, gamma, beta)
    running.check_movable(running_mean, running_var, y, momentum)
    count = y.size // y.shape[-1]
    running.move(running_mean, op.mean, momentum)
    running.move(running_var, op.var, momentum, correction=count / (count - 1))
    return y


def layer_norm(x: Tensor, gamma: Tensor, beta: Tensor, eps: float = 1e-5) -> Tensor:
    """Normalise each example of x (..., C) over the last axes, as many as gamma has; scale, shift.

    y = gamma (x - mean) / sqrt(var + eps) + beta with the biased variance, gamma and beta of the
    sizes of those axes. Ba, Kiros and Hinton 2016.

    >>> md.layer_norm(md.tensor([[0, 2], [0, 20]]), md.tensor([1, 1]), md.tensor([5, 5]), eps=0)
    tensor([[4., 6.],
            [4., 6.]])
    """
    return apply(ops.LayerNorm(eps), x, gamma, beta)


def dropout(
    x: Tensor,
    p: float = 0.5,
    training: bool = True,
    key: Key = (0, 0),
    counter: Word = 0,
) -> Tensor:
    """In training x / (1 - p) with probability 1 - p, else 0; outside of it x itself.

    The mask is a function of `key` (two integers below 2**64) and `counter` alone: vary the counter
    from call to call. Both may be NumPy's integer arrays, (2,) and (), which a captured step reads
    anew each time it runs. Srivastava et al. 2014.

    >>> md.dropout(md.tensor([1, 1, 1, 1]), p=0.5, key=(1, 2), counter=3)
    tensor([2., 0., 0., 2.])
    """
    return apply(ops.Dropout(p, key, counter), x) if training and p != 0 else x


def softmax(x: Tensor, axis: int = -1) -> Tensor:
    """e ** x / sum(e ** x) along `axis`, of the shape of x: positive, and it sums to 1.

    >>> md.softmax(md.tensor([0, 0, -np.inf]))
    tensor([0.5, 0.5, 0. ])
    """
    return apply(ops.Softmax(axis), x)


def log_softmax(x: Tensor, axis: int = -1) -> Tensor:
    """x - log(sum(e ** x)) along `axis`, of the shape of x.

    >>> md.log_softmax(md.tensor([0, 1000]))
    tensor([-1000.,     0.])
    """
    return apply(ops.LogSoftmax(axis), x)
