"""Learning-rate schedules as values: the rate at epoch t, and nothing else.

A schedule is a pure function of t, the epochs trained so far; it has no state to step, save or
restore. Step k of a run with n steps an epoch trains at `schedule(k / n)`. Schedules compare, hash,
print as the code that makes them, go through JSON unchanged, and combine:

>>> warm = Ramp(0, 0.1, epochs=5).then(Cosine(0.1, epochs=95))
>>> warm(2.5), warm(5), warm(100)
(0.05, 0.1, 0.0)
>>> 0.5 * warm
0.5 * Ramp(0, 0.1, 5).then(Cosine(0.1, 95))
>>> from_json(warm.to_json()) == warm
True

A new kind is a frozen dataclass that says its `value` and its `epochs`; it inherits the rest:

>>> @dataclass(frozen=True, repr=False)
... class Halving(Schedule):
...     lr: float
...     epochs = inf
...
...     def value(self, t: float) -> float:
...         return self.lr * 0.5**t
>>> Halving(0.8).clip(0.15, 1)(2), Halving(0.8).clip(0.15, 1)(3)
(0.2, 0.15)
"""

import operator
from abc import ABC, abstractmethod
from bisect import bisect_right
from collections.abc import Callable, Iterable, Sequence
from dataclasses import MISSING, Field, dataclass, fields
from itertools import pairwise
from math import cos, inf, pi
from numbers import Real
from typing import Any, ClassVar, TypeGuard

__all__ = ["Constant", "Cosine", "Ramp", "Schedule", "Steps", "as_schedule", "from_json"]


class Schedule(ABC):
    """A rate over time: `schedule(t)` is the rate (0 or more) after t epochs (0 or more).

    A field annotated `float` is stored as a Python float; it must be a number (or TypeError;
    NumPy's are welcome), finite and not negative (or ValueError). `epochs` is the duration: the
    rate stays as it is from there on. It is inf where a schedule has no end of its own.
    """

    epochs: float

    __array_ufunc__ = None  # leaves np.float64(0.5) * schedule to __rmul__
    __dataclass_fields__: ClassVar[dict[str, Field[Any]]]

    def __post_init__(self) -> None:
        kind = type(self).__name__
        for field in fields(self):
            given = getattr(self, field.name)
            if field.type in (float, "float"):
                object.__setattr__(self, field.name, _number(f"{kind}: {field.name}", given))
            elif field.type in (Schedule, "Schedule") and not isinstance(given, Schedule):
                raise TypeError(f"{kind}: {field.name} must be a schedule, got {given!r}")

    @abstractmethod
    def value(self, t: float) -> float:
        """The rate at a t already checked: what each kind defines."""

    def __call__(self, t: float) -> float:
        """The rate at t epochs. ValueError where t, or the rate, is negative or not finite."""
        rate = self.value(_number(f"{type(self).__name__}: t", t))
        if not 0 <= rate < inf:
            raise ValueError(f"{self!r}: the rate at t = {t} is {rate}, not finite and 0 or more")
        return rate

    def then(self, second: "Schedule", at: float | None = None) -> "Schedule":
        """This schedule until epoch `at` (unless given, its end), then `second` from its own t = 0.

        ValueError where this schedule has no end and `at` is not given.

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

    def __mul__(self, other: "Schedule | float") -> "Schedule":
        return Combined(self, "*", other)

    def __truediv__(self, number: float) -> "Schedule":
        return Combined(self, "/", number)

    __radd__ = __add__
    __rmul__ = __mul__

    def __repr__(self) -> str:
        shown = [
            f"{'' if field.default is MISSING else field.name + '='}{_short(value)}"
            for field in fields(self)
            if (value := getattr(self, field.name)) != field.default
        ]
        return f"{type(self).__name__}({', '.join(shown)})"

    def to_json(self) -> dict[str, Any]:
        """The schedule in plain JSON types, for `from_json`.

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
    """The rate `lr` at every t."""

    lr: float
    epochs = inf

    def value(self, t: float) -> float:
        return self.lr


@dataclass(frozen=True, repr=False)
class Steps(Schedule):
    """`lr * gamma**k` once k of the milestones have come; at t = milestone, that one has.

    `milestones` are epochs, increasing (or ValueError); any sequence will do, a tuple is kept.

    >>> decay = Steps(0.5, milestones=[10, 15], gamma=0.5)
    >>> decay(9.99), decay(10), decay(15)
    (0.5, 0.25, 0.125)
    """

    lr: float
    milestones: Sequence[float]
    gamma: float = 0.1
    epochs = inf

    def __post_init__(self) -> None:
        super().__post_init__()
        if not isinstance(self.milestones, Iterable):
            raise TypeError(f"Steps: milestones must be a sequence, got {self.milestones!r}")
        milestones = tuple(_number("Steps: a milestone", epoch) for epoch in self.milestones)
        if any(later <= earlier for earlier, later in pairwise(milestones)):
            raise ValueError(f"Steps: milestones {_short(milestones)} must increase; sort them")
        object.__setattr__(self, "milestones", milestones)

    def value(self, t: float) -> float:
        return self.lr * self.gamma ** bisect_right(self.milestones, t)


