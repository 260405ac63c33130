from typing import Any

import numpy as np

from minidecay.devices.protocol import Array
from minidecay.ops.base import Gradients, Op


class Astype(Op):
    """The same values in another dtype; the gradient comes back in the first one"""

    takes_integers = True

    def __init__(self, dtype: Any) -> None:
        self.dtype = np.dtype(dtype)
        if self.dtype.kind not in "biuf":
            raise TypeError(f"astype: {self.dtype} holds no real numbers; use 'float32', say")

    def forward(self, x: Array) -> Array:
        self.x_dtype = x.dtype
        return self.device.astype(x, self.dtype)

    def backward(self, gy: Array) -> Gradients:
        return (self.device.astype(gy, self.x_dtype),)
