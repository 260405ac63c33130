"""The algebra: what a schedule is, and how two of them make a third."""

import operator
from abc import ABC, abstractmethod
from collections.abc import Callable
from dataclasses import dataclass, fields
from math import inf
from typing import Any

from minidecay.optim.values import Value, is_number, number, short

__all__ = ["Clipped", "Combined", "Constant", "Schedule", "Then", "as_schedule", "from_json"]


class Schedule(Value, ABC):
    """A rate over time: `schedule(t)` is the rate (0 or more) after t epochs (0 or more).

    A kind is a frozen dataclass whose numbers are checked as `Value` says. `epochs` is the
    duration: the rate stays as it is from there on. It is inf where a schedule has no end of its
    own.
    """

    epochs: float

    __array_ufunc__ = None  # leaves np.float64(0.5) * schedule to __rmul__

    def __post_init__(self) -> None:
        super().__post_init__()
        for field in fields(self):
            given = getattr(self, field.name)
            if field.type in (Schedule, "Schedule") and not isinstance(given, Schedule):
                kind = type(self).__name__
                raise TypeError(f"{kind}: {field.name} must be a schedule, got {given!r}")

    @abstractmethod
    def value(self, t: float) -> float:
        """The rate at a t already checked: what each kind defines."""

    def __call__(self, t: float) -> float:
        """The rate at t epochs. ValueError where t, or the rate, is negative or not finite."""
        checked = number(f"{type(self).__name__}: t", t)
        try:
            rate = self.value(checked)
        except OverflowError:
            rate = inf
        if not 0 <= rate < inf:
            raise ValueError(f"{self!r}: the rate at t = {t} is {rate}, not finite and 0 or more")
        return rate

    def then(self, second: "Schedule", at: float | None = None) -> "Schedule":
        """This schedule until epoch `at` (unless given, its end), then `second` from its own t = 0.

        ValueError where this schedule has no end and `at` is not given.

        >>> from minidecay.optim.schedules import Ramp
        >>> Constant(0.1).then(Ramp(0.1, 0, epochs=5), at=25)(27.5)
        0.05
        """
        if at is None and self.epochs == inf:
            raise ValueError(f"then: {self!r} has no end; say when: .then(..., at=epoch)")
        return Then(self, second, self.epochs if at is None else at)

    def clip(self, low: float, high: float) -> "Schedule":
        """This schedule with its rate kept between `low` and `high`."""
        return Clipped(self, low, high)

    def __add__(self, other: "Schedule | float") -> "Schedule":
        return Combined(self, "+", other)

    def __sub__(self, other: "Schedule | float") -> "Schedule":
        return Combined(self, "-", other)

    def __rsub__(self, number: float) -> "Schedule":
        return Combined(number, "-", self)

    def __mul__(self, other: "Schedule | float") -> "Schedule":
        return Combined(self, "*", other)

    def __truediv__(self, number: float) -> "Schedule":
        return Combined(self, "/", number)

    __radd__ = __add__
    __rmul__ = __mul__

    def to_json(self) -> dict[str, Any]:
        """The schedule in plain JSON types, for `from_json`.

        >>> from minidecay.optim.schedules import Steps
        >>> Steps(0.3, [10, 15]).to_json()
        {'schedule': 'Steps', 'lr': 0.3, 'milestones': [10.0, 15.0], 'gamma': 0.1}
        """
        stored: dict[str, Any] = {"schedule": type(self).__name__}
        for field in fields(self):
            value = getattr(self, field.name)
            if isinstance(value, Schedule):
                value = value.to_json()
            stored[field.name] = list(value) if isinstance(value, tuple) else value
        return stored


@dataclass(frozen=True, repr=False)
class Constant(Schedule):
    """The rate `lr` at every t: what a number becomes where a schedule is wanted.

    >>> Constant(0.1)(25)
    0.1
    """

    lr: float
    epochs = inf

    def value(self, t: float) -> float:
        return self.lr


@dataclass(frozen=True, repr=False)
class Then(Schedule):
    """What `first.then(second, at)` makes: `second(t - at)` from t = at on."""

    first: Schedule
    second: Schedule
    at: float

    @property
    def epochs(self) -> float:  # type: ignore[override]
        return self.at + self.second.epochs

    def value(self, t: float) -> float:
        return self.first.value(t) if t < self.at else self.second.value(t - self.at)

    def __repr__(self) -> str:
        at = "" if self.at == self.first.epochs else f", at={short(self.at)}"
        return f"{_operand(self.first)}.then({self.second!r}{at})"


