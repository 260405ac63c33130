"""The windows that convolution and pooling slide over an image (N, H, W, C).

A kernel of (kh, kw) reads, for each of its kh * kw places (a, b), one strided view of the padded
image: the pixel under that place, for every output pixel at once. All of convolution and pooling
is a loop over these few views.
"""

from collections.abc import Iterator

import numpy as np

from minidecay.devices.protocol import Pair, Shape


def output_size(x_shape: Shape, size: Pair, stride: Pair, padding: Pair) -> Pair:
    """(OH, OW), with OH = (H + 2 padding - kh) // stride + 1."""
    height, width = ((x_shape[1 + i] + 2 * padding[i] - size[i]) // stride[i] + 1 for i in range(2))
    return height, width


def pad(x: np.ndarray, padding: Pair, value: float = 0.0) -> np.ndarray:
    if padding == (0, 0):
        return x
    (n, h, w, c), (ph, pw) = x.shape, padding
    padded = np.full((n, h + 2 * ph, w + 2 * pw, c), value, x.dtype)
    padded[:, ph : ph + h, pw : pw + w] = x
    return padded


def crop(padded: np.ndarray, padding: Pair) -> np.ndarray:
    (_, h, w, _), (ph, pw) = padded.shape, padding
    return padded[:, ph : h - ph, pw : w - pw]


def views(padded: np.ndarray, size: Pair, stride: Pair, out: Pair) -> Iterator[np.ndarray]:
    """For each place (a, b) of the kernel, row by row: padded[:, a::stride, b::stride], cut."""
    for a in range(size[0]):
        for b in range(size[1]):
            rows = slice(a, a + stride[0] * (out[0] - 1) + 1, stride[0])
            columns = slice(b, b + stride[1] * (out[1] - 1) + 1, stride[1])
            yield padded[:, rows, columns]
