"""Products cut along their sum: each split's share of K, in slices of eight, and their sum."""

from collections.abc import Iterator

import numpy as np

from minidecay.cuda.cases.case import Case, shares, unwritten
from minidecay.cuda.expressions import cdiv

__all__ = ["cases"]

_SLICE = 8  # of K, BK in the kernel
# (M, N, K, splits): around a tile of 64 and a slice; more splits than slices, and no sum at all.
_SIZES = [(1, 1, 1, 1), (3, 5, 17, 2), (65, 63, 40, 3), (7, 66, 9, 4), (4, 5, 32, 4), (5, 7, 0, 2)]
_OPTIONS: list[dict[str, int | str]] = [
    {},
    {"TRANSPOSE_A": 1, "BIAS": 1},
    {"TRANSPOSE_B": 1, "BIAS": 1, "RESIDUAL": 1, "RELU": 1},
]


def cases(rng: np.random.Generator) -> Iterator[Case]:
    """Both kernels on all sizes and options; around a block of finish_splits and its splits."""
    for options in _OPTIONS:
        for sizes in _SIZES:
            yield _splits(rng, *sizes, options)
        for m, n, splits in ((1, 1, 1), (3, 11, 9), (8, 4, 70)):
            yield _finished(rng, m, n, splits, options)


def _splits(
    rng: np.random.Generator, m: int, n: int, k: int, splits: int, options: dict[str, int | str]
) -> Case:
    a, b = (rng.standard_normal(shape, dtype=np.float32) for shape in ((m, k), (k, n)))
    expected = np.zeros((splits, m, n))
    for part, share in zip(expected, shares(cdiv(k, _SLICE), splits), strict=True):
        some = slice(share.start * _SLICE, share.stop * _SLICE)
        part[...] = a[:, some].astype(np.float64) @ b[some].astype(np.float64)
    arguments = (
        np.ascontiguousarray(a.T) if "TRANSPOSE_A" in options else a,
        np.ascontiguousarray(b.T) if "TRANSPOSE_B" in options else b,
        unwritten(splits, m, n),
        *(m, n, k, splits),
    )
    label = ", ".join([f"{m}x{n}x{k} in {splits}", *map(str.lower, options)])
    return Case("matmul_splits", label, arguments, {"partial": expected}, options, atol=2e-5)


def _finished(
    rng: np.random.Generator, m: int, n: int, splits: int, options: dict[str, int | str]
) -> Case:
    partial = rng.standard_normal((splits, m, n), dtype=np.float32)
    bias, residual = (rng.standard_normal(shape, dtype=np.float32) for shape in (n, (m, n)))
    expected = partial.sum(axis=0, dtype=np.float64)
    if "BIAS" in options:
        expected += bias
    if "RESIDUAL" in options:
        expected += residual
    if "RELU" in options:
        expected = np.maximum(expected, 0)
    added = (bias if "BIAS" in options else None, residual if "RESIDUAL" in options else None)
    arguments = (partial, *added, unwritten(m, n), m, n, splits)
    label = ", ".join([f"{m}x{n} of {splits}", *map(str.lower, options)])
    return Case("finish_splits", label, arguments, {"C": expected}, options, atol=2e-5)
