"""Pooling: the largest, or the mean, of each window.

The largest is sought a few images at a time, which stay in a cache from one NumPy call to the next.
"""

import numpy as np

from minidecay.devices.cpu.cutting import parts
from minidecay.devices.cpu.windows import crop, output_size, pad, views
from minidecay.devices.protocol import Pair, Shape

VALUES = 1 << 17  # of some images: half a MiB


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
    places = np.empty(shape, small) if out[1] is None else out[1]
    for part in parts(len(x), x[:1].size, VALUES)[1]:
        largest, place = y[part], places[part]
        first, *others = views(pad(x[part], padding, -np.inf), size, stride, pixels)
        largest[...], place[...] = first, 0
        for k, other in enumerate(others, 1):
            candidate = other.copy()  # side by side, so that NumPy's loops are long
            # k only grows, so the maximum of places is the last one that beat all before it.
            np.maximum(place, (candidate > largest) * small.type(k), out=place)
            np.maximum(largest, candidate, out=largest)
    return y, places


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
    gx = np.empty(x_shape, gy.dtype) if out is None else out
    pixels, apart = gy.shape[1:3], size == stride  # then no window writes where another does
    for part in parts(len(gx), gx[:1].size, VALUES)[1]:
        padded = gx[part] if padding == (0, 0) else _padded_zeros(gy[part], x_shape, padding)
        if apart:
            padded[:, pixels[0] * size[0] :] = 0
            padded[:, :, pixels[1] * size[1] :] = 0
        else:
            padded[...] = 0
        for k, target in enumerate(views(padded, size, stride, pixels)):
            if apart:
                np.multiply(gy[part], place[part] == k, out=target)
            else:
                target += gy[part] * (place[part] == k)
        if padding != (0, 0):
            gx[part] = crop(padded, padding)
    return gx


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
    (_, height, width, channels), (ph, pw) = x_shape, padding
    return np.zeros((len(gy), height + 2 * ph, width + 2 * pw, channels), gy.dtype)
