from minidecay.devices.protocol import Array
from minidecay.ops.base import Gradients, Op, normal_axes


class Concatenate(Op):
    """The inputs one after the other along `axis`; each gets its slice of the gradient"""

    takes_integers = True

    def __init__(self, axis: int = 0) -> None:
        self.axis = axis

    def check(self, *xs: Array) -> None:
        if not xs:
            self.fail("there is nothing to join; give at least one tensor")
        (axis,) = normal_axes(self, self.axis, xs[0].ndim)
        rest = {x.shape[:axis] + x.shape[axis + 1 :] for x in xs}
        if len(rest) > 1 or len({x.ndim for x in xs}) > 1:
            shapes = ", ".join(str(x.shape) for x in xs)
            self.fail(f"shapes {shapes} must agree but for axis {self.axis}")

    def forward(self, *xs: Array) -> Array:
        (axis,) = normal_axes(self, self.axis, xs[0].ndim)
        self.before = (slice(None),) * axis
        self.sizes = [x.shape[axis] for x in xs]
        return self.device.concatenate(xs, axis)

    def backward(self, gy: Array) -> Gradients:
        gradients, start = [], 0
        for size in self.sizes:
            part = (*self.before, slice(start, start + size))
            gradients.append(self.device.getitem(gy, part))
            start += size
        return gradients
