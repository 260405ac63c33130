from minidecay.devices.protocol import Array
from minidecay.ops.base import Gradients
from minidecay.ops.pool import Pool2d


class MaxPool2d(Pool2d):
    """y = the largest value of each window and channel; its place gets the gradient"""

    def forward(self, x: Array) -> Array:
        self.x_shape = x.shape
        y, place = self.device.max_pool2d(x, self.size, stride=self.stride, padding=self.padding)
        self.save(place)
        return y

    def backward(self, gy: Array) -> Gradients:
        (place,) = self.saved
        gx = self.device.max_pool2d_grad(
            gy, place, self.x_shape, self.size, stride=self.stride, padding=self.padding
        )
        return (gx,)
