from minidecay.devices.protocol import Array
from minidecay.ops.base import Gradients, Op, is_number


class Clip(Op):
    """y = min(max(x, low), high);  dy/dx = 1 where low <= x <= high, else 0"""

    takes_integers = True

    def __init__(self, low: float | None = None, high: float | None = None) -> None:
        given = [bound for bound in (low, high) if bound is not None]
        if not given or not all(map(is_number, given)):
            self.fail(f"min={low!r} and max={high!r} must be numbers; one may be left out")
        if low is not None and high is not None and low > high:
            self.fail(f"min={low} is above max={high}; exchange them")
        self.low, self.high = low, high

    def check(self, x: Array) -> None:
        if x.dtype.kind != "f" and any(isinstance(b, float) for b in (self.low, self.high)):
            self.fail(f"min={self.low} and max={self.high} must be integers for {x.dtype} values")

    def forward(self, x: Array) -> Array:
        self.save(x)
        y = x if self.low is None else self.device.maximum(x, self.low)
        return y if self.high is None else self.device.minimum(y, self.high)

    def backward(self, gy: Array) -> Gradients:
        device, (x,) = self.device, self.saved
        if self.low is not None:
            gy = device.where(device.greater_equal(x, self.low), gy, 0.0)
        if self.high is not None:
            gy = device.where(device.less_equal(x, self.high), gy, 0.0)
        return (gy,)
