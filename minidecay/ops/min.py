from minidecay.devices.protocol import Array
from minidecay.ops.base import Op
from minidecay.ops.max import Max


class Min(Max):
    """y = min of x over `axis` = -max(-x); elements that share it share its gradient evenly"""

    def check(self, x: Array) -> None:
        super().check(x)
        check_has_negatives(self, x)

    def forward(self, x: Array) -> Array:
        device = self.device
        y = device.neg(super().forward(device.neg(x)))
        self.save(x, y)
        return y


def check_has_negatives(op: Op, x: Array) -> None:
    """Booleans and unsigned integers cannot be negated."""
    if x.dtype.kind in "bu":
        op.fail(f"{x.dtype} values have no negatives; use astype('int64')")
