"""Pooling: the largest, or the mean, of each window.

NumPy's loops run over what lies side by side. In every other pixel of a row that is C values, in
the whole row W C. So the largest is sought for a window at every pixel of a row, a few of which are
kept in the end: more comparisons, and several times as fast. Its gradient goes the same way back.
"""

import numpy as np

from minidecay.devices.cpu.products import parts
from minidecay.devices.cpu.windows import crop, output_size, pad, views
from minidecay.devices.protocol import Pair, Shape

VALUES = 1 << 16  # of some images, which stay in a cache from one NumPy call to the next


def max_pool2d(
    x: np.ndarray,
    size: Pair,
    *,
    stride: Pair,
    padding: Pair,
    out: tuple[np.ndarray, np.ndarray] | tuple[None, None] = (None, None),
) -> tuple[np.ndarray, np.ndarray]:
    pixels = output_size(x.shape, size, stride, padding)
    shape, small = (len(x), *pixels, x.shape[3]), np.min_scalar_type(size[0] * size[1] - 1)
    y = np.empty(shape, x.dtype) if out[0] is None else out[0]
    place = np.empty(shape, small) if out[1] is None else out[1]
    wide = pixels[0], (pixels[1] - 1) * stride[1] + 1
    _, each = parts(len(x), x[:1].size, VALUES)
    for part in each:
        images = pad(x[part], padding, -np.inf)
        first, *others = views(images, size, (stride[0], 1), wide)
        largest, at = first.copy(), np.zeros(first.shape, small)
        for k, pixel in enumerate(others, 1):
            # k only grows, so the maximum of places is the last one that beat all before it.
            np.maximum(at, (pixel > largest) * small.type(k), out=at)
            np.maximum(largest, pixel, out=largest)
        y[part], place[part] = largest[:, :, :: stride[1]], at[:, :, :: stride[1]]
    return y, place


def max_pool2d_grad(
    gy: np.ndarray,
    place: np.ndarray,
    x_shape: Shape,
    size: Pair,
    *,
    stride: Pair,
    padding: Pair,
    out: np.ndarray | None = None,
) -> np.ndarray:
    if size == stride and padding == (0, 0):
        return _side_by_side(gy, place, size, np.empty(x_shape, gy.dtype) if out is None else out)
    padded = _padded_zeros(gy, x_shape, padding)
    for k, pixels in enumerate(views(padded, size, stride, (gy.shape[1], gy.shape[2]))):
        pixels += gy * (place == k)
    gx = crop(padded, padding)
    return gx if out is None else np.positive(gx, out=out)


def _side_by_side(gy: np.ndarray, place: np.ndarray, size: Pair, gx: np.ndarray) -> np.ndarray:
    """The gradient of windows of which none writes where another does, into gx."""
    n, rows, columns, channels = gy.shape
    (kh, kw), wide = size, columns * size[1]
    gx[:, rows * kh :] = 0
    gx[:, :, wide:] = 0
    across = np.tile(np.arange(kw, dtype=place.dtype), columns).repeat(channels)
    _, each = parts(n, gx[:1].size, VALUES)
    for part in each:
        gradients, places = (_repeated(some[part], kw) for some in (gy, place))
        for a in range(kh):
            target = gx[part, a : rows * kh : kh, :wide]
            here = (places == across + place.dtype.type(a * kw)).reshape(target.shape)
            np.multiply(gradients.reshape(target.shape), here, out=target)
    return gx


def _repeated(x: np.ndarray, times: int) -> np.ndarray:
    """x (N, H, W, C) with each pixel repeated along W, as rows (N, H, times W C)."""
    n, height, width, channels = x.shape
    repeated = np.broadcast_to(x[:, :, :, None], (n, height, width, times, channels))
    return repeated.reshape(n, height, width * times * channels)


def avg_pool2d(x: np.ndarray, size: Pair, *, stride: Pair, padding: Pair) -> np.ndarray:
    out = output_size(x.shape, size, stride, padding)
    total = sum(views(pad(x, padding), size, stride, out))
    return np.asarray(total / (size[0] * size[1]))


def avg_pool2d_grad(
    gy: np.ndarray, x_shape: Shape, size: Pair, *, stride: Pair, padding: Pair
) -> np.ndarray:
    padded = _padded_zeros(gy, x_shape, padding)
    share = gy / (size[0] * size[1])
    for pixels in views(padded, size, stride, (gy.shape[1], gy.shape[2])):
        pixels += share
    return crop(padded, padding)


def _padded_zeros(gy: np.ndarray, x_shape: Shape, padding: Pair) -> np.ndarray:
    (n, height, width, channels), (ph, pw) = x_shape, padding
    return np.zeros((n, height + 2 * ph, width + 2 * pw, channels), gy.dtype)
