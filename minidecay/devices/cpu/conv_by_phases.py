"""Convolution at stride 1 without writing out windows: every kw-th window at a time.

A row of a window is kw neighbouring pixels, and in a row of pixels (`flat_images.py`) these are
kw C values side by side. A matrix of all such windows would have rows that overlap, which BLAS does
not read. But those of every kw-th pixel do not overlap: they are the row itself, cut into pieces.
For kw = 3, in the row of pixels 0 1 2 3 ...:

    phase 0   [0 1 2] [3 4 5] [6 7 8] ...    gives the sums at 0, 3, 6, ...
    phase 1     [1 2 3] [4 5 6] [7 8 9] ...  at 1, 4, 7, ...
    phase 2       [2 3 4] [5 6 7] ...        at 2, 5, 8, ...

Each is a view, beginning a pixel later. So with the windows' row a, which lies a pitch further on,

    sums[phase::kw] = sum over a of  pieces(from a pitch + phase) @ w[a].reshape(kw C, F)

kh kw products over kw C values each, and nothing is copied but the images themselves, once.

The gradient of the input is the same of gy, padded by what is missing to kernel - 1, with the
kernel turned by half a turn. That of the weights is a sum over the phases:

    gw[a] = sum over phases of  pieces(from a pitch + phase)^T @ gy[phase::kw]

where gy lies as the sums do, with zeros at those that nobody reads.
"""

from collections.abc import Iterator

import numpy as np

from minidecay.devices.cpu.elementwise import finish
from minidecay.devices.cpu.flat_images import FlatImages
from minidecay.devices.cpu.products import cut, parts
from minidecay.devices.cpu.windows import output_size
from minidecay.devices.protocol import Activation, Pair, Shape

VALUES = 1 << 18  # of some images and their sums: 1 MiB, which a core's second cache holds


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
    for part in _convolve(x, w, padding, y):
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
    missing = w.shape[0] - 1 - padding[0], w.shape[1] - 1 - padding[1]
    for _ in _convolve(gy, w[::-1, ::-1].swapaxes(2, 3), missing, gx):
        pass
    return gx


def conv2d_weight_grad(
    gy: np.ndarray, x: np.ndarray, w_shape: Shape, *, stride: Pair, padding: Pair
) -> np.ndarray:
    kh, kw, channels, filters = w_shape
    flat = FlatImages(x.shape, padding)
    some, each = parts(len(x), flat.image * (channels + filters), VALUES)
    tiles, tile = cut(-(-some * flat.image // kw), kw * channels * filters, least=96)
    images = np.zeros((tiles * tile * kw + flat.beyond((kh, kw)), channels), x.dtype)
    sums = np.zeros((tiles * tile * kw, filters), gy.dtype)
    gw = np.zeros((kh, kw * channels, filters), gy.dtype)
    for part in each:
        count = part.stop - part.start
        flat.inputs(images, count)[...] = x[part]
        flat.outputs(sums, count, gy.shape[1:3])[...] = gy[part]
        sums[count * flat.image :] = 0  # the part before may have been longer
        for a, phase in np.ndindex(kh, kw):
            pieces = _pieces(images, a * flat.pitch + phase, (tiles, tile, kw * channels))
            products = pieces.swapaxes(1, 2) @ sums.reshape(tiles, tile, kw, filters)[:, :, phase]
            gw[a] += products[0] if tiles == 1 else products.sum(axis=0)
    return gw.reshape(w_shape)


def _convolve(x: np.ndarray, w: np.ndarray, padding: Pair, y: np.ndarray) -> Iterator[slice]:
    """Convolve into y, some images at a time, and say which are done."""
    kh, kw, channels, filters = w.shape
    weights = np.ascontiguousarray(w).reshape(kh, kw * channels, filters)
    flat = FlatImages(x.shape, padding)
    some, each = parts(len(x), flat.image * (channels + 2 * filters), VALUES)
    tiles, tile = cut(-(-some * flat.image // kw), kw * channels * filters, least=16)
    images = np.zeros((tiles * tile * kw + flat.beyond((kh, kw)), channels), x.dtype)
    sums, more = np.empty((2, tiles, tile, kw, filters), x.dtype)
    for part in each:
        count = part.stop - part.start
        flat.inputs(images, count)[...] = x[part]
        for a in range(kh):
            products = more if a else sums
            for phase in range(kw):
                pieces = _pieces(images, a * flat.pitch + phase, (tiles, tile, kw * channels))
                np.matmul(pieces, weights[a], out=products[:, :, phase])
            if 0 < a < kh - 1:
                sums += more
        first, last = (
            flat.outputs(each.reshape(-1, filters), count, y.shape[1:3]) for each in (sums, more)
        )
        if kh == 1:
            y[part] = first
        else:  # the last sum is of outputs only, and where they belong
            np.add(first, last, out=y[part])
        yield part


def _pieces(images: np.ndarray, start: int, shape: Shape) -> np.ndarray:
    """The row of pixels from `start` on, cut into pieces (tiles, tile, kw C): a view."""
    tiles, tile, length = shape
    pixels = tiles * tile * length // images.shape[1]
    return images[start : start + pixels].reshape(shape)
