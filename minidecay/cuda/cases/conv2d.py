"""Convolution and its two gradients, for every rung of the conv2d ladder but 02_im2col."""

from collections.abc import Iterator

import numpy as np

from minidecay.cuda.cases.case import Case, shares, unwritten
from minidecay.cuda.cases.im2col import Geometry, col2im, im2col, sums

__all__ = ["cases"]

_ALL: dict[str, int | str] = {"BIAS": 1, "RESIDUAL": 1, "RELU": 1}
_BIAS: dict[str, int | str] = {"BIAS": 1}
_POINTWISE = Geometry((2, 7, 6, 18), size=(1, 1), stride=(2, 2), padding=(0, 0))

# What is convolved, the filters O, the splits of the weight gradient, options. Tiles are 64 pixels
# by 64 channels by 16 summed over. A kernel's size and stride are a compile, so few are tried.
_EACH: list[tuple[Geometry, int, int, dict[str, int | str]]] = [
    (Geometry((1, 1, 1, 1)), 1, 1, {}),  # one of all
    (Geometry((2, 3, 4, 1), size=(1, 1), padding=(0, 0)), 1, 2, {}),  # and one summed over
    (Geometry((2, 5, 7, 3)), 5, 3, {}),  # three channels, ragged
    (Geometry((2, 8, 8, 4)), 64, 1, {}),  # two whole tiles, and 36 = 2 1/4 slices
    (Geometry((1, 5, 13, 65), padding=(1, 1)), 2, 2, {}),  # a tile and one pixel, one channel
    (Geometry((2, 3, 5, 20)), 24, 2, {}),  # channels in fours, and 180 = 11 1/4 slices
    (Geometry((1, 3, 4, 2), padding=(0, 0)), 65, 5, {}),  # more splits than pixels
    (Geometry((1, 1, 20, 2), padding=(2, 0)), 16, 1, {}),  # padded beyond the image
    (Geometry((1, 2, 2, 0)), 3, 1, {}),  # nothing to sum, in y
    (Geometry((1, 2, 2, 3)), 0, 1, {}),  # in gx
    (Geometry((0, 2, 2, 3)), 2, 2, {}),  # in gw
    (Geometry((2, 9, 8, 5), stride=(2, 2)), 18, 2, _ALL),
    (Geometry((2, 7, 6, 8), stride=(2, 2)), 12, 3, _ALL),
    (Geometry((3, 10, 11, 3), stride=(2, 2), padding=(0, 0)), 17, 4, _ALL),
    (Geometry((2, 1, 2, 3), stride=(2, 2)), 3, 1, _ALL),  # a phase without a pixel
    (_POINTWISE, 20, 1, _BIAS),  # most of gx meets no tap
    (Geometry((2, 6, 11, 3), size=(5, 2), stride=(1, 3), padding=(2, 0)), 4, 2, {"RELU": 1}),
    (Geometry((1, 2, 3, 2), size=(5, 2), stride=(1, 3), padding=(2, 1)), 3, 1, {"RELU": 1}),
]


def cases(rng: np.random.Generator) -> Iterator[Case]:
    """y, gx and gw for each, and sum_splits."""
    for geometry, filters, splits, options in _EACH:
        yield from _products(rng, geometry, filters, splits, options)
    yield from _products(rng, Geometry((2, 4, 5, 3), stride=(2, 2)), 4, 2, _ALL, with_nan=True)
    yield from sums(rng)


def _products(
    rng: np.random.Generator,
    geometry: Geometry,
    filters: int,
    splits: int,
    options: dict[str, int | str],
    *,
    with_nan: bool = False,
) -> Iterator[Case]:
    """The three; `with_nan` x has one NaN, which reaches y, past a ReLU, and the gradient of w."""

    def normal(*shape: int) -> np.ndarray:
        return rng.standard_normal(shape, dtype=np.float32)

    def case(kernel: str, *arguments: np.ndarray | int | None, **expected: np.ndarray) -> Case:
        label = ", ".join([f"{geometry}, {filters} filters", *map(str.lower, options)])
        label += ", a NaN" * with_nan
        defines = {**geometry.defines, **options}
        return Case(kernel, label, arguments, expected, defines, rtol=1e-5, atol=5e-5)

    channels = geometry.image[3]
    x, w = normal(*geometry.image), normal(*geometry.size, channels, filters)
    if with_nan:
        x[0, 1, 2, 0] = np.nan
    y_shape = (geometry.image[0], *geometry.out, filters)
    bias, residual, gy = normal(filters), normal(*y_shape), normal(*y_shape)
    sizes = (*geometry.image, *geometry.out, filters, *geometry.padding)
    columns = im2col(x, geometry)
    matrix = w.reshape(columns.shape[1], filters).astype(np.float64)
    gy_rows = gy.reshape(geometry.pixels, filters).astype(np.float64)

    y = (columns @ matrix).reshape(y_shape)
    if "BIAS" in options:
        y += bias
    if "RESIDUAL" in options:
        y += residual
    if "RELU" in options:
        y = np.maximum(y, 0)
    added = (bias if "BIAS" in options else None, residual if "RESIDUAL" in options else None)
    yield case("conv2d", x, w, *added, unwritten(*y_shape), *sizes, y=y)

    gx = col2im(gy_rows @ matrix.T, geometry)
    yield case("conv2d_input_grad", gy, w, unwritten(*x.shape), *sizes, gx=gx)

    parts = shares(geometry.pixels, splits)
    gw = np.stack([columns[each].T @ gy_rows[each] for each in parts])
    partial = gw.reshape(splits, *w.shape)
    arguments = (gy, x, unwritten(*partial.shape), *sizes, splits)
    yield case("conv2d_weight_grad", *arguments, partial=partial)
