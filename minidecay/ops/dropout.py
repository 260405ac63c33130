from minidecay.devices.protocol import Array
from minidecay.ops.base import Gradients, Op, is_number


class Dropout(Op):
    """y = x / (1 - p) where a counted random word says keep, else 0; the gradient likewise"""

    def __init__(self, p: float, key: tuple[int, int], counter: int) -> None:
        if not is_number(p) or not 0 <= p < 1:
            self.fail(f"p={p!r} must be at least 0 and less than 1")
        if not isinstance(key, tuple) or len(key) != 2:
            self.fail(f"key={key!r} must be two integers, as (1, 2)")
        if not all(is_number(number) and 0 <= number < 2**64 for number in (*key, counter)):
            self.fail(f"key={key} and counter={counter} must be integers from 0, below 2**64")
        self.p, self.key, self.counter = p, key, counter

    def forward(self, x: Array) -> Array:
        return self.device.dropout(x, self.p, self.key, self.counter)

    def backward(self, gy: Array) -> Gradients:
        return (self.device.dropout(gy, self.p, self.key, self.counter),)
