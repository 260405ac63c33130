from minidecay.devices.protocol import Array
from minidecay.ops.base import Gradients
from minidecay.ops.pool import Pool2d


class AvgPool2d(Pool2d):
    """y = the mean of each window and channel, padding counted as zeros"""

    def forward(self, x: Array) -> Array:
        self.x_shape = x.shape
        return self.device.avg_pool2d(x, self.size, stride=self.stride, padding=self.padding)

    def backward(self, gy: Array) -> Gradients:
        gx = self.device.avg_pool2d_grad(
            gy, self.x_shape, self.size, stride=self.stride, padding=self.padding
        )
        return (gx,)
