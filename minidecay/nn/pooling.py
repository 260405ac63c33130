"""Layers that make images smaller."""

from minidecay import functions as F
from minidecay import ops
from minidecay.autograd import Tensor
from minidecay.devices.protocol import Pair
from minidecay.nn.module import Module


class _Pool2d(Module):
    def __init__(
        self, size: int | Pair, stride: int | Pair | None = None, padding: int | Pair = 0
    ) -> None:
        op = ops.MaxPool2d(size, stride, padding)  # either one: both take the same windows
        self.size, self.stride, self.padding = op.size, op.stride, op.padding

    def describe(self) -> str:
        return f"{self.size}, stride={self.stride}, padding={self.padding}"


class MaxPool2d(_Pool2d):
    """The largest of each window: (N, H, W, C) to (N, OH, OW, C); stride defaults to the window.

    >>> nn.MaxPool2d(2)(md.tensor(np.ones((1, 5, 4, 3)))).shape
    (1, 2, 2, 3)
    """

    def forward(self, x: Tensor) -> Tensor:
        return F.max_pool2d(x, self.size, self.stride, self.padding)


class AvgPool2d(_Pool2d):
    """The mean of each window: (N, H, W, C) to (N, OH, OW, C); padding counts as zeros.

    >>> nn.AvgPool2d(3, stride=1, padding=1)(md.tensor(np.ones((1, 4, 4, 3)))).shape
    (1, 4, 4, 3)
    """

    def forward(self, x: Tensor) -> Tensor:
        return F.avg_pool2d(x, self.size, self.stride, self.padding)


class GlobalAvgPool2d(Module):
    """The mean of each channel: (N, H, W, C) to (N, C).

    >>> nn.GlobalAvgPool2d()(md.tensor(np.ones((1, 4, 4, 3)))).shape
    (1, 3)
    """

    def forward(self, x: Tensor) -> Tensor:
        return F.global_avg_pool2d(x)
