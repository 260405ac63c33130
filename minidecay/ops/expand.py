from minidecay.devices.protocol import Array, Shape
from minidecay.ops.base import Gradients, Op


class Expand(Op):
    """x repeated to `shape` along axes of size 1 and new axes in front; repeats' gradients add up

    A size of -1 stays as it is.
    """

    takes_integers = True
    is_view = True

    def __init__(self, shape: Shape) -> None:
        self.shape = tuple(shape)

    def check(self, x: Array) -> None:
        pairs = self._sizes(x)
        if len(self.shape) < x.ndim or any(n < 0 or m not in (1, n) for m, n in pairs):
            self.fail(
                f"x {x.shape} does not repeat to {self.shape}; only axes of size 1 and new ones "
                "in front do, and -1 keeps the size of an old one"
            )

    def forward(self, x: Array) -> Array:
        self.x_shape = x.shape
        return self.device.broadcast_to(x, tuple(n for _, n in self._sizes(x)))

    def backward(self, gy: Array) -> Gradients:
        return (self.sum_to(gy, self.x_shape),)

    def _sizes(self, x: Array) -> list[tuple[int, int]]:
        """The size of each axis before, 1 for a new one, and after."""
        new = len(self.shape) - x.ndim
        before = (1,) * new + x.shape
        return [
            (m, m if n == -1 and a >= new else n)
            for a, (m, n) in enumerate(zip(before, self.shape, strict=False))
        ]
