"""The layers with weights, and what stands between them."""

import math
from collections.abc import Sequence

import numpy as np

from minidecay import functions as F
from minidecay import ops
from minidecay.autograd import Tensor, tensor
from minidecay.devices.protocol import Pair
from minidecay.graph import Version
from minidecay.nn.checks import is_in, positive
from minidecay.nn.init import generator, kaiming_normal
from minidecay.nn.module import Module, Parameter
from minidecay.ops.base import pair
from minidecay.recording import replayed


class Linear(Module):
    """x (..., inputs) @ weight (inputs, outputs) + bias (outputs,) -> (..., outputs).

    The weight is drawn from `rng` (`init.kaiming_normal`); the bias begins at zero.

    >>> nn.Linear(4, 3)(md.tensor([[1, 2, 3, 4]])).shape
    (1, 3)
    """

    def __init__(
        self, inputs: int, outputs: int, bias: bool = True, rng: np.random.Generator | None = None
    ) -> None:
        positive("Linear", inputs=inputs, outputs=outputs)
        self.weight = Parameter(kaiming_normal((inputs, outputs), rng))
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

    >>> nn.Conv2d(3, 8, 3, stride=2, padding=1)(md.tensor(np.ones((1, 4, 4, 3), np.float32))).shape
    (1, 2, 2, 8)
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
        self.weight = Parameter(kaiming_normal(shape, rng))
        self.bias = Parameter(np.zeros(out_channels, np.float32)) if bias else None

    def forward(self, x: Tensor) -> Tensor:
        return F.conv2d(x, self.weight, self.bias, self.stride, self.padding)

    def describe(self) -> str:
        kh, kw, c_in, c_out = self.weight.shape
        text = f"{c_in}, {c_out}, kernel_size={(kh, kw)}, stride={self.stride}"
        return f"{text}, padding={self.padding}" + ("" if self.bias is not None else ", bias=False")


class ConvTranspose2d(Module):
    """Images (N, H, W, C_in) to larger ones (N, OH, OW, C_out), as a decoder needs them.

    OH = (H - 1) stride - 2 padding + kernel + output_padding. The weight (kh, kw, C_in, C_out) is
    drawn from `rng` (`init.kaiming_normal`), the bias (C_out,) begins at zero.

    >>> layer = nn.ConvTranspose2d(8, 3, 4, stride=2, padding=1)
    >>> layer(md.tensor(np.ones((1, 4, 4, 8), np.float32))).shape
    (1, 8, 8, 3)
    """

    def __init__(
        self,
        in_channels: int,
        out_channels: int,
        kernel_size: int | Pair,
        stride: int | Pair = 1,
        padding: int | Pair = 0,
        output_padding: int | Pair = 0,
        bias: bool = True,
        rng: np.random.Generator | None = None,
    ) -> None:
        positive("ConvTranspose2d", in_channels=in_channels, out_channels=out_channels)
        op = ops.ConvTranspose2d(stride, padding, output_padding)
        self.stride, self.padding, self.output_padding = op.stride, op.padding, op.output_padding
        kh, kw = pair(op, kernel_size, "kernel_size", least=1)
        self.weight = Parameter(kaiming_normal((kh, kw, in_channels, out_channels), rng))
        self.bias = Parameter(np.zeros(out_channels, np.float32)) if bias else None

    def forward(self, x: Tensor) -> Tensor:
        return F.conv_transpose2d(
            x, self.weight, self.bias, self.stride, self.padding, self.output_padding
        )

    def describe(self) -> str:
        kh, kw, c_in, c_out = self.weight.shape
        text = f"{c_in}, {c_out}, kernel_size={(kh, kw)}, stride={self.stride}"
        text += f", padding={self.padding}, output_padding={self.output_padding}"
        return text + ("" if self.bias is not None else ", bias=False")


class Embedding(Module):
    """A row of the weight (num_embeddings, embedding_dim) for each of the integers it is given.

    The weight is drawn N(0, 1) from `rng`, as torch's.

    >>> nn.Embedding(10, 3)([[1, 2], [3, 4]]).shape
    (2, 2, 3)
    """

    def __init__(
        self, num_embeddings: int, embedding_dim: int, rng: np.random.Generator | None = None
    ) -> None:
        positive("Embedding", num_embeddings=num_embeddings, embedding_dim=embedding_dim)
        shape = num_embeddings, embedding_dim
        self.weight = Parameter(generator(rng).standard_normal(shape, dtype=np.float32))

    def forward(self, indices: Tensor | np.ndarray | Sequence[int]) -> Tensor:
        return F.embedding(indices, self.weight)

    def describe(self) -> str:
        rows, features = self.weight.shape
        return f"{rows}, {features}"


class Flatten(Module):
    """(N, ...) to (N, everything else), in the order of memory: images height, width, channels.

    >>> nn.Flatten()(md.tensor(np.zeros((2, 4, 4, 3)))).shape
    (2, 48)
    """

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

    >>> drop = nn.Dropout(0.5, md.random.stream(0, "dropout"))
    >>> drop(md.tensor([1, 1, 1, 1])).numpy().max(), drop.eval()(md.tensor([1, 1]))
    (np.float32(2.0), tensor([1., 1.]))
    """

    def __init__(self, p: float = 0.5, rng: np.random.Generator | None = None) -> None:
        if not is_in(0, p, 1) or p == 1:
            raise ValueError(f"Dropout: p={p!r} must be a number of at least 0 and less than 1")
        self.p = p
        key = generator(rng).integers(0, 2**63, size=2)
        self.state = tensor(np.array([*key, 0], dtype=np.int64))
        self._read: tuple[Version, int, np.ndarray] | None = None

    def forward(self, x: Tensor) -> Tensor:
        if not self.training:
            return x
        now = np.empty(3, np.int64)
        self._count(now)
        return F.dropout(x, self.p, True, now[:2], now[2, ...])

    @replayed
    def _count(self, now: np.ndarray) -> None:
        """Write what `state` holds into `now`, and count one call more."""
        now[:] = self._state()
        after = now + np.array([0, 0, 1])
        self.state[2] = int(after[2])
        self._read = self.state._version, self.state._version.count, after

    def _state(self) -> np.ndarray:
        """The values of `state`, read again only where someone else wrote: a GPU makes one wait."""
        version = self.state._version
        if self._read is None or self._read[:2] != (version, version.count):
            return self.state.numpy()
        return self._read[2]

    def describe(self) -> str:
        return f"p={self.p}"
