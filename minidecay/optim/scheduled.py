"""Settings over time: groups of them, the clock, schedules and controllers."""

import math
from collections.abc import Callable, Mapping
from typing import Any, ClassVar, TypeAlias

from minidecay.optim.controllers import Controller, State
from minidecay.optim.groups import Params, grouped
from minidecay.optim.schedules import Schedule
from minidecay.optim.values import is_number

__all__ = ["Number", "Rate", "Scheduled"]

Number: TypeAlias = float | Schedule | Callable[[float], float]  # a setting, over time
Rate: TypeAlias = Number | Controller


class Scheduled:
    """What an optimiser knows of time: how many steps were made, and the settings of the next.

    `Optimizer` says what the arguments are.
    """

    flags: ClassVar[tuple[str, ...]] = ()  # settings that are True or False
    shares: ClassVar[tuple[str, ...]] = ()  # settings that must stay below 1

    def __init__(
        self, params: Params, settings: Mapping[str, Any], steps_per_epoch: int | None
    ) -> None:
        self.kind, self._names = type(self).__name__, tuple(settings)
        self.param_groups = grouped(self.kind, params, settings)
        for group in self.param_groups:
            group |= {name: self._stored(name, group[name]) for name in self._names}
            self.check(group)
        if steps_per_epoch is not None:
            self._check_steps(steps_per_epoch)
        self.steps_per_epoch = steps_per_epoch
        self.step_count = 0
        self._origin = (0, 0)  # an epoch that began, and at what step
        self._control: dict[int, State] = {}  # of a group's controller, by the group's index

    def check(self, group: Mapping[str, Any]) -> None:
        """Raise for settings of a group that make no sense together."""

    def _stored(self, name: str, given: Any) -> Any:
        """A setting as a group keeps it: a number as a float, what changes over time as it is."""
        if name in self.flags:
            return bool(given)
        if isinstance(given, tuple):
            return tuple(self._stored(name, each) for each in given)
        if is_number(given):
            return self._in_range(name, name, given)
        controls = isinstance(given, Controller) and name == "lr"
        if isinstance(given, type) or not (callable(given) or controls):
            raise TypeError(
                f"{self.kind}: {name} must be a number, a schedule or a function of t in epochs, "
                f"got {given!r}"
            )
        return given

    # -- time, and the settings at it --------------------------------------------------------------
    @property
    def epoch(self) -> float:
        """t at the next step: the epochs trained so far. ValueError without steps_per_epoch."""
        if self.steps_per_epoch is None:
            raise ValueError(
                f"{self.kind}: a schedule counts in epochs; pass "
                "steps_per_epoch=(examples // batch size)"
            )
        epoch, step = self._origin
        return epoch + (self.step_count - step) / self.steps_per_epoch

    def start_epoch(self, epoch: int, steps_per_epoch: int) -> None:
        """Say that `epoch` epochs are done and that the next one has `steps_per_epoch` steps.

        Only a loop whose epochs differ in length has to, such as one with a scheduled batch size.
        """
        self._check_steps(steps_per_epoch)
        self.steps_per_epoch, self._origin = steps_per_epoch, (epoch, self.step_count)

    def _check_steps(self, steps: int) -> None:
        if not is_number(steps) or steps < 1 or steps % 1 != 0:
            raise ValueError(f"{self.kind}: steps_per_epoch={steps!r} must be a positive integer")

    @property
    def lr(self) -> float:
        """The rate at which the next step will move the first group."""
        rate: float = self._now("lr", 0)
        return rate

    def settings(self, group: int = 0) -> dict[str, Any]:
        """A group's settings at the next step: numbers where schedules were given."""
        return {name: self._now(name, group) for name in self._names}

    def _now(self, name: str, group: int) -> Any:
        given = self.param_groups[group][name]
        if type(given) is float and 0 <= given < 1:
            return given  # most settings, most of the time
        if name in self.flags:
            return bool(given)
        if isinstance(given, Controller):
            return self._controlled(group, given)["lr"]
        if isinstance(given, tuple):
            return tuple(self._number(name, each) for each in given)
        return self._number(name, given)

    def _number(self, name: str, given: Any) -> float:
        if not callable(given):
            return self._in_range(name, name, given)
        t = self.epoch
        return self._in_range(
            name, f"the {'rate' if name == 'lr' else name} at epoch {t:g}", given(t)
        )

    def _in_range(self, name: str, what: str, given: object) -> float:
        if not is_number(given):
            raise TypeError(f"{self.kind}: {what} must be a number, got {given!r}")
        # Not NumPy's: a NumPy float64 would lift float32 arrays to its own precision.
        if not 0 <= (number := float(given)) < math.inf:
            raise ValueError(f"{self.kind}: {what} must be finite and 0 or more, got {given!r}")
        if number >= 1 and name in self.shares:
            raise ValueError(f"{self.kind}: {what} must be below 1, got {given!r}")
        return number

    # -- controllers -------------------------------------------------------------------------------
    def observe(self, loss: float) -> None:
        """Tell each controller that is a rate the mean training loss of an epoch now done."""
        for index, group in enumerate(self.param_groups):
            if isinstance(controller := group["lr"], Controller):
                self._control[index] = controller.update(self._controlled(index, controller), loss)

    def _controlled(self, group: int, controller: Controller) -> State:
        return self._control.setdefault(group, controller.start())
