"""Stochastic gradient descent over one flat buffer."""

import math
from collections.abc import Callable, Iterable, Mapping
from typing import Any

from minidecay.autograd import Tensor
from minidecay.devices.protocol import Array
from minidecay.optim.schedules import Constant, Schedule, as_schedule


class SGD:
    """Gradient descent with momentum and weight decay, step for step as torch.optim.SGD.

        g' = g + weight_decay w;  v = momentum v + g';  w -= lr v      (nesterov: lr (g' + momentum v))

    The parameters move into one flat buffer, their gradients into another, so that a step is one
    pass over memory. Each parameter keeps its shape and name; it becomes a view of the buffer.

    Args:
        params: the tensors to train, of one dtype and device.
        lr: a number, a schedule, or any function from t, in epochs, to a rate. Step k (from 0) runs
            at t = k / steps_per_epoch.
        momentum, weight_decay: numbers of at least 0.
        nesterov: look ahead (Sutskever et al. 2013); needs momentum.
        steps_per_epoch: what turns steps into epochs; `training.fit` fills it in where it is None.

    Raises:
        ValueError: no parameters, a setting out of range, or parameters of two dtypes or devices.
        TypeError: `lr` is neither a number nor callable.

    >>> import numpy as np, minidecay as md
    >>> w = md.tensor([1.0, 2.0], requires_grad=True)
    >>> optimizer = SGD([w], lr=0.5)
    >>> (w * w).sum().backward()
    >>> optimizer.step()
    >>> w
    tensor([0., 0.], requires_grad=True)
    """

    def __init__(
        self,
        params: Iterable[Tensor],
        lr: float | Schedule | Callable[[float], float],
        momentum: float = 0.0,
        weight_decay: float = 0.0,
        nesterov: bool = False,
        steps_per_epoch: int | None = None,
    ) -> None:
        for name, value in (("momentum", momentum), ("weight_decay", weight_decay)):
            if not 0 <= value < math.inf:
                raise ValueError(f"SGD: {name}={value} must be a number of at least 0")
        if nesterov and momentum == 0:
            raise ValueError("SGD: nesterov=True looks ahead along the momentum; set momentum > 0")
        if steps_per_epoch is not None and steps_per_epoch < 1:
            raise ValueError(f"SGD: steps_per_epoch={steps_per_epoch} must be at least 1")
        self.schedule = as_schedule(lr)
        self.momentum, self.weight_decay, self.nesterov = momentum, weight_decay, nesterov
        self.steps_per_epoch = steps_per_epoch
        self.step_count = 0
        self.last_lr: float | None = None
        self.params = list(params)
        self._flatten()

    def _flatten(self) -> None:
        if not self.params:
            raise ValueError("SGD: there are no parameters; pass model.parameters()")
        kinds = {(p.device.name, p.dtype) for p in self.params}
        if len(kinds) > 1:
            raise ValueError(f"SGD: parameters differ in device or dtype: {sorted(map(str, kinds))}")
        if not all(p.is_leaf and p.requires_grad for p in self.params):
            raise ValueError("SGD: every parameter must be a leaf with requires_grad=True")
        if len({id(p) for p in self.params}) < len(self.params):
            raise ValueError("SGD: a parameter is given twice; name each once")
        device, dtype = self.params[0].device, self.params[0].dtype
        total = sum(p.size for p in self.params)
        self.device = device
        self._weights, self._gradients, self._velocity = (
            device.zeros((total,), dtype) for _ in range(3)
        )
        self._places: list[tuple[slice, Array]] = []  # of each parameter: where, and its view
        start = 0
        for p in self.params:
            place = slice(start, start + p.size)
            view = device.reshape(device.getitem(self._weights, place), p.shape)
            device.copy_into(view, p.data)
            p.data = view
            p._grad_home = device.reshape(device.getitem(self._gradients, place), p.shape)
            p.grad = None
            self._places.append((place, view))
            start += p.size

    @property
    def lr(self) -> float:
        """The rate at which the next step will run."""
        if isinstance(self.schedule, Constant):
            return self.schedule.lr
        if self.steps_per_epoch is None:
            raise ValueError(
                "SGD: a schedule counts in epochs; pass steps_per_epoch=(examples // batch size)"
            )
        rate = self.schedule(self.step_count / self.steps_per_epoch)
        if not 0 <= rate < math.inf:
            t = self.step_count / self.steps_per_epoch
            raise ValueError(f"SGD: the rate at epoch {t:g} is {rate}; it must be finite and >= 0")
        return rate

    def zero_grad(self) -> None:
        """Forget all gradients."""
        for p in self.params:
            p.grad = None

    def step(self) -> None:
        """Move every parameter that has a gradient; those without stay as they are.

        Raises:
            RuntimeError: a parameter was moved to another device, or taken by another optimiser.
        """
        self.last_lr = self.lr
        for run in self._runs():
            self.device.sgd_step(
                *(self.device.getitem(b, run) for b in (self._weights, self._gradients, self._velocity)),
                lr=self.last_lr,
                momentum=self.momentum,
                weight_decay=self.weight_decay,
                nesterov=self.nesterov,
            )
        self.step_count += 1

    def _runs(self) -> list[slice]:
        """The stretches of the buffer whose parameters have gradients: most often one, all of it."""
        runs: list[slice] = []
        for p, (place, view) in zip(self.params, self._places, strict=True):
            if p.data is not view:
                raise RuntimeError(
                    "SGD: a parameter left this optimiser's buffer (model.to(...), or another "
                    "optimiser); make the optimiser last"
                )
            if p.grad is None:
                continue
            if p.grad.data is not p._grad_home:  # set by hand
                self.device.copy_into(p._grad_home, p.grad.data)
            p._version.count += 1
            if runs and runs[-1].stop == place.start:
                place = slice(runs.pop().start, place.stop)
            runs.append(place)
        return runs

    def grad_norm(self) -> float:
        """The Euclidean norm of the gradients of the last backward, all parameters together."""
        return self.device.norm(self._gradients)

    def weight_norm(self) -> float:
        """The Euclidean norm of the parameters, all together."""
        return self.device.norm(self._weights)

    def state_dict(self) -> dict[str, Any]:
        """What a checkpoint needs beside the parameters: the count of steps, and the velocity."""
        velocity = self.device.to_numpy(self._velocity).copy()
        return {"step_count": self.step_count, "velocity": velocity}

    def load_state_dict(self, state: Mapping[str, Any]) -> None:
        """Go on from `state`, as `state_dict` gave it. ValueError where the sizes differ."""
        velocity = state["velocity"]
        if velocity.shape != self._velocity.shape:
            raise ValueError(
                f"SGD: the state's velocity {velocity.shape} does not fit "
                f"{self._velocity.shape[0]} parameters; was it another model?"
            )
        self.device.copy_into(self._velocity, self.device.from_numpy(velocity))
        self.step_count = int(state["step_count"])

    def __repr__(self) -> str:
        return (
            f"SGD({len(self.params)} tensors, lr={self.schedule!r}, momentum={self.momentum}, "
            f"weight_decay={self.weight_decay}, nesterov={self.nesterov})"
        )
