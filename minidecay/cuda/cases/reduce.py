"""Sums, maxima and sums of squares of shares of rows and of columns, in float64."""

from collections.abc import Callable, Iterator

import numpy as np

from minidecay.cuda.cases.case import Case, shares, unwritten

__all__ = ["cases"]

# (rows, length, parts): around 32 lanes and 8 warps; parts that are ragged, and more than numbers.
_ROWS = [(1, 1, 1), (3, 31, 1), (9, 33, 1), (8, 32, 2), (2, 70, 3), (1, 3, 5), (1, 1000, 7)]
# (outer, length, inner, parts): around 32 columns and 8 rows.
_COLUMNS = [(1, 1, 2, 1), (2, 9, 33, 1), (3, 8, 32, 2), (1, 70, 5, 3), (2, 3, 31, 5)]


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
        for rows, length, parts in _ROWS:
            x = rng.standard_normal((rows, length), dtype=np.float32)
            arguments = (x, unwritten(rows, parts), rows, length, parts)
            expected = _of_shares(of, nothing, x[:, :, None], parts)[:, :, 0]
            yield Case("reduce_rows", f"{op} of {x.shape}", arguments, {"y": expected}, defines)
        for outer, length, inner, parts in _COLUMNS:
            x = rng.standard_normal((outer, length, inner), dtype=np.float32)
            whole = (x, unwritten(outer, parts, inner), outer, length, inner, parts)
            expected = _of_shares(of, nothing, x, parts)
            yield Case("reduce_columns", f"{op} of {x.shape}", whole, {"y": expected}, defines)


def _of_shares(
    of: Callable[..., np.ndarray], nothing: float, x: np.ndarray, parts: int
) -> np.ndarray:
    """(outer, parts, inner): part p has its cdiv(length, parts) of the middle axis, or nothing."""
    result = np.full((x.shape[0], parts, x.shape[2]), nothing)
    for part, share in enumerate(shares(x.shape[1], parts)):
        if (values := x[:, share].astype(np.float64)).shape[1]:
            result[:, part] = of(values, axis=1)
    return result
