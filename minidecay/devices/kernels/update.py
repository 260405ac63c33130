"""What moves the weights and what drops activations.

The kernels read from device memory what changes from step to step: the learning rate and the
counter of random words, which `numbers.py` keeps there.
"""

import math

import numpy as np

from minidecay.devices.kernels.arrays import Arrays
from minidecay.devices.protocol import Array, Key, Word


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
        decoupled: bool = False,
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
            DECOUPLED=decoupled,
        )

    def adam_step(
        self,
        w: Array,
        g: Array,
        m: Array,
        v: Array,
        largest: Array | None,
        *,
        lr: float,
        betas: tuple[float, float],
        eps: float,
        weight_decay: float,
        decoupled: bool,
        step: int,
    ) -> None:
        beta1, beta2 = betas
        self.launch(
            "fused/adam",
            "adam_step",
            w,
            g,
            m,
            v,
            largest,
            self.numbers.array("lr", lr, np.float32),
            self.numbers.array("adam's c1", 1 / (1 - beta1**step), np.float32),
            self.numbers.array("adam's c2", 1 / math.sqrt(1 - beta2**step), np.float32),
            1 - beta1,
            1 - beta2,
            eps,
            weight_decay,
            w.size,
            DECOUPLED=decoupled,
            AMSGRAD=largest is not None,
        )

    def rmsprop_step(
        self,
        w: Array,
        g: Array,
        v: Array,
        velocity: Array | None,
        mean: Array | None,
        *,
        lr: float,
        alpha: float,
        eps: float,
        weight_decay: float,
        momentum: float,
    ) -> None:
        self.launch(
            "fused/rmsprop",
            "rmsprop_step",
            w,
            g,
            v,
            velocity,
            mean,
            self.numbers.array("lr", lr, np.float32),
            1 - alpha,
            eps,
            weight_decay,
            momentum,
            w.size,
            CENTERED=mean is not None,
            MOMENTUM=velocity is not None,
        )

    def schedule_free_step(
        self,
        w: Array,
        g: Array,
        z: Array,
        x: Array,
        *,
        lr: float,
        momentum: float,
        weight_decay: float,
        share: float,
    ) -> None:
        self.launch(
            "fused/schedule_free",
            "schedule_free_step",
            w,
            g,
            z,
            x,
            self.numbers.array("lr", lr, np.float32),
            self.numbers.array("schedule-free share", share, np.float32),
            momentum,
            weight_decay,
            w.size,
        )

    def dropout(self, x: Array, p: float, key: Key, counter: Word) -> Array:
        x, (low, high) = self.dense(x), map(int, key)
        y = self.empty(x.shape)
        threshold = int(p * 2.0**64)
        at = self.numbers.array("dropout's counter", int(counter), np.uint64)
        scale = 1 / (1 - p)
        self.launch("fused/dropout", "dropout", x, y, x.size, threshold, scale, low, high, at)
        return y
