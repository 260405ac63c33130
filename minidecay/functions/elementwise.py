"""Functions of each element; two operands broadcast as NumPy's do."""

from typing import Literal

import numpy as np

from minidecay import ops
from minidecay.autograd import Tensor, TensorLike, apply
from minidecay.values import companion

__all__ = [
    "abs", "add", "clip", "div", "elu", "exp", "gelu", "hardtanh", "leaky_relu", "log", "maximum",
    "minimum", "mul", "neg", "pow", "relu", "selu", "sigmoid", "silu", "softplus", "softsign",
    "sqrt", "sub", "tanh", "where",
]  # fmt: skip

SELU_ALPHA, SELU_SCALE = 1.6732632423543772, 1.0507009873554805


def add(a: TensorLike, b: TensorLike) -> Tensor:
    """a + b.

    >>> md.add(md.tensor([1, 2]), 3)
    tensor([4., 5.])
    """
    return apply(ops.Add(), a, b)


def sub(a: TensorLike, b: TensorLike) -> Tensor:
    """a - b.

    >>> md.sub(1, md.tensor([1, 2]))
    tensor([ 0., -1.])
    """
    return apply(ops.Sub(), a, b)


def mul(a: TensorLike, b: TensorLike) -> Tensor:
    """a * b.

    >>> md.mul(md.tensor([[1], [2]]), md.tensor([3, 4]))
    tensor([[3., 4.],
            [6., 8.]])
    """
    return apply(ops.Mul(), a, b)


def div(a: TensorLike, b: TensorLike) -> Tensor:
    """a / b.

    >>> md.div(1, md.tensor([2, 4]))
    tensor([0.5 , 0.25])
    """
    return apply(ops.Div(), a, b)


def pow(a: TensorLike, b: TensorLike) -> Tensor:
    """a ** b.

    >>> md.pow(md.tensor([1, 2, 3]), 2)
    tensor([1., 4., 9.])
    """
    return apply(ops.Pow(), a, b)


def maximum(a: TensorLike, b: TensorLike) -> Tensor:
    """The larger of a and b; where they are equal each gets half of the gradient.

    >>> md.maximum(md.tensor([1, 5]), md.tensor([4, 2]))
    tensor([4., 5.])
    """
    return apply(ops.Maximum(), a, b)


def minimum(a: TensorLike, b: TensorLike) -> Tensor:
    """The smaller of a and b; where they are equal each gets half of the gradient.

    >>> md.minimum(md.tensor([1, 5]), 2)
    tensor([1., 2.])
    """
    return apply(ops.Minimum(), a, b)


def clip(x: Tensor, min: float | None = None, max: float | None = None) -> Tensor:
    """x where it lies from `min` to `max`, both included, and passes a gradient; else the nearer.

    Raises:
        ValueError: neither is given, one is no number, or `min` is above `max`.

    >>> md.clip(md.tensor([-3, 0.5, 3]), -1, 1)
    tensor([-1. ,  0.5,  1. ])
    """
    return apply(ops.Clip(min, max), x)


def where(condition: "Tensor | np.ndarray", a: TensorLike, b: TensorLike) -> Tensor:
    """a where the boolean `condition` holds, else b; all three broadcast.

    >>> x = md.tensor([-1, 2])
    >>> md.where(x > 0, x, 0)
    tensor([0., 2.])
    """
    return apply(ops.Where(companion("where", condition, a, b)), a, b)


def neg(x: Tensor) -> Tensor:
    """-x.

    >>> md.neg(md.tensor([1, -2]))
    tensor([-1.,  2.])
    """
    return apply(ops.Neg(), x)


def exp(x: Tensor) -> Tensor:
    """e ** x.

    >>> md.exp(md.tensor([0, 1]))
    tensor([1.    , 2.7183])
    """
    return apply(ops.Exp(), x)


def log(x: Tensor) -> Tensor:
    """The natural logarithm; -inf at 0 and nan below it, as NumPy's.

    >>> md.log(md.tensor([1, 10]))
    tensor([0.    , 2.3026])
    """
    return apply(ops.Log(), x)


