"""Activations as layers, none of them with parameters."""

from typing import Literal

from minidecay import functions as F
from minidecay import ops
from minidecay.autograd import Tensor
from minidecay.nn.module import Module


class Identity(Module):
    """x itself: a layer where none is wanted.

    >>> nn.Identity()(md.tensor([1, 2]))
    tensor([1., 2.])
    """

    def forward(self, x: Tensor) -> Tensor:
        return x


class ReLU(Module):
    """max(x, 0).

    >>> nn.ReLU()(md.tensor([-1, 2]))
    tensor([0., 2.])
    """

    def forward(self, x: Tensor) -> Tensor:
        return F.relu(x)


class LeakyReLU(Module):
    """x where it is positive, else `negative_slope` times x. Maas, Hannun and Ng 2013.

    >>> nn.LeakyReLU(0.5)(md.tensor([-1, 2]))
    tensor([-0.5,  2. ])
    """

    def __init__(self, negative_slope: float = 0.01) -> None:
        self.negative_slope = ops.LeakyRelu(negative_slope).negative_slope

    def forward(self, x: Tensor) -> Tensor:
        return F.leaky_relu(x, self.negative_slope)

    def describe(self) -> str:
        return f"negative_slope={self.negative_slope}"


class GELU(Module):
    """x P(x), P the normal distribution function, or its tanh approximation.

    Hendrycks and Gimpel 2016; see `minidecay.gelu`.

    >>> nn.GELU("tanh")(md.tensor([-1, 0, 1]))
    tensor([-0.1588,  0.    ,  0.8412])
    """

    def __init__(self, approximate: Literal["none", "tanh"] = "none") -> None:
        self.approximate = ops.Gelu(approximate).approximate

    def forward(self, x: Tensor) -> Tensor:
        return F.gelu(x, self.approximate)

    def describe(self) -> str:
        return f"approximate={self.approximate!r}"


class ELU(Module):
    """x where it is positive, else alpha (e ** x - 1). Clevert et al. 2016.

    >>> nn.ELU()(md.tensor([-100, 2]))
    tensor([-1.,  2.])
    """

    def __init__(self, alpha: float = 1.0) -> None:
        self.alpha = ops.Elu(alpha).alpha

    def forward(self, x: Tensor) -> Tensor:
        return F.elu(x, self.alpha)

    def describe(self) -> str:
        return f"alpha={self.alpha}"


class SELU(Module):
    """1.0507 times ELU with alpha 1.6733. Klambauer et al. 2017.

    >>> nn.SELU()(md.tensor([-100, 2]))
    tensor([-1.7581,  2.1014])
    """

    def forward(self, x: Tensor) -> Tensor:
        return F.selu(x)


class Softsign(Module):
    """x / (1 + |x|). Glorot and Bengio 2010.

    >>> nn.Softsign()(md.tensor([-3, 1]))
    tensor([-0.75,  0.5 ])
    """

    def forward(self, x: Tensor) -> Tensor:
        return F.softsign(x)


class Hardtanh(Module):
    """x between `min_val` and `max_val`, else the nearer of them.

    >>> nn.Hardtanh()(md.tensor([-3, 0.5]))
    tensor([-1. ,  0.5])
    """

    def __init__(self, min_val: float = -1.0, max_val: float = 1.0) -> None:
        ops.Clip(min_val, max_val)  # which checks them
        self.min_val, self.max_val = min_val, max_val

    def forward(self, x: Tensor) -> Tensor:
        return F.hardtanh(x, self.min_val, self.max_val)

    def describe(self) -> str:
        return f"min_val={self.min_val}, max_val={self.max_val}"


class SiLU(Module):
    """x sigmoid(x). Hendrycks and Gimpel 2016.

    >>> nn.SiLU()(md.tensor([0, 1]))
    tensor([0.    , 0.7311])
    """

    def forward(self, x: Tensor) -> Tensor:
        return F.silu(x)


class Softplus(Module):
    """log(1 + e ** x).

    >>> nn.Softplus()(md.tensor([0, 100]))
    tensor([  0.6931, 100.    ])
    """

    def forward(self, x: Tensor) -> Tensor:
        return F.softplus(x)


class Sigmoid(Module):
    """1 / (1 + e ** -x).

    >>> nn.Sigmoid()(md.tensor([0, 100]))
    tensor([0.5, 1. ])
    """

    def forward(self, x: Tensor) -> Tensor:
        return F.sigmoid(x)


class Tanh(Module):
    """The hyperbolic tangent.

    >>> nn.Tanh()(md.tensor([0, 100]))
    tensor([0., 1.])
    """

    def forward(self, x: Tensor) -> Tensor:
        return F.tanh(x)


class Softmax(Module):
    """e ** x / sum(e ** x) along `axis`.

    >>> nn.Softmax()(md.tensor([1, 1]))
    tensor([0.5, 0.5])
    """

    def __init__(self, axis: int = -1) -> None:
        self.axis = axis

    def forward(self, x: Tensor) -> Tensor:
        return F.softmax(x, self.axis)

    def describe(self) -> str:
        return f"axis={self.axis}"


class LogSoftmax(Module):
    """x - log(sum(e ** x)) along `axis`.

    >>> nn.LogSoftmax()(md.tensor([0, 1000]))
    tensor([-1000.,     0.])
    """

    def __init__(self, axis: int = -1) -> None:
        self.axis = axis

    def forward(self, x: Tensor) -> Tensor:
        return F.log_softmax(x, self.axis)

    def describe(self) -> str:
        return f"axis={self.axis}"
