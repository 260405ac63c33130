from minidecay.devices.protocol import Array
from minidecay.ops.base import Gradients, Op, check_eps


class LayerNorm(Op):
    """y = gamma x^ + beta,  x^ = (x - mean) / sqrt(var + eps) over the last axes, those of gamma

    With g = gy gamma:  gx = (g - mean(g) - x^ mean(g x^)) / sqrt(var + eps). Ba, Kiros and Hinton
    2016.
    """

    def __init__(self, eps: float = 1e-5) -> None:
        self.eps = check_eps(self, eps)

    def check(self, x: Array, gamma: Array, beta: Array) -> None:
        last = x.shape[x.ndim - gamma.ndim :] if gamma.ndim <= x.ndim else None
        if gamma.size == 0 or gamma.ndim == 0 or not gamma.shape == beta.shape == last:
            self.fail(
                f"x {x.shape}, gamma {gamma.shape}, beta {beta.shape}: gamma and beta must have "
                "the sizes of the last axes of x, one or more"
            )

    def forward(self, x: Array, gamma: Array, beta: Array) -> Array:
        device = self.device
        self.lead = tuple(range(x.ndim - gamma.ndim))
        self.axes = tuple(range(x.ndim - gamma.ndim, x.ndim))
        centred = device.sub(x, self._mean(x))
        variance = self._mean(device.mul(centred, centred))
        inverse = device.pow(device.add(variance, self.eps), -0.5)
        normal = device.mul(centred, inverse)
        self.save(normal, inverse, gamma)
        return device.add(device.mul(normal, gamma), beta)

    def backward(self, gy: Array) -> Gradients:
        device, (normal, inverse, gamma) = self.device, self.saved
        g = device.mul(gy, gamma)
        slope = device.mul(normal, self._mean(device.mul(g, normal)))
        gx = device.mul(device.sub(device.sub(g, self._mean(g)), slope), inverse)
        ggamma = device.sum(device.mul(gy, normal), self.lead)
        return gx, ggamma, device.sum(gy, self.lead)

    def _mean(self, x: Array) -> Array:
        total = self.device.sum(x, self.axes, True)
        return self.device.div(total, x.size // max(1, total.size))
