from minidecay.devices.protocol import Array
from minidecay.ops.base import Gradients, Op, normal_axes


class Stack(Op):
    """The inputs, all of one shape, along a new axis; each gets its layer of the gradient"""

    takes_integers = True

    def __init__(self, axis: int = 0) -> None:
        self.axis = axis

    def check(self, *xs: Array) -> None:
        if not xs:
            self.fail("there is nothing to stack; give at least one tensor")
        if len({x.shape for x in xs}) > 1:
            self.fail(f"shapes {', '.join(str(x.shape) for x in xs)} must be equal")
        normal_axes(self, self.axis, xs[0].ndim + 1)

    def forward(self, *xs: Array) -> Array:
        (axis,) = normal_axes(self, self.axis, xs[0].ndim + 1)
        self.before, self.count = (slice(None),) * axis, len(xs)
        layers = [self.device.reshape(x, (*x.shape[:axis], 1, *x.shape[axis:])) for x in xs]
        return self.device.concatenate(layers, axis)

    def backward(self, gy: Array) -> Gradients:
        return [self.device.getitem(gy, (*self.before, k)) for k in range(self.count)]
