"""Adagrad and Adadelta, plainly: array by array, where the others have a kernel for the step."""

from typing import Any

from minidecay.devices.protocol import Array
from minidecay.optim.groups import Params
from minidecay.optim.optimizer import Optimizer
from minidecay.optim.scheduled import Number, Rate

__all__ = ["Adadelta", "Adagrad"]


class Adagrad(Optimizer):
    """Steps by the gradient over the root of all its squares so far, as torch.optim.Adagrad.

        g' = g + weight_decay w;  s += g'^2;  w -= lr g' / (sqrt(s) + eps)

    Duchi, Hazan and Singer 2011. torch's `lr_decay` is a schedule: `InverseTime`.

    Args:
        params: tensors, or groups of them: `Optimizer` says more, also of errors.
        lr: a number, a schedule, any function from t, in epochs, to a rate, or a controller.
        weight_decay, eps: numbers of at least 0, or schedules.
        steps_per_epoch: what turns steps into epochs; `training.fit` fills it in where it is None.

    >>> import minidecay as md
    >>> w = md.tensor([1.0, 2.0], requires_grad=True)
    >>> optimizer = Adagrad([w], lr=0.5)
    >>> (w * w).sum().backward()
    >>> optimizer.step()
    >>> w.numpy()
    array([0.5, 1.5], dtype=float32)
    """

    def __init__(
        self,
        params: Params,
        lr: Rate = 1e-2,
        weight_decay: Number = 0.0,
        eps: Number = 1e-10,
        steps_per_epoch: int | None = None,
    ) -> None:
        settings = {"lr": lr, "weight_decay": weight_decay, "eps": eps}
        super().__init__(params, settings, steps_per_epoch)

    def buffers(self) -> tuple[str, ...]:
        """The sum of squares, by torch's name."""
        return ("sum",)

    def update(
        self, w: Array, g: Array, kept: dict[str, Array], settings: dict[str, Any], step: int
    ) -> None:
        """Move the weights w, a flat array, by their gradients g."""
        device, total = self.device, kept["sum"]
        g = device.add(g, device.mul(w, settings["weight_decay"]))
        device.copy_into(total, device.add(total, device.mul(g, g)))
        move = device.div(g, device.add(device.sqrt(total), settings["eps"]))
        device.copy_into(w, device.sub(w, device.mul(move, settings["lr"])))


class Adadelta(Optimizer):
    """Steps in the weights' own unit, with hardly a rate to choose, as torch.optim.Adadelta.

        g' = g + weight_decay w;  v = rho v + (1 - rho) g'^2
        d = sqrt(u + eps) / sqrt(v + eps) g';  u = rho u + (1 - rho) d^2;  w -= lr d

    Zeiler 2012, algorithm 1, which has lr = 1.

    Args:
        params: tensors, or groups of them: `Optimizer` says more, also of errors.
        lr: a number, a schedule, any function from t, in epochs, to a rate, or a controller.
        rho, eps, weight_decay: numbers of at least 0, or schedules; rho is below 1.
        steps_per_epoch: what turns steps into epochs; `training.fit` fills it in where it is None.

    >>> import minidecay as md
    >>> w = md.tensor([1.0, 2.0], requires_grad=True)
    >>> optimizer = Adadelta([w], rho=0.75, eps=0.01)
    >>> (w * w).sum().backward()
    >>> optimizer.step()
    >>> w.numpy().round(3)
    array([0.801, 1.8  ], dtype=float32)
    """

    shares = ("rho",)

    def __init__(
        self,
        params: Params,
        lr: Rate = 1.0,
        rho: Number = 0.9,
        eps: Number = 1e-6,
        weight_decay: Number = 0.0,
        steps_per_epoch: int | None = None,
    ) -> None:
        settings = {"lr": lr, "rho": rho, "eps": eps, "weight_decay": weight_decay}
        super().__init__(params, settings, steps_per_epoch)

    def buffers(self) -> tuple[str, ...]:
        """The mean squares of gradients and of steps, by torch's names."""
        return ("square_avg", "acc_delta")

    def update(
        self, w: Array, g: Array, kept: dict[str, Array], settings: dict[str, Any], step: int
    ) -> None:
        """Move the weights w, a flat array, by their gradients g."""
        device, rho, eps = self.device, settings["rho"], settings["eps"]
        v, u = kept["square_avg"], kept["acc_delta"]
        g = device.add(g, device.mul(w, settings["weight_decay"]))
        self._average(v, g, rho)
        units = device.div(device.add(u, eps), device.add(v, eps))
        delta = device.mul(device.sqrt(units), g)
        self._average(u, delta, rho)
        device.copy_into(w, device.sub(w, device.mul(delta, settings["lr"])))

    def _average(self, mean: Array, x: Array, rho: float) -> None:
        """mean = rho mean + (1 - rho) x^2, in place."""
        device = self.device
        squares = device.mul(device.mul(x, x), 1 - rho)
        device.copy_into(mean, device.add(device.mul(mean, rho), squares))
