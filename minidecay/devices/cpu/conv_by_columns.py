"""Convolution by columns: the windows of an image, written out as the rows of a matrix ("im2col").

    y[n, i, j, :] = columns[(n, i, j), :] @ w.reshape(kh kw C, F)
    columns[(n, i, j), (a, b, c)] = x[n, i s + a - p, j s + b - p, c]

One product over all places of the kernel keeps BLAS busy where a product for each place, over C
values, does not. The columns of a whole batch are kh kw times as large as the images and would pass
through every cache; those of a few images at a time stay in one.

The gradient of the weights is columns^T @ gy. That of the input is again a convolution: along one
axis, input h meets the output pixels t and places a with t s + a = h + p, so of the places only
a = r, r + s, ... with r = (h + p) mod s. All h with one r form an image of their own, which is gy,
padded or cropped, convolved at stride 1 with those places of the kernel in reverse.
"""

from collections.abc import Iterator

import numpy as np
from numpy.lib.stride_tricks import sliding_window_view

from minidecay.devices.cpu.cutting import divisor
from minidecay.devices.cpu.elementwise import finish
from minidecay.devices.cpu.windows import output_size
from minidecay.devices.protocol import Activation, Pair, Shape

COLUMNS = 1 << 17  # values of the columns of some images: half a MiB, which a core's cache holds
Sides = tuple[Pair, Pair]  # rows above and below, columns left and right; below 0 to cut


def conv2d(
    x: np.ndarray,
    w: np.ndarray,
    *,
    stride: Pair,
    padding: Pair,
    bias: np.ndarray | None = None,
    residual: np.ndarray | None = None,
    activation: Activation = None,
    out: np.ndarray | None = None,
) -> np.ndarray:
    pixels = output_size(x.shape, w.shape[:2], stride, padding)
    y = np.empty((len(x), *pixels, w.shape[3]), x.dtype) if out is None else out
    for part in _convolve(x, w, stride, _both_sides(padding), y):
        finish(y[part], bias, None if residual is None else residual[part], activation)
    return y


def conv2d_input_grad(
    gy: np.ndarray,
    w: np.ndarray,
    x_shape: Shape,
    *,
    stride: Pair,
    padding: Pair,
    out: np.ndarray | None = None,
) -> np.ndarray:
    gx = np.empty(x_shape, gy.dtype) if out is None else out
    back = w[::-1, ::-1].swapaxes(2, 3)
    for i in range(min(stride[0], x_shape[1])):
        for j in range(min(stride[1], x_shape[2])):
            image = gx[:, i :: stride[0], j :: stride[1]]
            rows, above = _met(i, image.shape[1], gy.shape[1], w.shape[0], stride[0], padding[0])
            cols, left = _met(j, image.shape[2], gy.shape[2], w.shape[1], stride[1], padding[1])
            places = back[rows, cols]
            if places.size == 0:  # the windows jump over these pixels
                image[...] = 0
                continue
            for _ in _convolve(gy, places, (1, 1), (above, left), image):
                pass
    return gx


def conv2d_weight_grad(
    gy: np.ndarray, x: np.ndarray, w_shape: Shape, *, stride: Pair, padding: Pair
) -> np.ndarray:
    filters = w_shape[3]
    out = gy.shape[1], gy.shape[2]
    gw = np.zeros((w_shape[0] * w_shape[1] * w_shape[2], filters), gy.dtype)
    for part, columns in _columns(x, w_shape[:2], stride, _both_sides(padding), out):
        # A tile's product is as large as gw, so only long ones are worth it.
        tile = divisor(len(columns), gw.size, least=96)
        tiles = columns.reshape(-1, tile, len(gw)).swapaxes(1, 2)
        products = tiles @ gy[part].reshape(-1, tile, filters)
        gw += products[0] if len(products) == 1 else products.sum(axis=0)
    return gw.reshape(w_shape)


def _convolve(
    x: np.ndarray, w: np.ndarray, stride: Pair, sides: Sides, y: np.ndarray
) -> Iterator[slice]:
    """Convolve into y, some images at a time, and say which are done."""
    filters = w.shape[3]
    weights = np.ascontiguousarray(w).reshape(-1, filters)
    for part, columns in _columns(x, w.shape[:2], stride, sides, y.shape[1:3]):
        tile = divisor(len(columns), weights.size, least=16)
        tiles = columns.reshape(-1, tile, len(weights))
        if y.flags.c_contiguous:
            np.matmul(tiles, weights, out=y[part].reshape(-1, tile, filters))
        else:
            y[part] = (tiles @ weights).reshape(y[part].shape)
        yield part


def _columns(
    x: np.ndarray, size: Shape, stride: Pair, sides: Sides, out: Shape
) -> Iterator[tuple[slice, np.ndarray]]:
    """Some images at a time: which, and their windows (pixels, kh kw C), good until the next."""
    x, sides = _cut(x, sides)
    (above, below), (left, right) = sides
    n, height, width, channels = x.shape
    length = size[0] * size[1] * channels
    some = min(max(1, n), max(1, COLUMNS // max(1, out[0] * out[1] * length)))
    padded = np.zeros((some, above + height + below, left + width + right, channels), x.dtype)
    inner = padded[:, above : above + height, left : left + width]
    columns = np.empty((some, *out, *size, channels), x.dtype)
    windows = sliding_window_view(padded, size, axis=(1, 2))[:, :: stride[0], :: stride[1]]
    windows = windows.transpose(0, 1, 2, 4, 5, 3)[:, : out[0], : out[1]]
    for start in range(0, n, some):
        part = slice(start, min(n, start + some))
        count = part.stop - start
        inner[:count] = x[part]
        columns[:count] = windows[:count]
        yield part, columns[:count].reshape(count * out[0] * out[1], length)


def _met(
    first: int, count: int, outputs: int, places: int, stride: int, padding: int
) -> tuple[slice, Pair]:
    """What the inputs first, first + s, ... meet along an axis, `count` of them.

    Which places of the reversed kernel; and how many outputs to put before and after those there
    are, so that the first input's window is the first and the last one's the last.
    """
    offset, r = divmod(first + padding, stride)
    met = len(range(r, places, stride))
    last = r + stride * (met - 1)
    which = slice(places - 1 - last, None, stride) if met else slice(0)
    return which, (met - 1 - offset, count + offset - outputs)


def _both_sides(padding: Pair) -> Sides:
    return (padding[0], padding[0]), (padding[1], padding[1])


def _cut(x: np.ndarray, sides: Sides) -> tuple[np.ndarray, Sides]:
    """x without what sides below 0 take off, and sides of at least 0."""
    (above, below), (left, right) = sides
    rows = slice(max(0, -above), x.shape[1] - max(0, -below))
    columns = slice(max(0, -left), x.shape[2] - max(0, -right))
    return x[:, rows, columns], ((max(0, above), max(0, below)), (max(0, left), max(0, right)))
