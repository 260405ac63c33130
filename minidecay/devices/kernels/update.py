"""What moves the weights and what drops activations.

The kernels read from device memory what changes from step to step: the learning rate and the
counter of random words, which `numbers.py` keeps there.
"""

import numpy as np

from minidecay.devices.kernels.arrays import Arrays
from minidecay.devices.protocol import Array


class Update(Arrays):
    def sgd_step(
        self,
        w: Array,
        g: Array,
        v: Array,
        *,
        lr: float,
        momentum: float,
        weight_decay: float,
        nesterov: bool,
    ) -> None:
        self.launch(
            "fused/sgd",
            "sgd_step",
            w,
            g,
            v,
            self.numbers.array("lr", lr, np.float32),
            momentum,
            weight_decay,
            w.size,
            NESTEROV=nesterov,
        )

    def dropout(self, x: Array, p: float, key: tuple[int, int], counter: int) -> Array:
        x = self.dense(x)
        y = self.empty(x.shape)
        threshold = int(p * 2.0**64)
        at = self.numbers.array("dropout's counter", counter, np.uint64)
        self.launch("fused/dropout", "dropout", x, y, x.size, threshold, 1 / (1 - p), *key, at)
        return y
