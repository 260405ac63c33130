from minidecay.devices.protocol import Array
from minidecay.ops.base import Gradients, Op, check_eps


class BatchNorm(Op):
    """y = gamma (x - mean) / sqrt(var + eps) + beta, by the batch's own statistics

    Ioffe and Szegedy 2015, algorithm 1. After forward, `mean` and the biased `var` can be read.
    """

    def __init__(self, eps: float = 1e-5) -> None:
        self.eps = check_eps(self, eps)

    def check(self, x: Array, gamma: Array, beta: Array) -> None:
        check_channels(self, x, gamma, beta)
        count = x.size // max(1, x.shape[-1])
        if count < 2:
            self.fail(
                f"x {x.shape} has {count} value a channel, which has no variance; "
                "train with a larger batch, or call model.eval()"
            )

    def forward(self, x: Array, gamma: Array, beta: Array) -> Array:
        y, self.mean, self.var = self.device.batch_norm(x, gamma, beta, self.eps)
        self.save(x, gamma)
        return y

    def backward(self, gy: Array) -> Gradients:
        x, gamma = self.saved
        return self.device.batch_norm_grad(gy, x, gamma, self.mean, self.var, self.eps)


def check_channels(op: Op, x: Array, gamma: Array, beta: Array) -> None:
    """One scale and one shift for each channel, the last axis of x."""
    if x.ndim < 2 or not gamma.shape == beta.shape == x.shape[-1:]:
        op.fail(
            f"x {x.shape}, gamma {gamma.shape}, beta {beta.shape}: "
            "x must be (..., C), gamma and beta (C,)"
        )
