"""Sums, maxima and sums of squares of shares of rows and of columns, in float64."""

from collections.abc import Callable, Iterator

import numpy as np

from minidecay.cuda.cases.case import Case, shares, unwritten

__all__ = ["cases"]

# (rows, length): around 32 lanes and 8 warps, and around the 8 numbers that a lane asks for.
_ROWS = [(1, 1), (3, 31), (9, 33), (8, 32), (2, 700)]
# (rows, length, parts): around 256 threads; parts that are ragged, and more than numbers.
_LONG_ROWS = [(1, 1, 1), (2, 257, 1), (3, 512, 2), (1, 3, 5), (2, 2500, 3)]
# (outer, length, inner, parts, columns of a block): around a block's columns and its rows.
_COLUMNS = [
    *((1, 1, 2, 1, 32), (2, 9, 33, 1, 32), (3, 8, 32, 2, 32), (1, 70, 5, 3, 32), (2, 3, 31, 5, 32)),
    *((1, 131, 3, 1, 4), (2, 300, 9, 2, 8)),
]


def _square_sum(x: np.ndarray, axis: int) -> np.ndarray:
    return np.asarray((x * x).sum(axis=axis))


_OPS: dict[str, tuple[Callable[..., np.ndarray], float]] = {
    "sum": (np.sum, 0.0),
    "max": (np.max, -np.inf),
    "square_sum": (_square_sum, 0.0),
}


def cases(rng: np.random.Generator) -> Iterator[Case]:
    """Each operation on all sizes, and a maximum over numbers of which one is no number."""
    for op, (of, nothing) in _OPS.items():
        defines: dict[str, int | str] = {"OP": op}
        for rows, length in _ROWS:
            x = rng.standard_normal((rows, length), dtype=np.float32)
            arguments = (x, unwritten(rows), rows, length)
            expected = of(x.astype(np.float64), axis=1)
            yield Case("reduce_rows", f"{op} of {x.shape}", arguments, {"y": expected}, defines)
        for rows, length, parts in _LONG_ROWS:
            x = rng.standard_normal((rows, length), dtype=np.float32)
            yield _long_rows(op, f"{x.shape} in {parts}", x, parts)
        for outer, length, inner, parts, columns in _COLUMNS:
            x = rng.standard_normal((outer, length, inner), dtype=np.float32)
            whole = (x, unwritten(outer, parts, inner), outer, length, inner, parts)
            expected = _of_shares(of, nothing, x, parts)
            options = defines if columns == 32 else {**defines, "COLUMNS": columns}
            label = f"{op} of {x.shape} in {parts}, {columns} columns a block"
            yield Case("reduce_columns", label, whole, {"y": expected}, options)
    x = rng.standard_normal((2, 300), dtype=np.float32)
    x[0, 77] = np.nan
    yield _long_rows("max", "a row with a NaN", x, 1)


def _long_rows(op: str, label: str, x: np.ndarray, parts: int) -> Case:
    arguments = (x, unwritten(len(x), parts), *x.shape, parts)
    expected = {"y": _of_shares(*_OPS[op], x[:, :, None], parts)[:, :, 0]}
    return Case("reduce_long_rows", f"{op} of {label}", arguments, expected, {"OP": op})


def _of_shares(
    of: Callable[..., np.ndarray], nothing: float, x: np.ndarray, parts: int
) -> np.ndarray:
    """(outer, parts, inner): part p has its cdiv(length, parts) of the middle axis, or nothing."""
    result = np.full((x.shape[0], parts, x.shape[2]), nothing)
    for part, share in enumerate(shares(x.shape[1], parts)):
        if (values := x[:, share].astype(np.float64)).shape[1]:
            result[:, part] = of(values, axis=1)
    return result
