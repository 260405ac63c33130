"""Stochastic gradient descent, with momentum and weight decay of two kinds."""

from collections.abc import Mapping
from typing import Any

from minidecay.devices.protocol import Array
from minidecay.optim.groups import Params
from minidecay.optim.optimizer import Optimizer
from minidecay.optim.scheduled import Number, Rate

__all__ = ["SGD", "SGDW"]


class SGD(Optimizer):
    """Gradient descent with momentum and weight decay, step for step as torch.optim.SGD.

        g' = g + weight_decay w;  v = momentum v + g';  w -= lr v  (nesterov: lr (g' + momentum v))

    Args:
        params: tensors, or groups of them: `Optimizer` says more, also of errors.
        lr: a number, a schedule, any function from t, in epochs, to a rate, or a controller.
        momentum, weight_decay: numbers of at least 0, or schedules.
        nesterov: look ahead (Sutskever et al. 2013); needs momentum.
        steps_per_epoch: what turns steps into epochs; `training.fit` fills it in where it is None.
        decoupled_weight_decay: let the weights decay by themselves, as `SGDW` does.

    >>> import minidecay as md
    >>> w = md.tensor([1.0, 2.0], requires_grad=True)
    >>> optimizer = SGD([w], lr=0.5)
    >>> (w * w).sum().backward()
    >>> optimizer.step()
    >>> w
    tensor([0., 0.], requires_grad=True)
    """

    flags = ("nesterov", "decoupled_weight_decay")

    def __init__(
        self,
        params: Params,
        lr: Rate,
        momentum: Number = 0.0,
        weight_decay: Number = 0.0,
        nesterov: bool = False,
        steps_per_epoch: int | None = None,
        *,
        decoupled_weight_decay: bool = False,
    ) -> None:
        settings = {
            "lr": lr,
            "momentum": momentum,
            "weight_decay": weight_decay,
            "nesterov": nesterov,
            "decoupled_weight_decay": decoupled_weight_decay,
        }
        super().__init__(params, settings, steps_per_epoch)

    def check(self, group: Mapping[str, Any]) -> None:
        """Raise where there is no momentum to look ahead along."""
        if group["nesterov"] and group["momentum"] == 0:
            raise ValueError(
                f"{self.kind}: nesterov=True looks ahead along the momentum; set momentum > 0"
            )

    def buffers(self) -> tuple[str, ...]:
        """The velocity."""
        return ("velocity",)

    def update(
        self, w: Array, g: Array, kept: dict[str, Array], settings: dict[str, Any], step: int
    ) -> None:
        """Move the weights w, a flat array, by their gradients g."""
        self.device.sgd_step(
            w,
            g,
            kept["velocity"],
            lr=settings["lr"],
            momentum=settings["momentum"],
            weight_decay=settings["weight_decay"],
            nesterov=settings["nesterov"],
            decoupled=settings["decoupled_weight_decay"],
        )


class SGDW(SGD):
    """`SGD` whose weights decay by themselves, and not through the gradient and its momentum.

        w -= lr weight_decay w;  v = momentum v + g;  w -= lr v  (nesterov: lr (g + momentum v))

    Loshchilov and Hutter 2019, algorithm 1, with the decay multiplied by lr as AdamW has it in
    torch. The arguments are those of `SGD`.

    >>> import minidecay as md
    >>> w = md.tensor([1.0, 2.0], requires_grad=True)
    >>> optimizer = SGDW([w], lr=0.5, weight_decay=0.5)
    >>> w.sum().backward()
    >>> optimizer.step()
    >>> w
    tensor([0.25, 1.  ], requires_grad=True)
    """

    def __init__(
        self,
        params: Params,
        lr: Rate,
        momentum: Number = 0.0,
        weight_decay: Number = 0.01,
        nesterov: bool = False,
        steps_per_epoch: int | None = None,
    ) -> None:
        super().__init__(
            *(params, lr, momentum, weight_decay, nesterov, steps_per_epoch),
            decoupled_weight_decay=True,
        )