def sqrt(x: Tensor) -> Tensor:
    """The square root.

    >>> md.sqrt(md.tensor([4, 9]))
    tensor([2., 3.])
    """
    return apply(ops.Sqrt(), x)


def abs(x: Tensor) -> Tensor:
    """|x|, with derivative 0 at 0.

    >>> md.abs(md.tensor([-2, 3]))
    tensor([2., 3.])
    """
    return apply(ops.Abs(), x)


# -- activations -----------------------------------------------------------------------------------
def tanh(x: Tensor) -> Tensor:
    """The hyperbolic tangent, (e ** x - e ** -x) / (e ** x + e ** -x).

    >>> md.tanh(md.tensor([0, 100]))
    tensor([0., 1.])
    """
    return apply(ops.Tanh(), x)


def sigmoid(x: Tensor) -> Tensor:
    """1 / (1 + e ** -x).

    >>> md.sigmoid(md.tensor([0, 100]))
    tensor([0.5, 1. ])
    """
    return apply(ops.Sigmoid(), x)


def relu(x: Tensor) -> Tensor:
    """max(x, 0), with derivative 0 at 0.

    >>> md.relu(md.tensor([-1, 2]))
    tensor([0., 2.])
    """
    return apply(ops.Relu(), x)


def leaky_relu(x: Tensor, negative_slope: float = 0.01) -> Tensor:
    """x where it is positive, else `negative_slope` times x. Maas, Hannun and Ng 2013.

    >>> md.leaky_relu(md.tensor([-1, 2]), 0.25)
    tensor([-0.25,  2.  ])
    """
    return apply(ops.LeakyRelu(negative_slope), x)


def elu(x: Tensor, alpha: float = 1.0) -> Tensor:
    """x where it is positive, else `alpha` (e ** x - 1). Clevert et al. 2016.

    >>> md.elu(md.tensor([-100, 0, 2]))
    tensor([-1.,  0.,  2.])
    """
    return apply(ops.Elu(alpha), x)


def selu(x: Tensor) -> Tensor:
    """1.0507 times `elu` with alpha 1.6733: it keeps mean 0 and variance 1. Klambauer et al. 2017.

    >>> md.selu(md.tensor([-100, 0, 2]))
    tensor([-1.7581,  0.    ,  2.1014])
    """
    return SELU_SCALE * elu(x, SELU_ALPHA)


def softplus(x: Tensor) -> Tensor:
    """log(1 + e ** x), a smooth ReLU; right to the last digits for x of any size.

    >>> md.softplus(md.tensor([-100, 0, 100]))
    tensor([3.7835e-44, 6.9315e-01, 1.0000e+02])
    """
    return apply(ops.Softplus(), x)


def softsign(x: Tensor) -> Tensor:
    """x / (1 + |x|), between -1 and 1. Glorot and Bengio 2010.

    >>> md.softsign(md.tensor([-3, 0, 1]))
    tensor([-0.75,  0.  ,  0.5 ])
    """
    return x / (1 + abs(x))


def hardtanh(x: Tensor, min_val: float = -1.0, max_val: float = 1.0) -> Tensor:
    """x where it lies between the two values, else the nearer of them.

    >>> md.hardtanh(md.tensor([-3, 0.5, 2]))
    tensor([-1. ,  0.5,  1. ])
    """
    return clip(x, min_val, max_val)


def silu(x: Tensor) -> Tensor:
    """x sigmoid(x), also called swish. Hendrycks and Gimpel 2016.

    >>> md.silu(md.tensor([-100, 0, 100]))
    tensor([ -0.,   0., 100.])
    """
    return apply(ops.Silu(), x)


def gelu(x: Tensor, approximate: Literal["none", "tanh"] = "none") -> Tensor:
    """x P(x), with P(x) = (1 + erf(x / sqrt 2)) / 2. Hendrycks and Gimpel 2016.

    With `approximate="tanh"`, P(x) = (1 + tanh(sqrt(2 / pi) (x + 0.044715 x ** 3))) / 2.

    Raises:
        ValueError: `approximate` is neither "none" nor "tanh".

    >>> md.gelu(md.tensor([-1, 0, 1]))
    tensor([-0.1587,  0.    ,  0.8413])
    """
    return apply(ops.Gelu(approximate), x)
