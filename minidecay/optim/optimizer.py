"""What every optimiser shares: flat buffers, the step, and the state."""

from collections.abc import Mapping, Sequence
from typing import Any, ClassVar

import numpy as np

from minidecay.autograd import Tensor
from minidecay.devices.protocol import Array
from minidecay.optim.controllers import Controller
from minidecay.optim.flat import Flat
from minidecay.optim.groups import Params
from minidecay.optim.scheduled import Scheduled
from minidecay.optim.values import short
from minidecay.recording import replayed

__all__ = ["Optimizer"]


class Optimizer(Scheduled):
    """Base of all optimisers: a kind says its settings, what it keeps, and `update`.

    The parameters move into one flat buffer, their gradients into another, so that a step is one
    pass over memory for each group. Each parameter keeps its shape and name; it becomes a view of
    the buffer, and so does its `grad`, which the next backward overwrites: copy it to keep it.

    Each number among the settings may be a schedule, or any function of t in epochs. Step k (from
    0) runs at t = k / steps_per_epoch. The rate may be a controller too (AutoDecay, Plateau).

    A deep copy moves copies of the parameters. Those of a model are copied with it where both are
    copied together: `model, optimizer = copy.deepcopy((model, optimizer))`.

    Args:
        params: the tensors to train, leaves of one float dtype and one device; or groups of them,
            dicts as torch takes them, with "params" and the settings that differ from the others':
            `[{"params": weights}, {"params": biases, "weight_decay": 0}]`.
        settings: the optimiser's settings by name.
        steps_per_epoch: what turns steps into epochs; `training.fit` fills it in where it is None.

    Attributes:
        param_groups: the groups, as dicts. A setting written into one holds from the next step on;
            `state_dict` does not keep it.
        params: all tensors, group by group.
        step_count: how many steps were made.
        last_lr: the first group's rate at the last step; None before it.

    Raises:
        ValueError: a setting is out of range or unknown; there are no parameters, or they are of
            two dtypes or devices, one comes twice or does not require a gradient.
        TypeError: a setting is no number (nor callable), or a parameter no tensor.

    >>> import minidecay as md
    >>> model = md.nn.Linear(2, 1)
    >>> groups = [{"params": model.weight}, {"params": model.bias, "lr": 0.5}]
    >>> optimizer = md.optim.SGD(groups, md.optim.Cosine(0.2, 10), steps_per_epoch=5)
    >>> optimizer.settings(0)["lr"], optimizer.settings(1)["lr"]
    (0.2, 0.5)
    """

    averages: ClassVar[bool] = False  # does `eval` put other weights in place?

    def __init__(
        self, params: Params, settings: Mapping[str, Any], steps_per_epoch: int | None
    ) -> None:
        super().__init__(params, settings, steps_per_epoch)
        self.last_lr: float | None = None
        self.params: list[Tensor] = [p for group in self.param_groups for p in group["params"]]
        self._counters = self.counters()
        held = [group["params"] for group in self.param_groups]
        self._flat = Flat(self.kind, held, self.buffers())
        self.device = self._flat.device

    # -- what a kind says of itself ----------------------------------------------------------------
    def buffers(self) -> Sequence[str]:
        """The names of what it keeps for each weight, zero at first."""
        return ()

    def counters(self) -> dict[str, np.ndarray]:
        """What else it keeps, as it is at first; "updates" counts those of each tensor."""
        return {}

    def update(
        self, w: Array, g: Array, kept: dict[str, Array], settings: dict[str, Any], step: int
    ) -> None:
        """Move the weights w, a flat array, by their gradients g.

        `kept` has the same part of each buffer; `step` says which update of these weights it is,
        from 1, where "updates" are counted.
        """
        raise NotImplementedError(f"{self.kind} has no update; define it")

    # -- training ----------------------------------------------------------------------------------
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
            ValueError: a gradient set by hand has another shape than its parameter, a schedule
                wants steps_per_epoch, or gives a number that is not finite and 0 or more.
        """
        settings = [self.settings(index) for index in range(len(self.param_groups))]
        updates = self._counters.get("updates")
        for stretch in self._flat.stretches(updates):
            w, g, kept = self._flat.parts(stretch)
            self.update(w, g, kept, settings[stretch.group], stretch.updates + 1)
        for i, p in enumerate(self.params):
            if p.grad is not None:
                p._version.count += 1
                if updates is not None:
                    updates[i] += 1
        self.last_lr = settings[0]["lr"]
        self.step_count += 1

    def train(self) -> None:
        """Put the weights in place that are trained; the others are there only after `eval`."""

    def eval(self) -> None:
        """Put the weights in place that are to be evaluated; for most kinds they are the same."""

    def grad_norm(self) -> float:
        """The Euclidean norm of the gradients, all together; one that is missing counts as 0."""
        return self._flat.grad_norm()

    def weight_norm(self) -> float:
        """The Euclidean norm of the parameters, all together."""
        return self.device.norm(self._flat.weights)

    # -- the state ---------------------------------------------------------------------------------
    def state_dict(self) -> dict[str, Any]:
        """What a checkpoint needs beside the parameters: arrays, and plain JSON.

        The count of steps, each buffer whole, and the controllers' states where there are any.
        """
        kept = {name: self.device.to_numpy(array).copy() for name, array in self._flat.kept.items()}
        counters = {name: array.copy() for name, array in self._counters.items()}
        return {"step_count": self.step_count, **kept, **counters, **self._control_state()}

    def _control_state(self) -> dict[str, Any]:
        states = [
            self._controlled(i, group["lr"]) if isinstance(group["lr"], Controller) else None
            for i, group in enumerate(self.param_groups)
        ]
        return {"control": states} if any(states) else {}

    def load_state_dict(self, state: Mapping[str, Any]) -> None:
        """Go on from `state`, as `state_dict` gave it; ValueError where it does not fit."""
        mine = self.state_dict()
        if not isinstance(state, Mapping):
            raise TypeError(
                f"{self.kind}: a state is of type {type(state).__name__}; "
                "give a dict, as state_dict() does"
            )
        if set(state) != set(mine):
            *most, last = mine
            named = f"{', '.join(most)} and {last}" if most else last
            raise ValueError(f"{self.kind}: a state has {named}, not {sorted(state)}")
        arrays = {name: np.asarray(state[name]) for name in (*self._flat.kept, *self._counters)}
        for name, theirs in arrays.items():
            ours = mine[name]
            if theirs.shape != ours.shape or theirs.dtype != ours.dtype:
                raise ValueError(
                    f"{self.kind}: the state's {name} {theirs.dtype} {theirs.shape} does not fit "
                    f"this one's {ours.dtype} {ours.shape}; was it another model?"
                )
        for name, buffer in self._flat.kept.items():
            self.device.copy_into(buffer, self.device.from_numpy(arrays[name]))
        for name, counter in self._counters.items():
            counter[...] = arrays[name]
        states = state.get("control", [])
        self._control = {i: dict(each) for i, each in enumerate(states) if each is not None}
        self.step_count = int(state["step_count"])

    def __repr__(self) -> str:
        groups = [
            f"{len(group['params'])} tensors, " + ", ".join(self._shown(group))
            for group in self.param_groups
        ]
        if len(groups) == 1:
            return f"{self.kind}({groups[0]})"
        return "\n".join([f"{self.kind}(", *(f"  {group}" for group in groups), ")"])

    def _shown(self, group: Mapping[str, Any]) -> list[str]:
        """Its settings, of flags those that are set."""
        return [
            f"{name}={short(group[name])}"
            for name in self._names
            if name not in self.flags or group[name]
        ]
