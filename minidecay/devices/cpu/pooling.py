"""Pooling: the largest, or the mean, of each window."""

import numpy as np

from minidecay.devices.cpu.windows import crop, output_size, pad, views
from minidecay.devices.protocol import Pair, Shape


def max_pool2d(
    x: np.ndarray, size: Pair, *, stride: Pair, padding: Pair
) -> tuple[np.ndarray, np.ndarray]:
    out = output_size(x.shape, size, stride, padding)
    first, *others = views(pad(x, padding, -np.inf), size, stride, out)
    largest, place = first.copy(), np.zeros(first.shape, np.min_scalar_type(len(others)))
    for k, pixels in enumerate(others, 1):
        # k only grows, so the maximum of places is the last one that beat all before it.
        np.maximum(place, (pixels > largest) * place.dtype.type(k), out=place)
        np.maximum(largest, pixels, out=largest)
    return largest, place


def max_pool2d_grad(
    gy: np.ndarray, place: np.ndarray, x_shape: Shape, size: Pair, *, stride: Pair, padding: Pair
) -> np.ndarray:
    padded = _padded_zeros(gy, x_shape, padding)
    for k, pixels in enumerate(views(padded, size, stride, (gy.shape[1], gy.shape[2]))):
        if size == stride:  # side by side: no other window writes here
            np.multiply(gy, place == k, out=pixels)
        else:
            pixels += gy * (place == k)
    return crop(padded, padding)


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
