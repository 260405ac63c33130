import numpy as np

from minidecay.devices.protocol import Array, Key, Word
from minidecay.ops.base import Gradients, Op, is_number


class Dropout(Op):
    """y = x / (1 - p) where a counted random word says keep, else 0; the gradient likewise"""

    def __init__(self, p: float, key: Key, counter: Word) -> None:
        if not is_number(p) or not 0 <= p < 1:
            self.fail(f"p={p!r} must be at least 0 and less than 1")
        words = (*key, counter) if np.shape(key) == (2,) else ()
        integers = int | np.integer | np.ndarray  # an array () of one, too
        if not words or not all(isinstance(w, integers) and 0 <= w < 2**64 for w in words):
            self.fail(
                f"key={key!r} must be two integers and counter={counter!r} one, from 0, below 2**64"
            )
        self.p, self.key, self.counter = p, key, counter

    def forward(self, x: Array) -> Array:
        return self.device.dropout(x, self.p, self.key, self.counter)

    def backward(self, gy: Array) -> Gradients:
        return (self.device.dropout(gy, self.p, self.key, self.counter),)
