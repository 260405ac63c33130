from minidecay.devices.protocol import Array, Pair
from minidecay.ops.base import Op, pair


class Pool2d(Op):
    """What the two poolings share: windows of `size`, `stride` apart (by default side by side)"""

    def __init__(
        self, size: int | Pair, stride: int | Pair | None = None, padding: int | Pair = 0
    ) -> None:
        self.size = pair(self, size, "size", least=1)
        self.stride = self.size if stride is None else pair(self, stride, "stride", least=1)
        self.padding = pair(self, padding, "padding", least=0)
        if any(2 * p > n for p, n in zip(self.padding, self.size, strict=True)):
            self.fail(f"padding {self.padding} is more than half of the window {self.size}")

    def check(self, x: Array) -> None:
        if x.ndim != 4:
            self.fail(f"x {x.shape} must be (N, H, W, C)")
        for axis in range(2):
            if x.shape[1 + axis] + 2 * self.padding[axis] < self.size[axis]:
                self.fail(f"x {x.shape} is smaller than the window {self.size}; use a smaller one")
