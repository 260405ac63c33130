from minidecay.devices.protocol import Array
from minidecay.ops.base import Gradients, Op
from minidecay.ops.batch_norm import check_channels


class BatchNormInference(Op):
    """y = gamma (x - mean) / sqrt(var + eps) + beta, by given statistics (C,)"""

    def __init__(self, mean: Array, var: Array, eps: float = 1e-5) -> None:
        self.mean, self.var, self.eps = mean, var, eps

    def check(self, x: Array, gamma: Array, beta: Array) -> None:
        check_channels(self, x, gamma, beta)
        check_channels(self, x, self.mean, self.var)

    def forward(self, x: Array, gamma: Array, beta: Array) -> Array:
        self.save(x, gamma, self.mean, self.var)
        return self.device.batch_norm_inference(x, gamma, beta, self.mean, self.var, self.eps)

    def backward(self, gy: Array) -> Gradients:
        device, (x, gamma, mean, var) = self.device, self.saved
        inverse = device.pow(device.add(var, self.eps), -0.5)
        normal = device.mul(device.sub(x, mean), inverse)
        axes = tuple(range(x.ndim - 1))
        ggamma = device.sum(device.mul(gy, normal), axes)
        return device.mul(gy, device.mul(gamma, inverse)), ggamma, device.sum(gy, axes)
