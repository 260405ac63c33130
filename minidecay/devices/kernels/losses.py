"""Softmax and its losses, each primitive one launch of `fused/softmax_cross_entropy`."""

import numpy as np

from minidecay.devices.kernels.arrays import Arrays
from minidecay.devices.protocol import Array

FILE = "fused/softmax_cross_entropy"


class Losses(Arrays):
    def log_softmax(self, x: Array) -> Array:
        x = self.dense(x)
        y = self.empty(x.shape)
        self.launch(FILE, "log_softmax", x, y, *_rows(x))
        return y

    def log_softmax_grad(self, gy: Array, y: Array) -> Array:
        gx = self.empty(y.shape)
        self.launch(FILE, "log_softmax_grad", self.dense(gy), self.dense(y), gx, *_rows(y))
        return gx

    def softmax_cross_entropy(self, logits: Array, labels: Array) -> tuple[Array, Array]:
        logits = self.dense(logits)
        losses, probabilities = self.empty(logits.shape[:1]), self.empty(logits.shape)
        self.launch(
            FILE,
            "softmax_cross_entropy",
            *(logits, self._labels(labels), losses, probabilities, *logits.shape),
        )
        return losses, probabilities

    def softmax_cross_entropy_grad(
        self, gy: Array | float, probabilities: Array, labels: Array
    ) -> Array:
        each = isinstance(gy, self.xp.ndarray)
        if each:
            gy = self.dense(self.xp.broadcast_to(gy, labels.shape))
        gx = self.empty(probabilities.shape)
        self.launch(
            FILE,
            "softmax_cross_entropy_grad",
            *((gy, 0.0) if each else (None, gy)),
            *(probabilities, self._labels(labels), gx, *probabilities.shape),
        )
        return gx

    def _labels(self, labels: Array) -> Array:
        return self.xp.asarray(labels, np.int64, order="C")  # also from the host's memory


def _rows(x: Array) -> tuple[int, int]:
    classes = x.shape[-1]
    return x.size // max(1, classes), classes
