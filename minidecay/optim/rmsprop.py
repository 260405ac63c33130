"""RMSprop."""

from typing import Any

from minidecay.devices.protocol import Array
from minidecay.optim.groups import Params
from minidecay.optim.optimizer import Optimizer
from minidecay.optim.scheduled import Number, Rate

__all__ = ["RMSprop"]


class RMSprop(Optimizer):
    """Steps by the gradient over its root mean square, as torch.optim.RMSprop.

        g' = g + weight_decay w;  v += (1 - alpha) (g'^2 - v);  u = g' / (sqrt(v) + eps)
        velocity = momentum velocity + u;  w -= lr velocity

    Hinton 2012, lecture 6e. Where it is `centered`, v less the square of the mean gradient takes
    the place of v (Graves 2013, equations 38 to 45).

    Args:
        params: tensors, or groups of them: `Optimizer` says more, also of errors.
        lr: a number, a schedule, any function from t, in epochs, to a rate, or a controller.
        alpha, eps, weight_decay, momentum: numbers of at least 0, or schedules; alpha is below 1.
        centered: divide by the deviation from the mean gradient.
        steps_per_epoch: what turns steps into epochs; `training.fit` fills it in where it is None.

    >>> import minidecay as md
    >>> w = md.tensor([1.0, 2.0], requires_grad=True)
    >>> optimizer = RMSprop([w], lr=0.01)
    >>> (w * w).sum().backward()
    >>> optimizer.step()
    >>> w.numpy().round(4)
    array([0.9, 1.9], dtype=float32)
    """

    flags = ("centered",)
    shares = ("alpha",)

    def __init__(
        self,
        params: Params,
        lr: Rate = 1e-2,
        alpha: Number = 0.99,
        eps: Number = 1e-8,
        weight_decay: Number = 0.0,
        momentum: Number = 0.0,
        centered: bool = False,
        steps_per_epoch: int | None = None,
    ) -> None:
        settings = {
            "lr": lr,
            "alpha": alpha,
            "eps": eps,
            "weight_decay": weight_decay,
            "momentum": momentum,
            "centered": centered,
        }
        super().__init__(params, settings, steps_per_epoch)

    def buffers(self) -> tuple[str, ...]:
        """The mean square, the velocity and, where centered, the mean, by torch's names."""
        centered = any(group["centered"] for group in self.param_groups)
        return ("square_avg", "momentum_buffer", *["grad_avg"] * centered)

    def update(
        self, w: Array, g: Array, kept: dict[str, Array], settings: dict[str, Any], step: int
    ) -> None:
        """Move the weights w, a flat array, by their gradients g."""
        self.device.rmsprop_step(
            w,
            g,
            kept["square_avg"],
            kept["momentum_buffer"] if settings["momentum"] > 0 else None,
            kept["grad_avg"] if settings["centered"] else None,
            lr=settings["lr"],
            alpha=settings["alpha"],
            eps=settings["eps"],
            weight_decay=settings["weight_decay"],
            momentum=settings["momentum"],
        )
