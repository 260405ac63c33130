"""The public functions, one line each: an operation applied to tensors.

Arguments called `x`, `a`, `b` are tensors; NumPy arrays and Python numbers are taken beside them.
Shapes and dtypes that do not fit raise ValueError and TypeError, naming the operation and the mend.
The formula and the gradient of each stand in `minidecay/ops`, in the file of the same name.
"""

from collections.abc import Sequence
from typing import Any, Literal

import numpy as np

from minidecay import ops
from minidecay.autograd import Tensor, TensorLike, apply
from minidecay.devices.protocol import Axes, Pair

__all__ = [
    "abs", "add", "avg_pool2d", "batch_norm", "concatenate", "conv2d", "cross_entropy", "div",
    "dropout", "exp", "getitem", "global_avg_pool2d", "linear", "log", "log_softmax", "matmul",
    "max", "max_pool2d", "maximum", "mean", "mul", "neg", "pow", "relu", "reshape", "sigmoid",
    "sqrt", "stack", "sub", "sum", "tanh", "transpose", "var", "where",
]  # fmt: skip


# -- elementwise; two operands broadcast as NumPy's do -------------------------------------------
def add(a: TensorLike, b: TensorLike) -> Tensor:
    """a + b."""
    return apply(ops.Add(), a, b)


def sub(a: TensorLike, b: TensorLike) -> Tensor:
    """a - b."""
    return apply(ops.Sub(), a, b)


def mul(a: TensorLike, b: TensorLike) -> Tensor:
    """a * b."""
    return apply(ops.Mul(), a, b)


def div(a: TensorLike, b: TensorLike) -> Tensor:
    """a / b."""
    return apply(ops.Div(), a, b)


def pow(a: TensorLike, b: TensorLike) -> Tensor:
    """a ** b."""
    return apply(ops.Pow(), a, b)


def maximum(a: TensorLike, b: TensorLike) -> Tensor:
    """The larger of a and b; where they are equal each gets half of the gradient."""
    return apply(ops.Maximum(), a, b)


def where(condition: "Tensor | np.ndarray", a: TensorLike, b: TensorLike) -> Tensor:
    """a where the boolean `condition` holds, else b; all three broadcast."""
    is_tensor = isinstance(condition, Tensor)
    return apply(ops.Where(condition.data if is_tensor else np.asarray(condition)), a, b)


def neg(x: Tensor) -> Tensor:
    """-x."""
    return apply(ops.Neg(), x)


def exp(x: Tensor) -> Tensor:
    """e ** x."""
    return apply(ops.Exp(), x)


def log(x: Tensor) -> Tensor:
    """The natural logarithm; -inf at 0 and nan below it, as NumPy's."""
    return apply(ops.Log(), x)


def sqrt(x: Tensor) -> Tensor:
    """The square root."""
    return apply(ops.Sqrt(), x)


def abs(x: Tensor) -> Tensor:
    """|x|, with derivative 0 at 0."""
    return apply(ops.Abs(), x)


def tanh(x: Tensor) -> Tensor:
    """The hyperbolic tangent."""
    return apply(ops.Tanh(), x)


def sigmoid(x: Tensor) -> Tensor:
    """1 / (1 + exp(-x))."""
    return apply(ops.Sigmoid(), x)


def relu(x: Tensor) -> Tensor:
    """max(x, 0), with derivative 0 at 0."""
    return apply(ops.Relu(), x)


# -- reductions over `axis`: an int, a tuple, or None for all ------------------------------------
def sum(x: Tensor, axis: Axes = None, keepdims: bool = False) -> Tensor:
    """The sum over `axis`."""
    return apply(ops.Sum(axis, keepdims), x)


def mean(x: Tensor, axis: Axes = None, keepdims: bool = False) -> Tensor:
    """The mean over `axis`."""
    return apply(ops.Mean(axis, keepdims), x)


def max(x: Tensor, axis: Axes = None, keepdims: bool = False) -> Tensor:
    """The maximum over `axis`; elements that share it share its gradient evenly."""
    return apply(ops.Max(axis, keepdims), x)


def var(x: Tensor, axis: Axes = None, keepdims: bool = False, ddof: int = 0) -> Tensor:
    """The variance over `axis`: the squared deviations' sum over n - ddof, as NumPy's."""
    return apply(ops.Var(axis, keepdims, ddof), x)


# -- shape ---------------------------------------------------------------------------------------
def reshape(x: Tensor, shape: Sequence[int]) -> Tensor:
    """The same elements in another shape; one size may be -1."""
    return apply(ops.Reshape(tuple(shape)), x)


def transpose(x: Tensor, axes: Sequence[int] | None = None) -> Tensor:
    """The axes in the order `axes`, reversed by default."""
    return apply(ops.Transpose(axes), x)


