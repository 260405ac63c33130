from minidecay.devices.protocol import Array
from minidecay.ops.base import Op, normal_axes, reduced_shape


class Argmax(Op):
    """y = the first place of the largest value along `axis`, of a NaN if there is one; integers

    Without an axis it is the place in x laid out flat.
    """

    takes_integers = True

    def __init__(self, axis: int | None = None, keepdims: bool = False) -> None:
        if axis is not None and not isinstance(axis, int):
            self.fail(f"axis={axis!r} must be one integer, or None for all of x laid out flat")
        self.axis, self.keepdims = axis, keepdims

    def check(self, x: Array) -> None:
        if any(x.shape[a] == 0 for a in normal_axes(self, self.axis, x.ndim)):
            self.fail(f"an axis of shape {x.shape} is empty and has no place in it")

    def forward(self, x: Array) -> Array:
        device, axes = self.device, normal_axes(self, self.axis, x.ndim)
        shape = reduced_shape(x.shape, axes, self.keepdims)
        if self.axis is None:
            x = device.reshape(x, (-1,))
        axis = 0 if self.axis is None else axes[0]
        largest = device.max(x, axis, True)
        hit = device.add(device.equal(x, largest), device.not_equal(x, x))
        # Counted from the end, the first of all hits has the largest number.
        n = x.shape[axis]
        from_end = device.reshape(device.sub(n, device.arange(n)), (n, *(1,) * (x.ndim - 1 - axis)))
        y = device.sub(n, device.max(device.where(hit, from_end, 0), axis, True))
        return device.reshape(y, shape)
