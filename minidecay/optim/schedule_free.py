"""Schedule-free SGD, which evaluates an average of the weights it goes through."""

from typing import Any

import numpy as np

from minidecay.devices.protocol import Array
from minidecay.optim.groups import Params
from minidecay.optim.optimizer import Optimizer
from minidecay.optim.scheduled import Number, Rate
from minidecay.recording import replayed

__all__ = ["SGDScheduleFree"]


class SGDScheduleFree(Optimizer):
    """SGD that needs no decay, since it averages (Defazio et al. 2024, equations 3 to 5).

        z -= lr (g + weight_decay w);  x += c (z - x);  w = (1 - momentum) z + momentum x
        c = lr_k^2 / (lr_1^2 + ... + lr_k^2) at step k, which is 1 / k where lr does not change

    Gradients are taken at w (the paper's y), and what is to be evaluated is x. So `eval()` puts x
    in place and `train()` w again, as in the authors' package `schedulefree`. Batch norm still has
    the statistics of w: refresh them after `eval()`, by `update_bn`. `training.fit` does both.

    Args:
        params: tensors, or groups of them: `Optimizer` says more, also of errors.
        lr: 1 to 50 times what plain SGD wants. Warm it up, by `Ramp(0, lr, epochs)`, but do not
            decay it.
        momentum: their beta, at least 0 and below 1: where between z and x the gradient is taken.
        weight_decay: a number of at least 0, or a schedule; it acts at w.
        steps_per_epoch: what turns steps into epochs; `training.fit` fills it in where it is None.

    >>> import minidecay as md
    >>> w = md.tensor([1.0, 2.0], requires_grad=True)
    >>> optimizer = SGDScheduleFree([w], lr=0.25, momentum=0.5)
    >>> for _ in range(2):
    ...     optimizer.zero_grad()
    ...     (w * w).sum().backward()
    ...     optimizer.step()
    >>> w.numpy()
    array([0.3125, 0.625 ], dtype=float32)
    >>> optimizer.eval()
    >>> w.numpy()
    array([0.375, 0.75 ], dtype=float32)
    """

    averages = True
    shares = ("momentum",)

    def __init__(
        self,
        params: Params,
        lr: Rate = 1.0,
        momentum: Number = 0.9,
        weight_decay: Number = 0.0,
        steps_per_epoch: int | None = None,
    ) -> None:
        settings = {"lr": lr, "momentum": momentum, "weight_decay": weight_decay}
        super().__init__(params, settings, steps_per_epoch)

    def buffers(self) -> tuple[str, ...]:
        """z and x, by the paper's names; after `eval` the weights and x have changed places."""
        return ("z", "x")

    def counters(self) -> dict[str, np.ndarray]:
        """Each group's sum of squared rates, and which weights are in place."""
        return {"weight_sum": np.zeros(len(self.param_groups)), "training": np.array(True)}

    def settings(self, group: int = 0) -> dict[str, Any]:
        """A group's settings at the next step, and the share that z will have in x after it."""
        now = super().settings(group)
        square = now["lr"] ** 2
        total = float(self._counters["weight_sum"][group]) + square
        return {**now, "share": square / total if total > 0 else 0.0}

    @replayed
    def step(self) -> None:
        """Move every parameter that has a gradient; RuntimeError between `eval` and `train`."""
        if not self._counters["training"]:
            raise RuntimeError(
                f"{self.kind}: the averaged weights are in place; call train() before step()"
            )
        self._begin()
        squares = [self.settings(index)["lr"] ** 2 for index in range(len(self.param_groups))]
        super().step()
        self._counters["weight_sum"] += squares

    def _begin(self) -> None:
        """Before the first step z and x are the weights, whatever was loaded into them."""
        if self.step_count == 0:
            for array in self._flat.kept.values():
                self.device.copy_into(array, self._flat.weights)

    def update(
        self, w: Array, g: Array, kept: dict[str, Array], settings: dict[str, Any], step: int
    ) -> None:
        """Move the weights w, a flat array, by their gradients g."""
        self.device.schedule_free_step(w, g, kept["z"], kept["x"], **settings)

    def train(self) -> None:
        """Put the weights in place at which gradients are taken."""
        if not self._counters["training"]:
            self._exchange()

    def eval(self) -> None:
        """Put the averaged weights in place."""
        if self._counters["training"]:
            self._begin()
            self._exchange()

    def _exchange(self) -> None:
        weights, x = self._flat.weights, self._flat.kept["x"]
        aside = self.device.copy(weights)
        self.device.copy_into(weights, x)
        self.device.copy_into(x, aside)
        for p in self.params:
            p._version.count += 1
        self._counters["training"][...] = not self._counters["training"]