def getitem(x: Tensor, index: Any) -> Tensor:
    """x[index], by NumPy's rules: integers, slices, boolean masks, integer arrays."""
    return x[index]


def concatenate(tensors: Sequence[Tensor], axis: int = 0) -> Tensor:
    """The tensors one after the other along `axis`; their other sizes agree."""
    return apply(ops.Concatenate(axis), *tensors)


def stack(tensors: Sequence[Tensor], axis: int = 0) -> Tensor:
    """The tensors, all of one shape, along a new axis."""
    return apply(ops.Stack(axis), *tensors)


# -- layers --------------------------------------------------------------------------------------
def matmul(a: "Tensor | np.ndarray", b: "Tensor | np.ndarray") -> Tensor:
    """a (..., M, K) @ b (..., K, N) -> (..., M, N); leading axes broadcast, vectors as in NumPy."""
    return apply(ops.Matmul(), a, b)


def linear(x: Tensor, w: Tensor, bias: Tensor | None = None) -> Tensor:
    """x (..., inputs) @ w (inputs, outputs) + bias (outputs,) -> (..., outputs)."""
    return apply(ops.Linear(), x, w, bias)


def conv2d(
    x: Tensor,
    w: Tensor,
    bias: Tensor | None = None,
    stride: int | Pair = 1,
    padding: int | Pair = 0,
) -> Tensor:
    """Convolve images x (N, H, W, C_in) with w (kh, kw, C_in, C_out) -> (N, OH, OW, C_out).

    As in torch nothing is flipped, and OH = (H + 2 padding - kh) // stride + 1.
    """
    return apply(ops.Conv2d(stride, padding), x, w, bias)


def max_pool2d(
    x: Tensor, size: int | Pair, stride: int | Pair | None = None, padding: int | Pair = 0
) -> Tensor:
    """The largest of each (kh, kw) window of x (N, H, W, C); stride defaults to the window."""
    return apply(ops.MaxPool2d(size, stride, padding), x)


def avg_pool2d(
    x: Tensor, size: int | Pair, stride: int | Pair | None = None, padding: int | Pair = 0
) -> Tensor:
    """The mean of each (kh, kw) window of x (N, H, W, C), padding counted as zeros."""
    return apply(ops.AvgPool2d(size, stride, padding), x)


def global_avg_pool2d(x: Tensor) -> Tensor:
    """The mean of each channel of x (N, H, W, C) -> (N, C)."""
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
    Otherwise by the running ones.
    """
    if not training:
        if running_mean is None or running_var is None:
            raise ValueError("batch_norm: inference needs running_mean and running_var")
        return apply(ops.BatchNormInference(eps), x, gamma, beta, running_mean, running_var)
    op = ops.BatchNorm(eps)
    y = apply(op, x, gamma, beta)
    count = x.size // x.shape[-1]
    batch = ((running_mean, op.mean, 1.0), (running_var, op.var, count / (count - 1)))
    for running, value, correction in batch:
        if running is not None:
            device = running.device
            if correction != 1:  # on a GPU every product is a launch
                value = device.mul(value, correction)
            moved = device.mul(device.sub(value, running.data), momentum)
            running[...] = Tensor(device.add(running.data, moved), device)
    return y


def dropout(
    x: Tensor,
    p: float = 0.5,
    training: bool = True,
    key: tuple[int, int] = (0, 0),
    counter: int = 0,
) -> Tensor:
    """In training x / (1 - p) with probability 1 - p, else 0; outside of it x itself.

    The mask is a function of `key` (two integers below 2**64) and `counter` alone: vary the counter
    from call to call. Srivastava et al. 2014.
    """
    return apply(ops.Dropout(p, key, counter), x) if training and p != 0 else x


# -- losses --------------------------------------------------------------------------------------
def log_softmax(x: Tensor) -> Tensor:
    """x - log(sum(exp(x))) over the last axis, of the shape of x."""
    return apply(ops.LogSoftmax(), x)


def cross_entropy(
    logits: Tensor,
    labels: "Tensor | np.ndarray | Sequence[int]",
    reduction: Literal["mean", "sum", "none"] = "mean",
) -> Tensor:
    """-log softmax(logits)[label]: the mean over the examples, their sum, or one for each (N,).

    Args:
        logits: (N, classes), floats.
        labels: (N,), class indices as integers in [0, classes). Others are a ValueError; where the
            labels lie on a GPU, which to ask is to wait for, a loss of NaN.
    """
    given = labels.data if isinstance(labels, Tensor) else np.asarray(labels)
    return apply(ops.CrossEntropy(given, reduction), logits)
