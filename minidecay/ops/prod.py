import math
from collections.abc import Sequence

from minidecay.devices.protocol import Array
from minidecay.ops.base import Gradients, Op, normal_axes, reduced_shape


class Prod(Op):
    """y = the product of x over `axis`;  dy/dx = the product of the others, also where x is 0

    The first half of the values is multiplied with the second until one value is left; backward
    goes the same way back, so that nothing is divided by x.
    """

    takes_integers = True

    def __init__(self, axis: int | Sequence[int] | None = None, keepdims: bool = False) -> None:
        self.axis, self.keepdims = axis, keepdims

    def check(self, x: Array) -> None:
        normal_axes(self, self.axis, x.ndim)

    def forward(self, x: Array) -> Array:
        device, axes = self.device, normal_axes(self, self.axis, x.ndim)
        others = [a for a in range(x.ndim) if a not in axes]
        self.order, self.x_shape = (*others, *axes), x.shape
        self.lead = tuple(x.shape[a] for a in others)
        length = math.prod(x.shape[a] for a in axes)
        values = device.reshape(device.transpose(x, self.order), (*self.lead, length))
        if x.dtype.kind != "f":
            values = device.astype(values, int)
        steps = []
        while values.shape[-1] > 1:
            steps.append(values)
            first, second, rest = self._halves(values)
            values = device.concatenate([device.mul(first, second), rest], -1)
        self.save(x, *steps)
        if length == 0:
            values = device.ones((*self.lead, 1), values.dtype)
        return device.reshape(values, reduced_shape(x.shape, axes, self.keepdims))

    def backward(self, gy: Array) -> Gradients:
        device, (_, *steps) = self.device, self.saved
        g = device.reshape(gy, (*self.lead, 1))
        for values in reversed(steps):
            first, second, _ = self._halves(values)
            half = first.shape[-1]
            product, rest = self._part(g, 0, half), self._part(g, half, None)
            parts = [device.mul(product, second), device.mul(product, first), rest]
            g = device.concatenate(parts, -1)
        if 0 in self.x_shape:
            return (device.zeros(self.x_shape, gy.dtype),)
        g = device.reshape(g, tuple(self.x_shape[a] for a in self.order))
        return (device.transpose(g, sorted(range(g.ndim), key=self.order.__getitem__)),)

    def _halves(self, values: Array) -> tuple[Array, Array, Array]:
        """The first half, the second, and what is left over of an odd number."""
        half = values.shape[-1] // 2
        starts = (0, half), (half, 2 * half), (2 * half, None)
        first, second, rest = (self._part(values, *ends) for ends in starts)
        return first, second, rest

    def _part(self, values: Array, start: int, stop: int | None) -> Array:
        return self.device.getitem(values, (..., slice(start, stop)))
