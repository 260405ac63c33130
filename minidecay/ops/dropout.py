from minidecay.devices.protocol import Array, Key, Word
from minidecay.ops.base import Gradients, Op


class Dropout(Op):
    """y = x / (1 - p) where a counted random word says keep, else 0; the gradient likewise"""

    def __init__(self, p: float, key: Key, counter: Word) -> None:
        if not 0 <= p < 1:
            self.fail(f"p={p} must be at least 0 and less than 1")
        if not all(0 <= number < 2**64 for number in (*key, counter)):
            self.fail(f"key={key} and counter={counter} must be integers from 0, below 2**64")
        self.p, self.key, self.counter = p, key, counter

    def forward(self, x: Array) -> Array:
        return self.device.dropout(x, self.p, self.key, self.counter)

    def backward(self, gy: Array) -> Gradients:
        return (self.device.dropout(gy, self.p, self.key, self.counter),)
