"""Batch normalisation of (rows, channels): moments in parts, merged; forward and backward.

Formulas as in `minidecay/devices/cpu/normalization.py`, here in float64.
"""

from collections.abc import Iterator

import numpy as np

from minidecay.cuda.cases.case import Case, shares, unwritten

__all__ = ["cases"]

# (rows, channels, parts): around 32 channels and 8 rows; ragged parts, and more parts than rows.
_SIZES = [(2, 1, 1), (9, 33, 1), (16, 32, 2), (70, 5, 3), (3, 31, 5)]
_FEW_CHANNELS = (150, 3, 2)  # four columns a block, not 32
_OPTIONS: list[dict[str, int | str]] = [{}, {"RELU": 1}, {"RELU": 1, "RESIDUAL": 1}]
_EPS = 1e-3


def cases(rng: np.random.Generator) -> Iterator[Case]:
    """Each kernel on all sizes; the activation and the residual where they matter."""
    yield from _moments(rng, 1, 5, 1)
    for sizes in _SIZES:
        yield from _moments(rng, *sizes)
        for options in _OPTIONS:
            yield from _forward_and_backward(rng, *sizes, options)
    few: dict[str, int | str] = {"COLUMNS": 4}
    yield from _moments(rng, *_FEW_CHANNELS, few)
    yield from _forward_and_backward(rng, *_FEW_CHANNELS, few)
    yield _special(rng)


def _special(rng: np.random.Generator) -> Case:
    """A NaN passes the activation; what is infinite below becomes zero."""
    x, one, zero = rng.standard_normal((3, 4), dtype=np.float32), np.ones(4), np.zeros(4)
    x[1, 1:] = np.nan, np.inf, -np.inf
    statistics = [each.astype(np.float32) for each in (one, zero, zero, one)]
    expected = {"y": np.maximum(x.astype(np.float64) / np.sqrt(1 + _EPS), 0)}
    arguments = (x, *statistics, None, unwritten(*x.shape), _EPS, *x.shape)
    return Case("normalize", "special values, relu", arguments, expected, {"RELU": 1})


def _moments(
    rng: np.random.Generator,
    rows: int,
    channels: int,
    parts: int,
    options: dict[str, int | str] | None = None,
) -> Iterator[Case]:
    """Numbers whose mean is 300 times their deviation, so that a naive variance fails."""
    x = (100 + 0.3 * rng.standard_normal((rows, channels))).astype(np.float32)
    exact = x.astype(np.float64)
    part_mean, part_m2 = np.zeros((2, parts, channels))
    for i, share in enumerate(shares(rows, parts)):
        if len(exact[share]):
            part_mean[i] = exact[share].mean(axis=0)
            part_m2[i] = exact[share].var(axis=0) * len(exact[share])
    label, sizes = f"{rows}x{channels} in {parts}", (rows, channels, parts)
    part = (unwritten(parts, channels), unwritten(parts, channels))
    # The mean is right to some 1e-5, a step of float32 at 100; its square is the variance's error.
    yield Case(
        "channel_moments",
        label,
        (x, *part, *sizes),
        {"part_mean": part_mean, "part_m2": part_m2},
        options or {},
        rtol=1e-3,
        atol=1e-8,
    )
    given = (part_mean.astype(np.float32), part_m2.astype(np.float32))
    yield Case(
        "merge_moments",
        label,
        (*given, unwritten(channels), unwritten(channels), *sizes),
        {"mean": exact.mean(axis=0), "var": exact.var(axis=0)},
        rtol=2e-2,
        atol=1e-8,
    )


def _forward_and_backward(
    rng: np.random.Generator, rows: int, channels: int, parts: int, options: dict[str, int | str]
) -> Iterator[Case]:
    def normal(*shape: int) -> np.ndarray:
        return rng.standard_normal(shape, dtype=np.float32)

    whole = (rows, channels)
    x, gy, residual = normal(*whole), normal(*whole), normal(*whole)
    gamma, beta, mean, var = normal(channels), normal(channels), normal(channels), normal(channels)
    var = np.square(var)
    label = ", ".join([f"{rows}x{channels}", *map(str.lower, options)])
    inverse = 1 / np.sqrt(var.astype(np.float64) + _EPS)
    normalized = (x.astype(np.float64) - mean) * inverse
    y = gamma * normalized + beta + ("RESIDUAL" in options) * residual
    if "RELU" in options:
        y = np.maximum(y, 0)
    statistics = (gamma, beta, mean, var)
    added = residual if "RESIDUAL" in options else None
    arguments = (x, *statistics, added, unwritten(*whole), _EPS, *whole)
    near = {"rtol": 1e-5, "atol": 1e-4}  # 1 / sqrt(var + eps) is up to 30
    yield Case("normalize", label, arguments, {"y": y}, options, **near)

    after = y.astype(np.float32) if "RELU" in options else None
    g = gy * (y > 0) if "RELU" in options else gy.astype(np.float64)
    part_gbeta = np.array([g[share].sum(axis=0) for share in shares(rows, parts)])
    part_ggamma = np.array([(g * normalized)[share].sum(axis=0) for share in shares(rows, parts)])
    part = (unwritten(parts, channels), unwritten(parts, channels))
    yield Case(
        "channel_gradients",
        f"{label} in {parts}",
        (gy, x, after, mean, var, *part, _EPS, rows, channels, parts),
        {"part_gbeta": part_gbeta, "part_ggamma": part_ggamma},
        options,
        rtol=1e-4,
        atol=2e-4,
    )
    gbeta, ggamma = part_gbeta.sum(axis=0), part_ggamma.sum(axis=0)
    given = (part_gbeta.astype(np.float32), part_ggamma.astype(np.float32))
    if "RELU" not in options:
        yield Case(
            "merge_gradients",
            f"{channels} channels in {parts}",
            (*given, unwritten(channels), unwritten(channels), channels, parts),
            {"gbeta": gbeta, "ggamma": ggamma},
            rtol=1e-5,
            atol=1e-4,
        )
    sums = (gbeta.astype(np.float32), ggamma.astype(np.float32))
    split = unwritten(*whole) if "RESIDUAL" in options else None
    expected = {"gx": gamma * inverse * (g - gbeta / rows - normalized * ggamma / rows)}
    if "RESIDUAL" in options:
        expected["gresidual"] = g
    yield Case(
        "batch_norm_grad",
        label,
        (gy, x, after, gamma, mean, var, *sums, unwritten(*whole), split, _EPS, *whole),
        expected,
        options,
        rtol=1e-4,
        atol=5e-4,
    )
