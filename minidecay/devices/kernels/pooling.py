"""Pooling, each primitive one launch of `fused/pooling`."""

import numpy as np

from minidecay.devices.cpu.windows import output_size
from minidecay.devices.kernels.arrays import Arrays
from minidecay.devices.protocol import Array, Pair, Shape

FILE = "fused/pooling"


class Pooling(Arrays):
    def max_pool2d(
        self, x: Array, size: Pair, *, stride: Pair, padding: Pair
    ) -> tuple[Array, Array]:
        shape = _output(x.shape, size, stride, padding)
        y, place = self.empty(shape), self.xp.empty(shape, np.int32)
        sizes = _sizes(x.shape, shape, size, stride, padding)
        self.launch(FILE, "max_pool2d", self.dense(x), y, place, *sizes)
        return y, place

    def max_pool2d_grad(
        self, gy: Array, place: Array, x_shape: Shape, size: Pair, *, stride: Pair, padding: Pair
    ) -> Array:
        gx = self.empty(x_shape)
        sizes = _sizes(x_shape, gy.shape, size, stride, padding)
        self.launch(FILE, "max_pool2d_grad", self.dense(gy), place, gx, *sizes)
        return gx

    def avg_pool2d(self, x: Array, size: Pair, *, stride: Pair, padding: Pair) -> Array:
        y = self.empty(_output(x.shape, size, stride, padding))
        sizes = _sizes(x.shape, y.shape, size, stride, padding)
        self.launch(FILE, "avg_pool2d", self.dense(x), y, *sizes)
        return y

    def avg_pool2d_grad(
        self, gy: Array, x_shape: Shape, size: Pair, *, stride: Pair, padding: Pair
    ) -> Array:
        gx = self.empty(x_shape)
        sizes = _sizes(x_shape, gy.shape, size, stride, padding)
        self.launch(FILE, "avg_pool2d_grad", self.dense(gy), gx, *sizes)
        return gx


def _output(x_shape: Shape, size: Pair, stride: Pair, padding: Pair) -> Shape:
    return (x_shape[0], *output_size(x_shape, size, stride, padding), x_shape[3])


def _sizes(
    x_shape: Shape, y_shape: Shape, size: Pair, stride: Pair, padding: Pair
) -> tuple[int, ...]:
    """N, H, W, C, OH, OW, KH, KW, SH, SW, PH, PW"""
    return (*x_shape, *y_shape[1:3], *size, *stride, *padding)
