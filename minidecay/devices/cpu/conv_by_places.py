"""Convolution as a sum of matrix products, one for each place (a, b) of the kernel:

    y[n, i, j, :] = sum over a, b of  x[n, i s + a - p, j s + b - p, :] @ w[a, b]

Its two gradients are the same sum with the roles exchanged.
"""

import numpy as np

from minidecay.devices.cpu.elementwise import finish
from minidecay.devices.cpu.windows import crop, output_size, pad, views
from minidecay.devices.protocol import Activation, Pair, Shape


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
    kh, kw, channels, filters = w.shape
    size = output_size(x.shape, (kh, kw), stride, padding)
    y = np.empty((len(x), *size, filters), x.dtype) if out is None else out
    rows = y.reshape(-1, filters)
    places = w.reshape(kh * kw, channels, filters)
    for k, pixels in enumerate(views(pad(x, padding), (kh, kw), stride, size)):
        if k == 0:
            np.matmul(pixels.reshape(-1, channels), places[k], out=rows)
        else:
            rows += pixels.reshape(-1, channels) @ places[k]
    return finish(y, bias, residual, activation)


def conv2d_input_grad(
    gy: np.ndarray,
    w: np.ndarray,
    x_shape: Shape,
    *,
    stride: Pair,
    padding: Pair,
    out: np.ndarray | None = None,
) -> np.ndarray:
    kh, kw, channels, filters = w.shape
    (n, height, width, _), (ph, pw) = x_shape, padding
    padded = np.zeros((n, height + 2 * ph, width + 2 * pw, channels), gy.dtype)
    places = w.reshape(kh * kw, channels, filters)
    gy_rows, size = gy.reshape(-1, filters), (gy.shape[1], gy.shape[2])
    for pixels, weights in zip(views(padded, (kh, kw), stride, size), places, strict=True):
        pixels += (gy_rows @ weights.T).reshape(pixels.shape)
    gx = crop(padded, padding)
    return gx if out is None else np.positive(gx, out=out)


def conv2d_weight_grad(
    gy: np.ndarray, x: np.ndarray, w_shape: Shape, *, stride: Pair, padding: Pair
) -> np.ndarray:
    kh, kw, channels, filters = w_shape
    gw = np.empty((kh * kw, channels, filters), gy.dtype)
    gy_rows, out = gy.reshape(-1, filters), (gy.shape[1], gy.shape[2])
    for place, pixels in enumerate(views(pad(x, padding), (kh, kw), stride, out)):
        gw[place] = pixels.reshape(-1, channels).T @ gy_rows
    return gw.reshape(w_shape)
