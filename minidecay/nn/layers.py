"""The layers. Images are NHWC; weights are (inputs, outputs) and (kh, kw, C_in, C_out).

A size that a layer cannot have is a ValueError where the layer is made; an input that does not fit
it, where it is called: ValueError for its shape, TypeError for its dtype.
"""

import math
from numbers import Real

import numpy as np

from minidecay import functions as F
from minidecay import ops
from minidecay.autograd import Tensor, tensor
from minidecay.devices.protocol import Pair
from minidecay.graph import Version
from minidecay.nn.init import generator, kaiming_normal
from minidecay.nn.module import Module, Parameter
from minidecay.ops.base import pair


def positive(layer: str, **sizes: int) -> None:
    """Raise ValueError, naming the layer, where a size is no positive integer."""
    for name, n in sizes.items():
        if not isinstance(n, int | np.integer) or isinstance(n, bool) or n < 1:
            raise ValueError(f"{layer}: {name}={n!r} must be a positive integer")


def _is_in(low: float, value: object, high: float) -> bool:
    return isinstance(value, Real) and low <= float(value) <= high


class Linear(Module):
    """x (..., inputs) @ weight (inputs, outputs) + bias (outputs,) -> (..., outputs).

    The weight is drawn from `rng` (`init.kaiming_normal`); the bias begins at zero.
    """

    def __init__(
        self, inputs: int, outputs: int, bias: bool = True, rng: np.random.Generator | None = None
    ) -> None:
        positive("Linear", inputs=inputs, outputs=outputs)
        self.weight = Parameter(kaiming_normal((inputs, outputs), inputs, rng))
        self.bias = Parameter(np.zeros(outputs, np.float32)) if bias else None

    def forward(self, x: Tensor) -> Tensor:
        return F.linear(x, self.weight, self.bias)

    def describe(self) -> str:
        inputs, outputs = self.weight.shape
        return f"{inputs}, {outputs}" + ("" if self.bias is not None else ", bias=False")


class Conv2d(Module):
    """Images (N, H, W, C_in) to (N, OH, OW, C_out), OH = (H + 2 padding - kernel) // stride + 1.

    The weight (kh, kw, C_in, C_out) is drawn from `rng` (`init.kaiming_normal`), the bias (C_out,)
    begins at zero. Kernel, stride and padding are an integer, or two: (height, width).
    """

    def __init__(
        self,
        in_channels: int,
        out_channels: int,
        kernel_size: int | Pair,
        stride: int | Pair = 1,
        padding: int | Pair = 0,
        bias: bool = True,
        rng: np.random.Generator | None = None,
    ) -> None:
        positive("Conv2d", in_channels=in_channels, out_channels=out_channels)
        op = ops.Conv2d(stride, padding)
        self.stride, self.padding = op.stride, op.padding
        kh, kw = pair(op, kernel_size, "kernel_size", least=1)
        shape = (kh, kw, in_channels, out_channels)
        self.weight = Parameter(kaiming_normal(shape, kh * kw * in_channels, rng))
        self.bias = Parameter(np.zeros(out_channels, np.float32)) if bias else None

    def forward(self, x: Tensor) -> Tensor:
        return F.conv2d(x, self.weight, self.bias, self.stride, self.padding)

    def describe(self) -> str:
        kh, kw, c_in, c_out = self.weight.shape
        text = f"{c_in}, {c_out}, kernel_size={(kh, kw)}, stride={self.stride}"
        return f"{text}, padding={self.padding}" + ("" if self.bias is not None else ", bias=False")


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
        if not _is_in(0, eps, math.inf) or eps == 0:
            raise ValueError(f"{layer}: eps={eps!r} must be a number above 0")
        if not _is_in(0, momentum, 1):
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
    """Batch normalisation of features (N, C); training needs N of at least 2."""

    axes = 2


class BatchNorm2d(_BatchNorm):
    """Batch normalisation of images (N, H, W, C), one mean and variance a channel."""

    axes = 4


class ReLU(Module):
    """max(x, 0)."""

    def forward(self, x: Tensor) -> Tensor:
        return F.relu(x)


class _Pool2d(Module):
    def __init__(
        self, size: int | Pair, stride: int | Pair | None = None, padding: int | Pair = 0
    ) -> None:
        op = ops.MaxPool2d(size, stride, padding)  # either one: both take the same windows
        self.size, self.stride, self.padding = op.size, op.stride, op.padding

    def describe(self) -> str:
        return f"{self.size}, stride={self.stride}, padding={self.padding}"


class MaxPool2d(_Pool2d):
    """The largest of each window: (N, H, W, C) to (N, OH, OW, C); stride defaults to the window."""

    def forward(self, x: Tensor) -> Tensor:
        return F.max_pool2d(x, self.size, self.stride, self.padding)


class AvgPool2d(_Pool2d):
    """The mean of each window: (N, H, W, C) to (N, OH, OW, C); padding counts as zeros."""

    def forward(self, x: Tensor) -> Tensor:
        return F.avg_pool2d(x, self.size, self.stride, self.padding)


class GlobalAvgPool2d(Module):
    """The mean of each channel: (N, H, W, C) to (N, C)."""

    def forward(self, x: Tensor) -> Tensor:
        return F.global_avg_pool2d(x)


class Flatten(Module):
    """(N, ...) to (N, everything else), in the order of memory: images height, width, channels."""

    def forward(self, x: Tensor) -> Tensor:
        if not hasattr(x, "ndim"):
            raise TypeError(
                f"Flatten: a {type(x).__name__} is no tensor; make one with tensor(...)"
            )
        if x.ndim == 2:
            return x
        if x.ndim == 0:
            raise ValueError("Flatten: x () must be (N, ...); put it in a batch")
        return x.reshape(x.shape[0], math.prod(x.shape[1:]))


class Dropout(Module):
    """In training x / (1 - p) with probability 1 - p, else 0; afterwards x itself.

    The masks come from a key drawn once from `rng` and a count of the calls, both in `state`, a
    buffer: a run that is resumed draws the masks it would have drawn. Srivastava et al. 2014.
    """

    def __init__(self, p: float = 0.5, rng: np.random.Generator | None = None) -> None:
        if not _is_in(0, p, 1) or p == 1:
            raise ValueError(f"Dropout: p={p!r} must be a number of at least 0 and less than 1")
        self.p = p
        key = generator(rng).integers(0, 2**63, size=2)
        self.state = tensor(np.array([*key, 0], dtype=np.int64))
        self._read: tuple[Version, int, list[int]] | None = None

    def forward(self, x: Tensor) -> Tensor:
        if not self.training:
            return x
        first, second, calls = self._state()
        self.state[2] = calls + 1
        self._read = self.state._version, self.state._version.count, [first, second, calls + 1]
        return F.dropout(x, self.p, True, (first, second), calls)

    def _state(self) -> list[int]:
        """The values of `state`, read again only where someone else wrote: a GPU makes one wait."""
        version = self.state._version
        if self._read is None or self._read[:2] != (version, version.count):
            return [int(n) for n in self.state.numpy()]
        return self._read[2]

    def describe(self) -> str:
        return f"p={self.p}"
