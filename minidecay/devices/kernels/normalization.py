"""Batch normalisation by `fused/batch_norm`: moments of shares of the rows, merged, then one pass.

x (..., C) is to the kernels a matrix (rows, channels).
"""

from minidecay.devices.kernels.arrays import Arrays
from minidecay.devices.kernels.base import columns_and_parts
from minidecay.devices.protocol import Activation, Array

FILE = "fused/batch_norm"


class Normalization(Arrays):
    def batch_norm(
        self,
        x: Array,
        gamma: Array,
        beta: Array,
        eps: float,
        *,
        residual: Array | None = None,
        activation: Activation = None,
    ) -> tuple[Array, Array, Array]:
        x = self.dense(x)
        rows, channels = _sizes(x)
        columns, parts = columns_and_parts(rows, channels)
        part_mean, part_m2 = self.empty((parts, channels)), self.empty((parts, channels))
        mean, var = self.empty((channels,)), self.empty((channels,))
        sizes = (rows, channels, parts)
        self.launch(FILE, "channel_moments", x, part_mean, part_m2, *sizes, COLUMNS=columns)
        self.launch(FILE, "merge_moments", part_mean, part_m2, mean, var, *sizes, COLUMNS=columns)
        y = self.batch_norm_inference(
            x, gamma, beta, mean, var, eps, residual=residual, activation=activation
        )
        return y, mean, var

    def batch_norm_grad(
        self, gy: Array, x: Array, gamma: Array, mean: Array, var: Array, eps: float
    ) -> tuple[Array, Array, Array]:
        gy, x = self.dense(gy), self.dense(x)
        rows, channels = _sizes(x)
        columns, parts = columns_and_parts(rows, channels)
        part_gbeta, part_ggamma = self.empty((parts, channels)), self.empty((parts, channels))
        gbeta, ggamma = self.empty((channels,)), self.empty((channels,))
        gx = self.empty(x.shape)
        self.launch(
            FILE,
            "channel_gradients",
            *(gy, x, None, mean, var, part_gbeta, part_ggamma, eps, rows, channels, parts),
            COLUMNS=columns,
        )
        self.launch(
            FILE,
            "merge_gradients",
            *(part_gbeta, part_ggamma, gbeta, ggamma, channels, parts),
            COLUMNS=columns,
        )
        self.launch(
            FILE,
            "batch_norm_grad",
            *(gy, x, None, self.dense(gamma), mean, var, gbeta, ggamma, gx, None),
            *(eps, rows, channels),
        )
        return gx, ggamma, gbeta

    def batch_norm_inference(
        self,
        x: Array,
        gamma: Array,
        beta: Array,
        mean: Array,
        var: Array,
        eps: float,
        *,
        residual: Array | None = None,
        activation: Activation = None,
    ) -> Array:
        x = self.dense(x)
        rows, channels = _sizes(x)
        y = self.empty(x.shape)
        self.launch(
            FILE,
            "normalize",
            x,
            *map(self.dense, (gamma, beta, mean, var)),
            self.dense(residual),
            y,
            *(eps, rows, channels),
            RESIDUAL=residual is not None,
            RELU=activation == "relu",
        )
        return y


def _sizes(x: Array) -> tuple[int, int]:
    """Rows and channels."""
    channels = x.shape[-1]
    return x.size // max(1, channels), channels
