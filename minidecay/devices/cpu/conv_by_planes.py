"""Convolution at stride 1 of images with few channels: windows written out a whole plane at a time.

The windows of a colour image are short runs of values, and copying these one by one takes longer
than multiplying them. So the channels are taken apart first, into planes. In a plane laid out as a
row of pixels (`flat_images.py`), what all windows have at their place (a, b) is the row itself from
pixel a pitch + b on: one long copy writes it for every window of many images.

    columns[(a, b, c), q] = plane_c[q + a pitch + b]
    sums = columns^T @ w.reshape(kh kw C, F)
    gw = columns @ gy, where gy lies as the sums do, with zeros at those that nobody reads

It is the matrix of `conv_by_columns` lying on its side, which BLAS reads as well.
"""

from collections.abc import Iterator

import numpy as np

from minidecay.devices.cpu.elementwise import finish
from minidecay.devices.cpu.flat_images import FlatImages
from minidecay.devices.cpu.products import cut, parts
from minidecay.devices.cpu.windows import output_size
from minidecay.devices.protocol import Activation, Pair, Shape

VALUES = 1 << 17  # values of the columns of some images: half a MiB, which a core's cache holds


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
    pixels, filters = output_size(x.shape, w.shape[:2], stride, padding), w.shape[3]
    y = np.empty((len(x), *pixels, filters), x.dtype) if out is None else out
    weights = w.reshape(-1, filters)
    flat = FlatImages(x.shape, padding)
    for part, columns in _columns(x, w.shape, flat):
        sums = columns.transpose(1, 2, 0) @ weights
        y[part] = flat.outputs(sums.reshape(-1, filters), part.stop - part.start, pixels)
        finish(y[part], bias, None if residual is None else residual[part], activation)
    return y


def conv2d_weight_grad(
    gy: np.ndarray, x: np.ndarray, w_shape: Shape, *, stride: Pair, padding: Pair
) -> np.ndarray:
    filters = w_shape[3]
    gw = np.zeros((w_shape[0] * w_shape[1] * w_shape[2], filters), gy.dtype)
    flat = FlatImages(x.shape, padding)
    sums = None
    for part, columns in _columns(x, w_shape, flat):
        count, (_, tiles, tile) = part.stop - part.start, columns.shape
        if sums is None:
            sums = np.zeros((tiles * tile, filters), gy.dtype)
        flat.outputs(sums, count, gy.shape[1:3])[...] = gy[part]
        sums[count * flat.image :] = 0  # the part before may have been longer
        products = columns.swapaxes(0, 1) @ sums.reshape(tiles, tile, filters)
        gw += products[0] if tiles == 1 else products.sum(axis=0)
    return gw.reshape(w_shape)


def _columns(x: np.ndarray, w_shape: Shape, flat: FlatImages) -> Iterator[tuple[slice, np.ndarray]]:
    """Some images at a time: which, and their columns (kh kw C, tiles, tile), until the next."""
    kh, kw, channels, filters = w_shape
    length = kh * kw * channels
    some, each = parts(len(x), flat.image * length, VALUES)
    tiles, tile = cut(some * flat.image, length * filters, least=16)
    pixels = tiles * tile
    planes = np.zeros((channels, pixels + flat.beyond((kh, kw))), x.dtype)
    columns = np.empty((kh, kw, channels, pixels), x.dtype)
    for part in each:
        flat.inputs(planes.T, part.stop - part.start)[...] = x[part]
        for a, b in np.ndindex(kh, kw):
            start = a * flat.pitch + b
            columns[a, b] = planes[:, start : start + pixels]
        yield part, columns.reshape(length, tiles, tile)
