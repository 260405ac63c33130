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

>>> from dataclasses import dataclass
>>> from math import inf
>>> @dataclass(frozen=True, repr=False)
... class Halving(Schedule):
...     lr: float
...     epochs = inf
...
...     def value(self, t: float) -> float:
...         return self.lr * 0.5**t
>>> Halving(0.8).clip(0.15, 1)(2), Halving(0.8).clip(0.15, 1)(3)
(0.2, 0.15)

`minidecay schedules` draws each kind; `examples/schedules.md` leads there from torch's schedulers.
"""

from minidecay.optim.schedules.algebra import Combined, Constant, Schedule, as_schedule, from_json
from minidecay.optim.schedules.cycles import CosineRestarts, OneCycle, Triangular
from minidecay.optim.schedules.decays import (
    Cosine,
    Exponential,
    InverseSqrt,
    InverseTime,
    Polynomial,
    Ramp,
    Steps,
)
from minidecay.optim.schedules.wsd import COOLDOWNS, WSD

__all__ = [
    "COOLDOWNS",
    "WSD",
    "Combined",
    "Constant",
    "Cosine",
    "CosineRestarts",
    "Exponential",
    "InverseSqrt",
    "InverseTime",
    "OneCycle",
    "Polynomial",
    "Ramp",
    "Schedule",
    "Steps",
    "Triangular",
    "as_schedule",
    "from_json",
]