@dataclass(frozen=True, repr=False)
class Clipped(Schedule):
    """What `inner.clip(low, high)` makes."""

    inner: Schedule
    low: float
    high: float

    def __post_init__(self) -> None:
        super().__post_init__()
        if self.low > self.high:
            raise ValueError(f"clip: low {self.low} is above high {self.high}; exchange them")

    @property
    def epochs(self) -> float:  # type: ignore[override]
        return self.inner.epochs

    def value(self, t: float) -> float:
        return min(max(self.inner.value(t), self.low), self.high)

    def __repr__(self) -> str:
        return f"{_operand(self.inner)}.clip({short(self.low)}, {short(self.high)})"


@dataclass(frozen=True, repr=False)
class Combined(Schedule):
    """What `left + right`, `-`, `*` and `left / number` make.

    `right` may be a number too, and in a difference so may `left`: 1 - schedule.
    """

    left: Schedule | float
    symbol: str
    right: Schedule | float

    def __post_init__(self) -> None:
        super().__post_init__()
        if self.symbol not in _OPERATORS:
            raise ValueError(f"Combined: no operator {self.symbol!r}; there are {[*_OPERATORS]}")
        if not isinstance(self.left, Schedule) and self.symbol != "-":
            raise TypeError(f"Combined: left must be a schedule, got {self.left!r}")
        for side in ("left", "right"):
            given = getattr(self, side)
            if not isinstance(given, Schedule):
                checked = number(f"schedule {self.symbol} number: the number", given)
                object.__setattr__(self, side, checked)
        if self.symbol == "/" and (self.right == 0 or isinstance(self.right, Schedule)):
            raise ValueError(f"schedule / number: cannot divide by {short(self.right)}")

    @property
    def epochs(self) -> float:  # type: ignore[override]
        sides = (self.left, self.right)
        return max((each.epochs for each in sides if isinstance(each, Schedule)), default=0.0)

    def value(self, t: float) -> float:
        left, right = (
            each.value(t) if isinstance(each, Schedule) else each
            for each in (self.left, self.right)
        )
        return _OPERATORS[self.symbol](left, right)

    def __repr__(self) -> str:
        sides = [_operand(self.left), _operand(self.right)]
        if self.symbol == "*" and not isinstance(self.right, Schedule):
            sides.reverse()  # 0.5 * schedule, as one writes it
        return f" {self.symbol} ".join(sides)


_OPERATORS: dict[str, Callable[[float, float], float]] = {
    "+": operator.add,
    "-": operator.sub,
    "*": operator.mul,
    "/": operator.truediv,
}


def from_json(stored: dict[str, Any]) -> Schedule:
    """The schedule that `Schedule.to_json` stored, equal to the last bit.

    TypeError for what is not a dict; ValueError for a kind that is not known, for fields missing or
    too many, and for values that the schedule itself refuses.

    >>> from_json({"schedule": "Constant", "lr": 0.1})
    Constant(0.1)
    """
    if not isinstance(stored, dict):
        raise TypeError(f"from_json: needs a dict as to_json makes it, got {stored!r}")
    kinds = {kind.__name__: kind for kind in Schedule.__subclasses__()}
    name = str(stored.get("schedule"))
    if name not in kinds:
        raise ValueError(f"from_json: no kind 'schedule': {name!r}; there are {sorted(kinds)}")
    values = {key: value for key, value in stored.items() if key != "schedule"}
    expected = [field.name for field in fields(kinds[name])]
    if set(values) != set(expected):
        raise ValueError(f"from_json: {name} needs the fields {expected}, got {[*values]}")
    parts = {k: from_json(v) if isinstance(v, dict) else v for k, v in values.items()}
    return kinds[name](**parts)


def as_schedule(lr: float | Callable[[float], float]) -> Callable[[float], float]:
    """A number as `Constant`; a schedule, or any other function of t in epochs, as it is.

    Only a `Schedule` compares by value and can be stored as JSON. TypeError for anything else.

    >>> as_schedule(0.1)
    Constant(0.1)
    """
    if isinstance(lr, type) or not (callable(lr) or is_number(lr)):
        raise TypeError(f"lr must be a number, a schedule or a function of t in epochs, got {lr!r}")
    return lr if callable(lr) else Constant(lr)


def _operand(side: Schedule | float) -> str:
    return f"({side!r})" if isinstance(side, Combined) else short(side)
