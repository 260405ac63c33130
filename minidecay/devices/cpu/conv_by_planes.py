"""Convolution at stride 1 of images with few channels: windows written out a whole plane at a time.

The windows of a colour image are short runs of values, and to copy these one by one takes longer
than to multiply them. So the channels are taken apart first, into planes, and a plane of many
images is laid out as one long row of pixels. Zeros stand above each image and left of each of its
rows. Those that a window wants below or at the right are there too: they are the next image's, the
next row's. With a padding of 1:

    . . . .
    . 1 2 3       the row:  . . . . . 1 2 3 . 4 5 6 . . . . . 7 8 ...
    . 4 5 6
    . . . .       The pitch, from a pixel to the one below it, is 4 here; an image takes 12 pixels.
    . 7 8 ...

The window whose first pixel is q has at its place (a, b) pixel q + a pitch + b, whatever q is. So
what all windows have there is the row itself from a pitch + b on, and one long copy writes it:

    columns[(a, b, c), q] = plane_c[q + a pitch + b]
    sums = columns^T @ w.reshape(kh kw C, F)
    gw = columns @ gy, where gy lies as the sums do

It is the matrix of `conv_by_columns` lying on its side, which BLAS reads as well. A q whose window
reaches over the end of a row or an image (here the last of each) is of no output: its sum is not
read, and its gy is 0. There is room for all outputs where the padding is below the kernel's size.
"""

from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np

from minidecay.devices.cpu.cutting import cut, parts
from minidecay.devices.cpu.elementwise import finish
from minidecay.devices.cpu.windows import output_size
from minidecay.devices.protocol import Activation, Pair, Shape

VALUES = 1 << 18  # of the columns and sums of some images: 1 MiB, which a core's cache holds


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
    weights, rows = w.reshape(-1, filters), Rows(x.shape[1], x.shape[2], padding)
    for part, columns in _columns(x, w.shape, rows):
        sums = (columns.transpose(1, 2, 0) @ weights).reshape(-1, filters)
        y[part] = rows.outputs(sums, part.stop - part.start, pixels)
        finish(y[part], bias, None if residual is None else residual[part], activation)
    return y


def conv2d_weight_grad(
    gy: np.ndarray, x: np.ndarray, w_shape: Shape, *, stride: Pair, padding: Pair
) -> np.ndarray:
    filters = w_shape[3]
    gw = np.zeros((w_shape[0] * w_shape[1] * w_shape[2], filters), gy.dtype)
    rows, sums = Rows(x.shape[1], x.shape[2], padding), np.zeros((0, filters), gy.dtype)
    for part, columns in _columns(x, w_shape, rows):
        count, (_, tiles, tile) = part.stop - part.start, columns.shape
        if not len(sums):
            sums = np.zeros((tiles * tile, filters), gy.dtype)
        rows.outputs(sums, count, gy.shape[1:3])[...] = gy[part]
        sums[count * rows.image :] = 0  # the part before may have been longer
        products = columns.swapaxes(0, 1) @ sums.reshape(tiles, tile, filters)
        gw += products[0] if tiles == 1 else products.sum(axis=0)
    return gw.reshape(w_shape)


@dataclass(frozen=True)
class Rows:
    """How images of (height, width) with a padding lie in rows of pixels (pixels, values)."""

    height: int
    width: int
    padding: Pair

    @property
    def pitch(self) -> int:
        return self.width + self.padding[1]

    @property
    def image(self) -> int:
        return (self.height + self.padding[0]) * self.pitch

    def inputs(self, row: np.ndarray, count: int) -> np.ndarray:
        """The first `count` images in a row, without their zeros: a view."""
        return self._grid(row, count)[:, self.padding[0] :, self.padding[1] :]

    def outputs(self, sums: np.ndarray, count: int, pixels: Pair) -> np.ndarray:
        """The outputs (OH, OW) of the first `count` images in a row of sums: a view."""
        return self._grid(sums, count)[:, : pixels[0], : pixels[1]]

    def _grid(self, row: np.ndarray, count: int) -> np.ndarray:
        return row[: count * self.image].reshape(count, -1, self.pitch, row.shape[1])


def _columns(x: np.ndarray, w_shape: Shape, rows: Rows) -> Iterator[tuple[slice, np.ndarray]]:
    """Some images at a time: which, and their columns (kh kw C, tiles, tile), until the next."""
    kh, kw, channels, filters = w_shape
    length = kh * kw * channels
    some, each = parts(len(x), rows.image * (length + filters), VALUES)
    tiles, tile = cut(some * rows.image, length * filters, least=16)
    pixels = tiles * tile
    planes = np.zeros((channels, pixels + (kh - 1) * rows.pitch + kw - 1), x.dtype)
    columns = np.empty((kh, kw, channels, pixels), x.dtype)
    for part in each:
        rows.inputs(planes.T, part.stop - part.start)[...] = x[part]
        for a, b in np.ndindex(kh, kw):
            start = a * rows.pitch + b
            columns[a, b] = planes[:, start : start + pixels]
        yield part, columns.reshape(length, tiles, tile)
