from minidecay.devices.protocol import Array
from minidecay.ops.mean import Mean


class GlobalAvgPool2d(Mean):
    """y[n,c] = the mean of x[n,:,:,c]"""

    def __init__(self) -> None:
        super().__init__(axis=(1, 2))

    def check(self, x: Array) -> None:
        if x.ndim != 4:
            self.fail(f"x {x.shape} must be (N, H, W, C)")
        super().check(x)
