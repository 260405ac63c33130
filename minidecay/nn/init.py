"""First weights, drawn from a generator that is passed in; all float32.

A weight is (inputs, outputs) or (kh, kw, C_in, C_out). Its fan-in is how many inputs an output sums
over, its fan-out how many outputs an input goes into: kh kw C_in and kh kw C_out. To begin a layer
with other weights than its own:

>>> layer = nn.Linear(300, 100)
>>> with md.no_grad():
...     layer.weight[...] = nn.init.xavier_uniform(layer.weight.shape, md.random.stream(0, "init"))

Every function raises ValueError for a shape without both fans, and TypeError where `rng` is no
generator. Without one the weights are new at every call.
"""

import math
from typing import TYPE_CHECKING, Literal, TypeAlias

import numpy as np

from minidecay import hints
from minidecay.devices.protocol import Shape

__all__ = [
    "fans", "generator", "kaiming_normal", "kaiming_uniform", "orthogonal", "xavier_normal",
    "xavier_uniform",
]  # fmt: skip

Fan: TypeAlias = Literal["fan_in", "fan_out"]


def generator(rng: np.random.Generator | None) -> np.random.Generator:
    """`rng` itself, or a freshly seeded one where there is none, as NumPy's own default.

    Raises:
        TypeError: `rng` is something else, such as a seed.

    >>> generator(md.random.stream(0, "init")).integers(100, size=3)
    array([14, 69,  0])
    """
    if rng is None:
        return np.random.default_rng()
    if not isinstance(rng, np.random.Generator):
        raise TypeError(f"rng={rng!r} is no generator; pass minidecay.random.stream(seed, 'init')")
    return rng


def fans(shape: Shape) -> tuple[int, int]:
    """(fan-in, fan-out) of a weight of that shape.

    >>> fans((3, 3, 16, 32))
    (144, 288)
    """
    if len(shape) < 2 or 0 in shape:
        raise ValueError(
            f"init: shape {shape} has no inputs and outputs; give (inputs, outputs) or "
            "(kh, kw, C_in, C_out)"
        )
    *window, inputs, outputs = shape
    return math.prod(window) * inputs, math.prod(window) * outputs


def kaiming_normal(
    shape: Shape,
    rng: np.random.Generator | None = None,
    mode: Fan = "fan_in",
    gain: float = math.sqrt(2),
) -> np.ndarray:
    """Normal with deviation gain / sqrt(fan), which keeps the scale through ReLUs.

    Forwards with the fan-in, backwards with the fan-out. He et al. 2015, equations 10 and 14.

    >>> kaiming_normal((800, 500), np.random.default_rng(0)).std()
    np.float32(0.05)
    """
    return _normal(shape, rng, gain / math.sqrt(_fan(shape, mode)))


def kaiming_uniform(
    shape: Shape,
    rng: np.random.Generator | None = None,
    mode: Fan = "fan_in",
    gain: float = math.sqrt(2),
) -> np.ndarray:
    """Uniform of the same deviation, within gain sqrt(3 / fan). He et al. 2015.

    >>> abs(kaiming_uniform((600, 500), np.random.default_rng(0))).max()
    np.float32(0.1)
    """
    return _uniform(shape, rng, gain / math.sqrt(_fan(shape, mode)))


def xavier_normal(
    shape: Shape, rng: np.random.Generator | None = None, gain: float = 1.0
) -> np.ndarray:
    """Normal with deviation gain sqrt(2 / (fan-in + fan-out)). Glorot and Bengio 2010, equation 12.

    >>> xavier_normal((300, 500), np.random.default_rng(0)).std()
    np.float32(0.05)
    """
    return _normal(shape, rng, gain * math.sqrt(2 / sum(fans(shape))))


def xavier_uniform(
    shape: Shape, rng: np.random.Generator | None = None, gain: float = 1.0
) -> np.ndarray:
    """Uniform of the same deviation, within gain sqrt(6 / (fan-in + fan-out)), equation 16 there.

    >>> abs(xavier_uniform((100, 500), np.random.default_rng(0))).max()
    np.float32(0.1)
    """
    return _uniform(shape, rng, gain * math.sqrt(2 / sum(fans(shape))))


def orthogonal(
    shape: Shape, rng: np.random.Generator | None = None, gain: float = 1.0
) -> np.ndarray:
    """gain times a matrix (fan-in, outputs) with orthonormal columns, or rows where it is wider.

    Each is as likely as another: Q of a normal matrix's QR, its signs undone. Saxe et al. 2014.

    >>> w = orthogonal((3, 3, 2, 4), np.random.default_rng(0)).reshape(-1, 4)
    >>> np.allclose(w.T @ w, np.eye(4), atol=1e-6)
    True
    """
    rows, columns = fans(shape)[0], shape[-1]
    tall = generator(rng).standard_normal((max(rows, columns), min(rows, columns)))
    q, r = np.linalg.qr(tall)
    q *= np.where(np.diag(r) < 0, -1, 1)
    matrix = q if rows >= columns else q.T
    return (gain * matrix).reshape(shape).astype(np.float32)


def _fan(shape: Shape, mode: Fan) -> int:
    if mode not in ("fan_in", "fan_out"):
        raise ValueError(f"init: mode={mode!r} must be 'fan_in' or 'fan_out'")
    return fans(shape)[mode == "fan_out"]


def _normal(shape: Shape, rng: np.random.Generator | None, deviation: float) -> np.ndarray:
    return generator(rng).standard_normal(shape, dtype=np.float32) * np.float32(deviation)


def _uniform(shape: Shape, rng: np.random.Generator | None, deviation: float) -> np.ndarray:
    drawn = generator(rng).random(shape, dtype=np.float32)
    return (2 * drawn - 1) * np.float32(math.sqrt(3) * deviation)


if not TYPE_CHECKING:  # which knows what is here

    def __getattr__(name):
        raise hints.missing(f"module {__name__!r}", name, hints.INIT)
