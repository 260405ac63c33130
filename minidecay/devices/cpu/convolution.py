"""Convolution: which way it is computed, decided by shape, here and nowhere else.

`conv_by_places` is the definition, a product for each place of the kernel, and the one to read
first. `conv_by_columns` computes the same in one product for all places, two to five times as fast,
whatever the shape. Two more are faster where they serve, at stride 1:

    conv_by_planes    small windows, as of a colour image; not the gradient of its input
    conv_by_winograd  3x3 kernels, from 32 channels
"""

from types import ModuleType

import numpy as np

from minidecay.devices.cpu import (
    conv_by_columns,
    conv_by_places,
    conv_by_planes,
    conv_by_winograd,
)
from minidecay.devices.protocol import Activation, Pair, Shape


def way(primitive: str, w_shape: Shape, stride: Pair, padding: Pair) -> ModuleType:
    """The module that computes conv2d, or the gradient so named, with weights of this shape."""
    kh, kw, channels, filters = w_shape
    if (kh, kw) == (1, 1):  # one place: its columns would be a mere copy of the image
        return conv_by_places
    if stride == (1, 1) and padding[0] < kh and padding[1] < kw:
        small = kh * kw * channels <= 36 and filters <= 32
        if small and primitive != "conv2d_input_grad":
            return conv_by_planes
        if (kh, kw) == (3, 3) and min(channels, filters) >= 32:
            return conv_by_winograd
    return conv_by_columns


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
    convolve = way("conv2d", w.shape, stride, padding).conv2d
    tail = {"bias": bias, "residual": residual, "activation": activation}
    return np.asarray(convolve(x, w, stride=stride, padding=padding, out=out, **tail))


def conv2d_input_grad(
    gy: np.ndarray,
    w: np.ndarray,
    x_shape: Shape,
    *,
    stride: Pair,
    padding: Pair,
    out: np.ndarray | None = None,
) -> np.ndarray:
    gradient = way("conv2d_input_grad", w.shape, stride, padding).conv2d_input_grad
    return np.asarray(gradient(gy, w, x_shape, stride=stride, padding=padding, out=out))


def conv2d_weight_grad(
    gy: np.ndarray, x: np.ndarray, w_shape: Shape, *, stride: Pair, padding: Pair
) -> np.ndarray:
    gradient = way("conv2d_weight_grad", w_shape, stride, padding).conv2d_weight_grad
    return np.asarray(gradient(gy, x, w_shape, stride=stride, padding=padding))
