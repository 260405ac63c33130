"""C = act(op(A) @ op(B) + bias + residual), for every rung of the matmul ladder."""

from collections.abc import Iterator

import numpy as np

from minidecay.cuda.cases.case import Case, unwritten

__all__ = ["cases"]

# (M, N, K): one, ragged around tiles of 8 to 128, a single k and none, and multiples of four.
_PLAIN = [
    *((1, 1, 1), (2, 3, 1), (33, 17, 9), (15, 16, 17), (65, 63, 5), (129, 3, 17), (3, 129, 8)),
    *((31, 33, 40), (5, 7, 0), (68, 132, 20), (64, 64, 16)),
]
_EACH_OPTION = [(1, 2, 3), (33, 18, 17), (20, 68, 8), (4, 3, 0)]
_OPTIONS: list[dict[str, int | str]] = [
    {"TRANSPOSE_A": 1},
    {"TRANSPOSE_B": 1, "BIAS": 1},
    {"TRANSPOSE_A": 1, "TRANSPOSE_B": 1, "RESIDUAL": 1, "RELU": 1},
    {"BIAS": 1, "RESIDUAL": 1, "RELU": 1},
]


def cases(rng: np.random.Generator) -> Iterator[Case]:
    """Plain products of telling sizes, each option, and batches."""
    for sizes in _PLAIN:
        yield _case(rng, *sizes, {})
    for options in _OPTIONS:
        for sizes in _EACH_OPTION:
            yield _case(rng, *sizes, options)
    for options in ({}, _OPTIONS[-1]):
        yield _case(rng, 17, 9, 5, options, batch=3)
        yield _case(rng, 17, 9, 5, options, batch=3, one_b=True)
    for sizes in ((33, 18, 17), (20, 68, 8)):
        yield _case(rng, *sizes, _OPTIONS[-1], with_nan=True)


def _case(
    rng: np.random.Generator,
    m: int,
    n: int,
    k: int,
    options: dict[str, int | str],
    *,
    batch: int = 1,
    one_b: bool = False,
    with_nan: bool = False,
) -> Case:
    """One product of normal numbers; with `one_b` the whole batch is multiplied by one B.

    With `with_nan` a row of A has one NaN: that row of C is NaN, past any ReLU, and no other.
    """

    def normal(*shape: int) -> np.ndarray:
        return rng.standard_normal(shape, dtype=np.float32)

    a, b = normal(batch, m, k), normal(1 if one_b else batch, k, n)
    if with_nan:
        a[0, m // 2, k // 2] = np.nan
    bias, residual = normal(n), normal(batch, m, n)
    expected = a.astype(np.float64) @ b.astype(np.float64)
    if "BIAS" in options:
        expected += bias
    if "RESIDUAL" in options:
        expected += residual
    if "RELU" in options:
        expected = np.maximum(expected, 0)
    arguments = (
        np.ascontiguousarray(a.swapaxes(1, 2)) if "TRANSPOSE_A" in options else a,
        np.ascontiguousarray(b.swapaxes(1, 2)) if "TRANSPOSE_B" in options else b,
        bias if "BIAS" in options else None,
        residual if "RESIDUAL" in options else None,
        unwritten(batch, m, n),
        *(m, n, k, batch),
        m * k,
        0 if one_b else k * n,
    )
    label = ", ".join([f"{m}x{n}x{k}", *map(str.lower, options)])
    if batch > 1:
        label += f", batch {batch}" + " with one B" * one_b
    label += ", a NaN" * with_nan
    return Case("matmul", label, arguments, {"C": expected}, options, rtol=1e-5, atol=2e-5)
