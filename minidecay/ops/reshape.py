import math

from minidecay.devices.protocol import Array, Shape
from minidecay.ops.base import Gradients, Op, integers


class Reshape(Op):
    """The same elements in another shape; one size may be -1"""

    takes_integers = True
    is_view = True

    def __init__(self, shape: Shape) -> None:
        self.shape = integers(self, f"shape {shape!r}", shape)

    def check(self, x: Array) -> None:
        known = math.prod(n for n in self.shape if n != -1)
        guessed = self.shape.count(-1)
        fits = x.size == known if not guessed else known > 0 and x.size % known == 0
        if guessed > 1 or any(n < -1 for n in self.shape) or not fits:
            self.fail(
                f"{x.size} elements of shape {x.shape} do not fill {self.shape}; "
                "the product must agree, and one size at most may be -1"
            )

    def forward(self, x: Array) -> Array:
        self.x_shape = x.shape
        return self.device.reshape(x, self.shape)

    def backward(self, gy: Array) -> Gradients:
        return (self.device.reshape(gy, self.x_shape),)