@dataclass(frozen=True, repr=False)
class Ramp(Schedule):
    """A straight line from `start` to `end` over `epochs`, then `end` (at once if epochs is 0)."""

    start: float
    end: float
    epochs: float

    def value(self, t: float) -> float:
        if t >= self.epochs:
            return self.end
        return self.start + (self.end - self.start) * (t / self.epochs)


@dataclass(frozen=True, repr=False)
class Cosine(Schedule):
    """Half a cosine from `lr` down to `min_lr` over `epochs`, then `min_lr`.

    `min_lr + (lr - min_lr) * (1 + cos(pi * t / epochs)) / 2`: SGDR without its restarts
    (Loshchilov and Hutter 2017, equation 5). ValueError where min_lr is above lr.
    """

    lr: float
    epochs: float
    min_lr: float = 0.0

    def __post_init__(self) -> None:
        super().__post_init__()
        if self.min_lr > self.lr:
            raise ValueError(f"Cosine: min_lr {self.min_lr} is above lr {self.lr}; exchange them")

    def value(self, t: float) -> float:
        if t >= self.epochs:
            return self.min_lr
        return self.min_lr + (self.lr - self.min_lr) * (1 + cos(pi * (t / self.epochs))) / 2


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
        at = "" if self.at == self.first.epochs else f", at={_short(self.at)}"
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
        return f"{_operand(self.inner)}.clip({_short(self.low)}, {_short(self.high)})"


@dataclass(frozen=True, repr=False)
class Combined(Schedule):
    """What `left + right`, `left * right` and `left / number` make; `right` may be a number too."""

    left: Schedule
    symbol: str
    right: Schedule | float

    def __post_init__(self) -> None:
        super().__post_init__()
        if self.symbol not in _OPERATORS:
            raise ValueError(f"Combined: no operator {self.symbol!r}; there are {[*_OPERATORS]}")
        if not isinstance(self.right, Schedule):
            number = _number(f"schedule {self.symbol} number: the number", self.right)
            object.__setattr__(self, "right", number)
        if self.symbol == "/" and (self.right == 0 or isinstance(self.right, Schedule)):
            raise ValueError(f"schedule / number: cannot divide by {_short(self.right)}")

    @property
    def epochs(self) -> float:  # type: ignore[override]
        return max(side.epochs for side in (self.left, self.right) if isinstance(side, Schedule))

    def value(self, t: float) -> float:
        right = self.right.value(t) if isinstance(self.right, Schedule) else self.right
        return _OPERATORS[self.symbol](self.left.value(t), right)

    def __repr__(self) -> str:
        sides = [_operand(self.left), _operand(self.right)]
        if self.symbol == "*" and not isinstance(self.right, Schedule):
            sides.reverse()  # 0.5 * schedule, as one writes it
        return f" {self.symbol} ".join(sides)


_OPERATORS: dict[str, Callable[[float, float], float]] = {
    "+": operator.add,
    "*": operator.mul,
    "/": operator.truediv,
}


def from_json(stored: dict[str, Any]) -> Schedule:
    """The schedule that `Schedule.to_json` stored, equal to the last bit.

    TypeError for what is not a dict; ValueError for a kind that is not known, for fields missing or
    too many, and for values that the schedule itself refuses.
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
    if isinstance(lr, type) or not (callable(lr) or _is_number(lr)):
        raise TypeError(f"lr must be a number, a schedule or a function of t in epochs, got {lr!r}")
    return lr if callable(lr) else Constant(lr)


def _is_number(given: object) -> TypeGuard[float]:
    return isinstance(given, Real) and not isinstance(given, bool)


def _number(what: str, given: object) -> float:
    if not _is_number(given):
        raise TypeError(f"{what} must be a number, got {given!r}")
    if not 0 <= (number := float(given)) < inf:
        raise ValueError(f"{what} must be finite and 0 or more, got {given!r}")
    return number or 0.0  # -0.0 becomes 0.0


def _short(value: object) -> str:
    """Numbers as one writes them: whole ones without their `.0`."""
    if isinstance(value, tuple):
        return f"({', '.join(map(_short, value))}{',' if len(value) == 1 else ''})"
    return repr(value).removesuffix(".0") if isinstance(value, float) else repr(value)


def _operand(side: Schedule | float) -> str:
    return f"({side!r})" if isinstance(side, Combined) else _short(side)
