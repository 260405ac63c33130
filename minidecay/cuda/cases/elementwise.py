"""Elementwise operations by NumPy's own in float64, on numbers of every kind, and broadcast."""

import math
from collections.abc import Callable, Iterator
from typing import Any

import numpy as np

from minidecay.cuda.cases.case import Case, unwritten

__all__ = ["cases"]


def _sigmoid(x: np.ndarray) -> np.ndarray:
    return np.asarray(0.5 * (np.tanh(0.5 * x) + 1))


def _relu(x: np.ndarray) -> np.ndarray:
    return np.asarray(np.maximum(x, 0))


def _relu_grad(gy: np.ndarray, y: np.ndarray) -> np.ndarray:
    return np.where(y > 0, gy, 0)


_UNARY: dict[str, Callable[..., Any]] = {
    "neg": np.negative,
    "exp": np.exp,
    "log": np.log,
    "log1p": np.log1p,
    "sqrt": np.sqrt,
    "abs": np.abs,
    "sign": np.sign,
    "tanh": np.tanh,
    "erf": np.vectorize(math.erf, otypes=[np.float64]),
    "sigmoid": _sigmoid,
    "relu": _relu,
}
_BINARY: dict[str, Callable[..., Any]] = {
    "add": np.add,
    "sub": np.subtract,
    "mul": np.multiply,
    "div": np.divide,
    "pow": np.power,
    "maximum": np.maximum,
    "minimum": np.minimum,
    "relu_grad": _relu_grad,
}
_COMPARISONS: dict[str, Callable[..., Any]] = {
    "greater": np.greater,
    "greater_equal": np.greater_equal,
    "less": np.less,
    "less_equal": np.less_equal,
    "equal": np.equal,
    "not_equal": np.not_equal,
}
_SPECIAL = np.array([0.0, -0.0, 1.0, -1.0, np.inf, -np.inf, np.nan, 0.5, -2.0], np.float32)
# Axes along which x, or y, repeats.
_BROADCASTS: list[tuple[tuple[int, ...], tuple[int, ...]]] = [
    ((1, 3), (0, 2)),
    ((0,), ()),
    ((), (3,)),
    ((3,), (0, 1, 2)),
]
# The output: more than a block of any kernel takes, in rows that are fours and that are not; and
# rows that a thread's four do not fit into.
_SHAPES = ((2, 3, 13, 17), (2, 3, 12, 20), (3, 2, 2, 2))


def cases(rng: np.random.Generator) -> Iterator[Case]:
    """Each operation on special values; then sizes, broadcasting and numbers."""
    with np.errstate(all="ignore"):
        for op, of in _UNARY.items():
            yield _unary(op, of, _SPECIAL)
            yield _unary(op, of, rng.standard_normal(4, dtype=np.float32))
        for n in (1, 3, 1023, 1024, 1027):
            yield _unary("neg", np.negative, rng.standard_normal(n, dtype=np.float32))
        for kernel, table in (("binary", _BINARY), ("compare", _COMPARISONS)):
            for op, of in table.items():
                yield _pairs(kernel, op, of)
        for shape in _SHAPES:
            yield from _spread(rng, shape)


def _spread(rng: np.random.Generator, shape: tuple[int, ...]) -> Iterator[Case]:
    """Operands that repeat along some axes, and numbers."""
    for axes in _BROADCASTS:
        x, y = (_repeated(rng, shape, along) for along in axes)
        label = f"{shape}, x along {axes[0]}, y {axes[1]}"
        yield _binary("binary", "sub", np.subtract, x, y, label)
        yield _binary("compare", "less", np.less, x, y, label)
        for repeated in (True, False):
            yield _where(rng, shape, x, y, repeated=repeated)
    x = _repeated(rng, shape, ())
    for kernel, op, of in (("binary", "div", np.divide), ("compare", "less", np.less)):
        yield _binary(kernel, op, of, x, 0.75, f"{shape}, y a number")
        yield _binary(kernel, op, of, 0.75, x, f"{shape}, x a number")
    yield _where(rng, shape, x, 0.75)
    yield _where(rng, shape, 0.75, x)


def _unary(op: str, of: Callable[..., Any], x: np.ndarray) -> Case:
    expected = {"y": of(x.astype(np.float64))}
    return Case(
        "unary", f"{op} of {x.size}", (x, unwritten(*x.shape), x.size), expected, {"OP": op}
    )


def _repeated(
    rng: np.random.Generator, shape: tuple[int, ...], axes: tuple[int, ...]
) -> np.ndarray:
    kept = [1 if a in axes else n for a, n in enumerate(shape)]
    return rng.standard_normal(kept).astype(np.float32)


def _pairs(kernel: str, op: str, of: Callable[..., Any]) -> Case:
    """Every special value with every other."""
    x, y = (np.ascontiguousarray(each) for each in np.meshgrid(_SPECIAL, _SPECIAL, indexing="ij"))
    return _binary(kernel, op, of, x.reshape(1, 1, *x.shape), y.reshape(1, 1, *y.shape), "special")


def _binary(kernel: str, op: str, of: Callable[..., Any], x: Any, y: Any, label: str) -> Case:
    exact = [each.astype(np.float64) if isinstance(each, np.ndarray) else each for each in (x, y)]
    expected = of(*exact)
    out = (
        np.full(expected.shape, 7, np.uint8) if kernel == "compare" else unwritten(*expected.shape)
    )
    arrays, numbers = _operands(x, y)
    arguments = (*arrays, *numbers, out, out.size, *out.shape[1:], *_strides(x), *_strides(y))
    wanted = {"out": expected.astype(out.dtype) if kernel == "compare" else expected}
    return Case(kernel, f"{op}, {label}", arguments, wanted, {"OP": op})


def _where(
    rng: np.random.Generator, shape: tuple[int, ...], x: Any, y: Any, *, repeated: bool = True
) -> Case:
    condition = rng.integers(0, 2, (*shape[:3], 1 if repeated else shape[3])).astype(np.uint8)
    expected = np.where(condition, x, y)
    arrays, numbers = _operands(x, y)
    strides = (*_strides(condition), *_strides(x), *_strides(y))
    arguments = (
        condition,
        *arrays,
        *numbers,
        unwritten(*expected.shape),
        expected.size,
        *shape[1:],
        *strides,
    )
    label = f"{condition.shape} of {np.shape(x)} and {np.shape(y)}"
    return Case("where", label, arguments, {"out": expected})


def _operands(*operands: Any) -> tuple[list[np.ndarray | None], list[float]]:
    arrays = [each if isinstance(each, np.ndarray) else None for each in operands]
    return arrays, [0.0 if isinstance(each, np.ndarray) else each for each in operands]


def _strides(x: Any) -> tuple[int, ...]:
    """In elements, 0 where an axis is repeated, and of a number."""
    if not isinstance(x, np.ndarray):
        return (0, 0, 0, 0)
    return tuple(0 if n == 1 else s // x.itemsize for n, s in zip(x.shape, x.strides, strict=True))
