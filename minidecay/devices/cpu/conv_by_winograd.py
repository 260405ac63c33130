"""Convolution by 3x3 kernels at stride 1 with a quarter of the multiplications: Winograd's F(4, 3).

Four outputs of a kernel g of three along an axis are the coefficients of a product of polynomials.
Such a product of degree 5 is known from its values at six points, here 0, 1, -1, 2, -2 and infinity
(Toom and Cook; Winograd 1980; for networks Lavin and Gray 2016). Read the other way round, as the
transpose of that, six inputs d give four outputs:

    y = A^T [(G g) * (B^T d)]

    d  six inputs       -> B^T d   six values
    g  three weights    -> G g     its values at the six points, up to factors that B^T makes good
    multiplied one by one: 6 multiplications in place of 4 * 3
    A^T                 -> four outputs

Along both axes: a tile of 6 x 6 inputs gives 4 x 4 outputs with 36 multiplications in place of 144.

    in:  +-----+-----+    tiles of 6 x 6 that overlap by two pixels    out:  4 x 4, side by side
         | 4x4 | 4x4 |

Over C channels and F filters "one by one" is a sum over c, so each of the 36 places is a matrix
product (tiles, C) @ (C, F). The transforms along both axes at once are products too, with the
Kronecker products of the small matrices: B^T (x) B^T is 36 x 36 and A^T (x) A^T is 16 x 36.

    V = (B (x) B)^T tiles      U = (G (x) G) w      Y = (A (x) A)^T (V_k @ U_k for k of 36)

Backwards: the gradient of the input is the convolution of gy with the kernel turned by half a turn.
That of the weights goes through the same linear maps from the right:

    gw = (G (x) G)^T (V_k^T @ [(A (x) A) gy]_k for k of 36)

The matrices hold factors up to 8, and 1/24: in float32 about a digit is lost, relative to the
largest outputs (1e-5, where the other ways have 1e-6).
"""

from collections.abc import Iterator
from typing import Any

import numpy as np
from numpy.lib.stride_tricks import sliding_window_view

from minidecay.devices.cpu.cutting import divisor, parts
from minidecay.devices.cpu.elementwise import finish
from minidecay.devices.cpu.windows import output_size
from minidecay.devices.protocol import Activation, Pair, Shape

B_T = np.array(
    [
        [4, 0, -5, 0, 1, 0],
        [0, -4, -4, 1, 1, 0],
        [0, 4, -4, -1, 1, 0],
        [0, -2, -1, 2, 1, 0],
        [0, 2, -1, -2, 1, 0],
        [0, 4, 0, -5, 0, 1],
    ]
)
G = np.array([[6, 0, 0], [-4, -4, -4], [-4, 4, -4], [1, 2, 4], [1, -2, 4], [0, 0, 24]]) / 24
A_T = np.array([[1, 1, 1, 1, 1, 0], [0, 1, -1, 2, -2, 0], [0, 1, 1, 4, 4, 0], [0, 1, -1, 8, -8, 1]])

VALUES = 1 << 19  # of the tiles of some images: 2 MiB


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
    for _ in _convolve(gy, w[::-1, ::-1].swapaxes(2, 3), (2 - padding[0], 2 - padding[1]), gx):
        pass
    return gx


def conv2d_weight_grad(
    gy: np.ndarray, x: np.ndarray, w_shape: Shape, *, stride: Pair, padding: Pair
) -> np.ndarray:
    channels, filters = w_shape[2:]
    back = _both_axes(A_T.T, x.dtype)
    gu = np.zeros((36, channels, filters), gy.dtype)
    outputs = products = np.zeros(0)
    for part, v, tiles in _transformed(x, padding, gy.shape):
        if not outputs.size:
            outputs = np.zeros((4, 4, *tiles, filters), gy.dtype)
            products = np.empty((36, v.shape[1], filters), gy.dtype)
        for i, j, pixels in _interleaved(gy[part]):
            outputs[i, j, : len(pixels), : pixels.shape[1], : pixels.shape[2]] = pixels
        outputs[:, :, part.stop - part.start :] = 0  # the part before may have been longer
        _apply(back, outputs.reshape(16, -1), products.reshape(36, -1))
        gu += v.swapaxes(1, 2) @ products
    gw = _both_axes(G.T, gy.dtype) @ gu.reshape(36, -1)
    return gw.reshape(w_shape)


def _convolve(x: np.ndarray, w: np.ndarray, padding: Pair, y: np.ndarray) -> Iterator[slice]:
    """Convolve into y, some images at a time, and say which are done."""
    channels, filters = w.shape[2:]
    u = (_both_axes(G, w.dtype) @ w.reshape(9, -1)).reshape(36, channels, filters)
    forth = _both_axes(A_T, x.dtype)
    outputs = products = np.zeros(0)
    for part, v, tiles in _transformed(x, padding, y.shape):
        if not outputs.size:
            outputs = np.empty((4, 4, *tiles, filters), x.dtype)
            products = np.empty((36, v.shape[1], filters), x.dtype)
        np.matmul(v, u, out=products)
        _apply(forth, products.reshape(36, -1), outputs.reshape(16, -1))
        for i, j, pixels in _interleaved(y[part]):
            pixels[...] = outputs[i, j, : len(pixels), : pixels.shape[1], : pixels.shape[2]]
        yield part


def _transformed(
    x: np.ndarray, padding: Pair, y_shape: Shape
) -> Iterator[tuple[slice, np.ndarray, Shape]]:
    """Some images at a time: which, V (36, tiles, C), until the next, and what tiles there are."""
    (_, height, width, channels), (above, left) = x.shape, padding
    down, across = -(-y_shape[1] // 4), -(-y_shape[2] // 4)
    values = down * across * (72 * channels + 52 * y_shape[3])
    some, each = parts(len(x), values, VALUES)
    padded = np.zeros((some, 4 * down + 2, 4 * across + 2, channels), x.dtype)
    tiles = sliding_window_view(padded, (6, 6), axis=(1, 2))[:, ::4, ::4]
    tiles = tiles.transpose(4, 5, 0, 1, 2, 3)
    copied = np.empty(tiles.shape, x.dtype)
    v = np.empty((36, some * down * across, channels), x.dtype)
    transform = _both_axes(B_T, x.dtype)
    for part in each:
        inner = padded[: part.stop - part.start, above : above + height, left : left + width]
        inner[...] = x[part]
        copied[...] = tiles
        _apply(transform, copied.reshape(36, -1), v.reshape(36, -1))
        yield part, v, (some, down, across)


def _interleaved(y: np.ndarray) -> Iterator[tuple[int, int, np.ndarray]]:
    """For each place (i, j) of the 4 x 4 outputs of a tile, that output of every tile: a view."""
    return ((i, j, y[:, i::4, j::4]) for i in range(4) for j in range(4))


def _both_axes(matrix: np.ndarray, dtype: np.dtype[Any]) -> np.ndarray:
    return np.kron(matrix, matrix).astype(dtype)


def _apply(matrix: np.ndarray, values: np.ndarray, out: np.ndarray) -> None:
    """out = matrix @ values, some columns at a time."""
    length = values.shape[1]
    tile = divisor(length, matrix.size, least=16)
    np.matmul(
        matrix,
        values.reshape(len(values), -1, tile).swapaxes(0, 1),
        out=out.reshape(len(out), -1, tile).swapaxes(0, 1),
    )
