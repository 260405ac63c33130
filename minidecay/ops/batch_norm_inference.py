from minidecay.devices.protocol import Array
from minidecay.ops.base import Gradients, Op, check_eps
from minidecay.ops.batch_norm import check_channels


class BatchNormInference(Op):
    """y = gamma (x - mean) / sqrt(var + eps) + beta, by given statistics that get no gradient"""

    def __init__(self, eps: float = 1e-5) -> None:
        self.eps = check_eps(self, eps)

    def check(self, x: Array, gamma: Array, beta: Array, mean: Array, var: Array) -> None:
        check_channels(self, x, gamma, beta)
        if not mean.shape == var.shape == x.shape[-1:]:
            self.fail(
                f"x {x.shape}, running_mean {mean.shape}, running_var {var.shape}: "
                "x must be (..., C), the running statistics (C,)"
            )

    def forward(self, x: Array, gamma: Array, beta: Array, mean: Array, var: Array) -> Array:
        self.save(x, gamma, mean, var)
        return self.device.batch_norm_inference(x, gamma, beta, mean, var, self.eps)

    def backward(self, gy: Array) -> Gradients:
        device, (x, gamma, mean, var) = self.device, self.saved
        inverse = device.pow(device.add(var, self.eps), -0.5)
        normal = device.mul(device.sub(x, mean), inverse)
        axes = tuple(range(x.ndim - 1))
        ggamma = device.sum(device.mul(gy, normal), axes)
        gx = device.mul(gy, device.mul(gamma, inverse))
        return gx, ggamma, device.sum(gy, axes), None, None
