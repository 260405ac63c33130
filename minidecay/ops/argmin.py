from minidecay.devices.protocol import Array
from minidecay.ops.argmax import Argmax
from minidecay.ops.min import check_has_negatives


class Argmin(Argmax):
    """y = the first place of the smallest value along `axis`, of a NaN if there is one; integers"""

    def check(self, x: Array) -> None:
        super().check(x)
        check_has_negatives(self, x)

    def forward(self, x: Array) -> Array:
        return super().forward(self.device.neg(x))
