"""Convolution by the chosen rung of `kernels/conv2d/`.

`02_im2col` writes the windows out as a matrix and leaves the rest to the matmul ladder; the others
are one kernel for each of the three. A weight gradient is a sum over all pixels of the batch: it is
cut into splits, which a second launch adds in a fixed order.
"""

from math import prod
from typing import Any

from minidecay.cuda.expressions import cdiv
from minidecay.devices.cpu.windows import output_size
from minidecay.devices.kernels.base import BLOCKS
from minidecay.devices.kernels.matrix import Matrix
from minidecay.devices.ladders import chosen
from minidecay.devices.protocol import Activation, Array, Pair, Shape

IM2COL = "conv2d/02_im2col"
IMPLICIT = "conv2d/03_implicit_gemm"
TILE = 64  # rows of a tile
PIXELS = 256  # worth a split


class Convolution(Matrix):
    def conv2d(
        self,
        x: Array,
        w: Array,
        *,
        stride: Pair,
        padding: Pair,
        bias: Array | None = None,
        residual: Array | None = None,
        activation: Activation = None,
    ) -> Array:
        n, filters = len(x), w.shape[3]
        height, width = output_size(x.shape, w.shape[:2], stride, padding)
        if (rung := chosen("conv2d")) == IM2COL:
            y = self.matmul(
                self._columns(x, w.shape, stride, padding),
                w.reshape(-1, filters),
                bias=bias,
                residual=None if residual is None else residual.reshape(-1, filters),
                activation=activation,
            )
            return y.reshape(n, height, width, filters)
        y = self.empty((n, height, width, filters))
        self.launch(
            rung,
            "conv2d",
            self.dense(x),
            self.dense(w),
            self.dense(bias),
            self.dense(residual),
            y,
            *_sizes(x.shape, w.shape, y.shape, padding),
            **_window(w.shape, stride),
            **_width(rung, filters),
            BIAS=bias is not None,
            RESIDUAL=residual is not None,
            RELU=activation == "relu",
        )
        return y

    def conv2d_input_grad(
        self, gy: Array, w: Array, x_shape: Shape, *, stride: Pair, padding: Pair
    ) -> Array:
        gx, window = self.empty(x_shape), _window(w.shape, stride)
        sizes = _sizes(x_shape, w.shape, gy.shape, padding)
        if (rung := chosen("conv2d")) == IM2COL:
            filters = w.shape[3]
            columns = self.matmul(gy.reshape(-1, filters), w.reshape(-1, filters), transpose_b=True)
            self.launch(IM2COL, "col2im", columns, gx, *_without_filters(sizes), **window)
            return gx
        window |= _width(rung, x_shape[3])
        self.launch(rung, "conv2d_input_grad", self.dense(gy), self.dense(w), gx, *sizes, **window)
        return gx

    def conv2d_weight_grad(
        self, gy: Array, x: Array, w_shape: Shape, *, stride: Pair, padding: Pair
    ) -> Array:
        filters, window = w_shape[3], _window(w_shape, stride)
        pixels = gy.size // max(1, filters)
        tiles = cdiv(prod(w_shape[:3]), TILE) * cdiv(filters, _tile_width(filters))
        splits = max(1, min(BLOCKS // max(1, tiles), cdiv(pixels, PIXELS)))
        if (rung := chosen("conv2d")) == IM2COL:
            # Equal splits, so that they are one batch of products.
            splits = next(n for n in range(splits, 0, -1) if pixels % n == 0)
            columns = self._columns(x, w_shape, stride, padding)
            partial = self.matmul(
                columns.reshape(splits, pixels // splits, -1),
                gy.reshape(splits, pixels // splits, filters),
                transpose_a=True,
            )
        else:
            window |= _width(rung, filters)
            partial = self.empty((splits, *w_shape))
            self.launch(
                rung,
                "conv2d_weight_grad",
                self.dense(gy),
                self.dense(x),
                partial,
                *_sizes(x.shape, w_shape, gy.shape, padding),
                splits,
                **window,
            )
        if splits == 1:
            return partial.reshape(w_shape)
        gw = self.empty(w_shape)
        self.launch(rung, "sum_splits", partial, gw, gw.size, splits, **window)
        return gw

    def _columns(self, x: Array, w_shape: Shape, stride: Pair, padding: Pair) -> Array:
        """(N OH OW, kh kw C): each output pixel's window as a row."""
        kh, kw, channels, _ = w_shape
        height, width = output_size(x.shape, (kh, kw), stride, padding)
        columns = self.empty((len(x) * height * width, kh * kw * channels))
        sizes = _sizes(x.shape, w_shape, (len(x), height, width, 0), padding)
        self.launch(
            IM2COL,
            "im2col",
            self.dense(x),
            columns,
            *_without_filters(sizes),
            **_window(w_shape, stride),
        )
        return columns


def _window(w_shape: Shape, stride: Pair) -> dict[str, Any]:
    return {"KH": w_shape[0], "KW": w_shape[1], "SH": stride[0], "SW": stride[1]}


def _tile_width(channels: int) -> int:
    """As few columns as there are channels."""
    return next(width for width in (16, 32, TILE) if width >= min(channels, TILE))


def _width(rung: str, channels: int) -> dict[str, Any]:
    """The option that says so, to the rung that has it."""
    return {"BN": _tile_width(channels)} if rung == IMPLICIT else {}


def _sizes(x_shape: Shape, w_shape: Shape, y_shape: Shape, padding: Pair) -> tuple[int, ...]:
    """N, H, W, C, OH, OW, O, PH, PW"""
    return (*x_shape, *y_shape[1:3], w_shape[3], *padding)


def _without_filters(sizes: tuple[int, ...]) -> tuple[int, ...]:
    return sizes[:6] + sizes[7:]
