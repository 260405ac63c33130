"""Adam, and AdamW, whose weights decay by themselves."""

from typing import Any

import numpy as np

from minidecay.devices.protocol import Array
from minidecay.optim.groups import Params
from minidecay.optim.optimizer import Optimizer
from minidecay.optim.scheduled import Number, Rate

__all__ = ["Adam", "AdamW"]


class Adam(Optimizer):
    """Steps by the mean gradient over its root mean square, as torch.optim.Adam.

        g' = g + weight_decay w;  m += (1 - b1) (g' - m);  v += (1 - b2) (g'^2 - v)
        w -= lr m / (1 - b1^k) / (sqrt(v / (1 - b2^k)) + eps)          at this weight's k-th update

    Kingma and Ba 2015, algorithm 1; with `amsgrad` the largest v so far takes the place of v
    (Reddi et al. 2018).

    Args:
        params: tensors, or groups of them: `Optimizer` says more, also of errors.
        lr: a number, a schedule, any function from t, in epochs, to a rate, or a controller.
        betas: b1 and b2, at least 0 and below 1; each may be a schedule.
        eps, weight_decay: numbers of at least 0, or schedules.
        amsgrad: divide by the largest second moment so far.
        steps_per_epoch: what turns steps into epochs; `training.fit` fills it in where it is None.
        decoupled_weight_decay: let the weights decay by themselves, as `AdamW` does.

    >>> import minidecay as md
    >>> w = md.tensor([1.0, 2.0], requires_grad=True)
    >>> optimizer = Adam([w], lr=0.5)
    >>> (w * w).sum().backward()
    >>> optimizer.step()
    >>> w.numpy().round(4)
    array([0.5, 1.5], dtype=float32)
    """

    flags = ("amsgrad", "decoupled_weight_decay")
    shares = ("betas",)

    def __init__(
        self,
        params: Params,
        lr: Rate = 1e-3,
        betas: tuple[Number, Number] = (0.9, 0.999),
        eps: Number = 1e-8,
        weight_decay: Number = 0.0,
        amsgrad: bool = False,
        steps_per_epoch: int | None = None,
        *,
        decoupled_weight_decay: bool = False,
    ) -> None:
        settings = {
            "lr": lr,
            "betas": tuple(betas),
            "eps": eps,
            "weight_decay": weight_decay,
            "amsgrad": amsgrad,
            "decoupled_weight_decay": decoupled_weight_decay,
        }
        super().__init__(params, settings, steps_per_epoch)

    def buffers(self) -> tuple[str, ...]:
        """The moments, by torch's names."""
        largest = any(group["amsgrad"] for group in self.param_groups)
        return ("exp_avg", "exp_avg_sq", *["max_exp_avg_sq"] * largest)

    def counters(self) -> dict[str, np.ndarray]:
        """How often each tensor was moved: the moments of its first gradients are short of it."""
        return {"updates": np.zeros(len(self.params), np.int64)}

    def update(
        self, w: Array, g: Array, kept: dict[str, Array], settings: dict[str, Any], step: int
    ) -> None:
        """Move the weights w, a flat array, by their gradients g, for the `step`-th time."""
        self.device.adam_step(
            w,
            g,
            kept["exp_avg"],
            kept["exp_avg_sq"],
            kept["max_exp_avg_sq"] if settings["amsgrad"] else None,
            lr=settings["lr"],
            betas=settings["betas"],
            eps=settings["eps"],
            weight_decay=settings["weight_decay"],
            decoupled=settings["decoupled_weight_decay"],
            step=step,
        )


class AdamW(Adam):
    """`Adam` whose weights decay by themselves, as torch.optim.AdamW.

        w -= lr weight_decay w, and then as `Adam` with g' = g

    Loshchilov and Hutter 2019, algorithm 2, with the decay multiplied by lr as in torch. The
    arguments are those of `Adam`.

    >>> import minidecay as md
    >>> w = md.tensor([1.0, 2.0], requires_grad=True)
    >>> optimizer = AdamW([w], lr=0.5, weight_decay=0.5)
    >>> w.sum().backward()
    >>> optimizer.step()
    >>> w.numpy().round(4)
    array([0.25, 1.  ], dtype=float32)
    """

    def __init__(
        self,
        params: Params,
        lr: Rate = 1e-3,
        betas: tuple[Number, Number] = (0.9, 0.999),
        eps: Number = 1e-8,
        weight_decay: Number = 0.01,
        amsgrad: bool = False,
        steps_per_epoch: int | None = None,
    ) -> None:
        super().__init__(
            *(params, lr, betas, eps, weight_decay, amsgrad, steps_per_epoch),
            decoupled_weight_decay=True,
        )
