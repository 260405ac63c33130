"""Matrix products by the chosen rung of `kernels/matmul/`.

Where none was chosen, many small products go to `fused/batched_matmul`, whose blocks are as small
as they are, and one with a long sum and few results to `fused/split_matmul`, which cuts the sum.
"""

from math import prod

import numpy as np

from minidecay.cuda.expressions import cdiv
from minidecay.devices.kernels.arrays import Arrays
from minidecay.devices.kernels.base import BLOCKS
from minidecay.devices.ladders import VENDOR, chosen, is_chosen
from minidecay.devices.protocol import Activation, Array

SMALL = 64  # rows, columns and length of a small product
MANY = 8
TILE = 64  # rows and columns of the tiles that most rungs have
LONG = 512  # a shorter sum is not worth a second launch
PART = 64  # of a long sum that is worth a split


class Matrix(Arrays):
    def matmul(
        self,
        a: Array,
        b: Array,
        *,
        transpose_a: bool = False,
        transpose_b: bool = False,
        bias: Array | None = None,
        residual: Array | None = None,
        activation: Activation = None,
        out: Array | None = None,
    ) -> Array:
        """activation(a @ b + bias + residual)"""
        if (rung := chosen("matmul")) == VENDOR:
            a = a.swapaxes(-1, -2) if transpose_a else a
            b = b.swapaxes(-1, -2) if transpose_b else b
            y = self.xp.matmul(a, b, out=out)
            return self._finished(y, bias, residual, activation)
        a, transpose_a = self._stored(a, transpose_a)
        b, transpose_b = self._stored(b, transpose_b)
        k, m = a.shape[-2:] if transpose_a else a.shape[:-3:-1]
        n = b.shape[-2] if transpose_b else b.shape[-1]
        batch = np.broadcast_shapes(a.shape[:-2], b.shape[:-2])
        shape = (*batch, m, n)
        if prod(batch) == prod(a.shape[:-2]) and b.ndim == 2 and not transpose_a:
            m, batch = m * prod(batch), ()  # one b for all: their rows are those of one matrix
        stride_a, a = self._stride(a, batch)
        stride_b, b = self._stride(b, batch)
        y = self.empty(shape) if out is None or not out.flags.c_contiguous else out
        bias, residual = self.dense(bias), self.dense(residual)
        operands = {"TRANSPOSE_A": transpose_a, "TRANSPOSE_B": transpose_b}
        end = {
            "BIAS": bias is not None,
            "RESIDUAL": residual is not None,
            "RELU": activation == "relu",
        }
        free = not is_chosen("matmul")
        tiles = cdiv(m, TILE) * cdiv(n, TILE)
        if free and prod(batch) == 1 and k >= LONG and k >= PART * tiles > 0:
            splits = min(BLOCKS // 2 // tiles, k // PART) or 1
            file, partial = "fused/split_matmul", self.empty((splits, m, n))
            self.launch(file, "matmul_splits", a, b, partial, *(m, n, k, splits), **operands)
            self.launch(file, "finish_splits", partial, bias, residual, y, m, n, splits, **end)
        else:
            if free and prod(batch) >= MANY and max(m, n, k) <= SMALL:
                rung = "fused/batched_matmul"
            sizes = (m, n, k, prod(batch), stride_a, stride_b)
            self.launch(rung, "matmul", a, b, bias, residual, y, *sizes, **operands, **end)
        if out is not None and y is not out:
            out[...] = y
            return out
        return y

    def _finished(
        self, y: Array, bias: Array | None, residual: Array | None, activation: Activation
    ) -> Array:
        """The tail of a vendor's product, in place."""
        if bias is not None:
            y += bias
        if residual is not None:
            y += residual
        return self.xp.maximum(y, 0, out=y) if activation == "relu" else y

    def _stored(self, x: Array, transposed: bool) -> tuple[Array, bool]:
        """x as it lies in memory, and whether to read it transposed; a view x.T costs nothing."""
        other = x.swapaxes(-1, -2)
        if not x.flags.c_contiguous and other.flags.c_contiguous:
            return self.dense(other), not transposed
        return self.dense(x), transposed

    def _stride(self, x: Array, batch: tuple[int, ...]) -> tuple[int, Array]:
        """How far matrices lie apart, 0 where there is one for all, and the matrices."""
        if prod(x.shape[:-2]) == 1:
            return 0, x
        if x.shape[:-2] != batch and batch:
            x = self.dense(self.xp.broadcast_to(x, (*batch, *x.shape[-2:])))
        return x.shape[-2] * x.shape[-1], x
