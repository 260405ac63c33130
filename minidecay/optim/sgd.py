"""Stochastic gradient descent over one flat buffer."""

import math
from collections.abc import Callable, Iterable, Mapping
from numbers import Real
from typing import Any

import numpy as np

from minidecay.autograd import Tensor
from minidecay.devices.protocol import Array
from minidecay.optim.schedules import Constant, Schedule, as_schedule
from minidecay.recording import replayed


class SGD:
    """Gradient descent with momentum and weight decay, step for step as torch.optim.SGD.

        g' = g + weight_decay w;  v = momentum v + g';  w -= lr v  (nesterov: lr (g' + momentum v))

    The parameters move into one flat buffer, their gradients into another, so that a step is one
    pass over memory. Each parameter keeps its shape and name; it becomes a view of the buffer, and
    so does its `grad`, which the next backward overwrites: copy it to keep it.

    Args:
        params: the tensors to train, leaves of one float dtype and one device.
        lr: a number, a schedule, or any function from t, in epochs, to a rate. Step k (from 0) runs
            at t = k / steps_per_epoch.
        momentum, weight_decay: numbers of at least 0.
        nesterov: look ahead (Sutskever et al. 2013); needs momentum.
        steps_per_epoch: what turns steps into epochs; `training.fit` fills it in where it is None.

    Raises:
        ValueError: a setting is out of range; there are no parameters, or they are of two dtypes or
            devices, one comes twice or does not require a gradient.
        TypeError: a setting is no number (`lr`: nor callable), or a parameter no tensor.

    >>> import minidecay as md
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
        self.schedule = as_schedule(lr)
        self.momentum = _at_least_0("momentum", momentum)
        self.weight_decay = _at_least_0("weight_decay", weight_decay)
        self.nesterov = nesterov
        if nesterov and momentum == 0:
            raise ValueError("SGD: nesterov=True looks ahead along the momentum; set momentum > 0")
        if steps_per_epoch is not None and (steps_per_epoch < 1 or steps_per_epoch % 1 != 0):
            raise ValueError(f"SGD: steps_per_epoch={steps_per_epoch} must be a positive integer")
        self.steps_per_epoch = steps_per_epoch
        self.step_count = 0
        self.last_lr: float | None = None
        self.params = _trainable(list(params))
        self._flatten()

    def _flatten(self) -> None:
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
        t = self.step_count / self.steps_per_epoch
        return _at_least_0(f"the rate at epoch {t:g}", self.schedule(t))

    @replayed
    def zero_grad(self) -> None:
        """Forget all gradients."""
        for p in self.params:
            p.grad = None

    @replayed
    def step(self) -> None:
        """Move every parameter that has a gradient; those without stay as they are.

        Raises:
            RuntimeError: a parameter was moved to another device, or taken by another optimiser.
            ValueError: a gradient set by hand has another shape than its parameter, `lr` wants
                steps_per_epoch, or it gives a rate that is not finite and 0 or more.
        """
        lr = self.lr
        for stretch in self._with_gradients():
            self.device.sgd_step(
                self.device.getitem(self._weights, stretch),
                self.device.getitem(self._gradients, stretch),
                self.device.getitem(self._velocity, stretch),
                lr=lr,
                momentum=self.momentum,
                weight_decay=self.weight_decay,
                nesterov=self.nesterov,
            )
        for p in self.params:
            if p.grad is not None:
                p._version.count += 1
        self.last_lr = lr
        self.step_count += 1

    def _with_gradients(self) -> list[slice]:
        """The stretches of the buffers that have gradients: most often one, all of it."""
        stretches: list[slice] = []
        for p, (place, view) in zip(self.params, self._places, strict=True):
            if p.data is not view:
                raise RuntimeError(
                    "SGD: a parameter left this optimiser's buffer (model.to(...), or another "
                    "optimiser); make the optimiser last"
                )
            if p.grad is None:
                continue
            if p.grad.data is not p._grad_home:  # set by hand
                if p.grad.shape != p.shape:
                    raise ValueError(
                        f"SGD: the gradient {p.grad.shape} of a parameter {p.shape} must have its "
                        "shape; reshape it"
                    )
                self.device.copy_into(p._grad_home, p.grad.data)
            if stretches and stretches[-1].stop == place.start:
                place = slice(stretches.pop().start, place.stop)
            stretches.append(place)
        return stretches

    def grad_norm(self) -> float:
        """The Euclidean norm of the gradients, all together; one that is missing counts as 0."""
        parts = (self.device.getitem(self._gradients, part) for part in self._with_gradients())
        return math.hypot(*map(self.device.norm, parts))

    def weight_norm(self) -> float:
        """The Euclidean norm of the parameters, all together."""
        return self.device.norm(self._weights)

    def state_dict(self) -> dict[str, Any]:
        """What a checkpoint needs beside the parameters: the count of steps, and the velocity."""
        velocity = self.device.to_numpy(self._velocity).copy()
        return {"step_count": self.step_count, "velocity": velocity}

    def load_state_dict(self, state: Mapping[str, Any]) -> None:
        """Go on from `state`, as `state_dict` gave it; ValueError where it does not fit."""
        if set(state) != {"step_count", "velocity"}:
            raise ValueError(f"SGD: a state has step_count and velocity, not {sorted(state)}")
        theirs, ours = np.asarray(state["velocity"]), self._velocity
        if theirs.shape != ours.shape or theirs.dtype != ours.dtype:
            raise ValueError(
                f"SGD: the state's velocity {theirs.dtype} {theirs.shape} does not fit this one's "
                f"{ours.dtype} {ours.shape}; was it another model?"
            )
        self.device.copy_into(ours, self.device.from_numpy(theirs))
        self.step_count = int(state["step_count"])

    def __repr__(self) -> str:
        return (
            f"SGD({len(self.params)} tensors, lr={self.schedule!r}, momentum={self.momentum}, "
            f"weight_decay={self.weight_decay}, nesterov={self.nesterov})"
        )


def _at_least_0(what: str, given: object) -> float:
    if isinstance(given, bool) or not isinstance(given, Real):
        raise TypeError(f"SGD: {what} must be a number, got {given!r}")
    if not 0 <= (number := float(given)) < math.inf:
        raise ValueError(f"SGD: {what} must be finite and 0 or more, got {given!r}")
    return number  # not NumPy's: a NumPy float64 would lift float32 arrays to its own precision


def _trainable(params: list[Any]) -> list[Tensor]:
    if not params:
        raise ValueError("SGD: there are no parameters; pass model.parameters()")
    for i, p in enumerate(params):
        if not isinstance(p, Tensor):
            kind = type(p).__name__
            raise TypeError(f"SGD: parameter {i} is a {kind}, no tensor; pass model.parameters()")
        if not (p.is_leaf and p.requires_grad):
            raise ValueError(
                f"SGD: parameter {i} {p.shape} is no leaf with requires_grad=True; leave it out"
            )
    if len(set(map(id, params))) < len(params):
        raise ValueError("SGD: a parameter is given twice; name each once")
    kinds = sorted({f"{p.dtype} on {p.device.name}" for p in params})
    if len(kinds) > 1:
        raise ValueError(f"SGD: parameters are {' and '.join(kinds)}; they must be of one kind")
    return params
