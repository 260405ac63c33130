"""Rates that go one way: by steps, along a line or a curve, or for ever."""

from bisect import bisect_right
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from itertools import pairwise
from math import cos, inf, pi, sqrt

from minidecay.optim.schedules.algebra import Schedule
from minidecay.optim.values import number, short

__all__ = ["Cosine", "Exponential", "InverseSqrt", "InverseTime", "Polynomial", "Ramp", "Steps"]


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
        milestones = tuple(number("Steps: a milestone", epoch) for epoch in self.milestones)
        if any(later <= earlier for earlier, later in pairwise(milestones)):
            raise ValueError(f"Steps: milestones {short(milestones)} must increase; sort them")
        object.__setattr__(self, "milestones", milestones)

    def value(self, t: float) -> float:
        return self.lr * self.gamma ** bisect_right(self.milestones, t)


@dataclass(frozen=True, repr=False)
class Ramp(Schedule):
    """A straight line from `start` to `end` over `epochs`, then `end` (at once if epochs is 0).

    >>> warm = Ramp(0, 0.1, epochs=5)
    >>> warm(0), warm(2.5), warm(5)
    (0.0, 0.05, 0.1)
    """

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

    >>> half = Cosine(0.1, epochs=90)
    >>> half(0), half(45), half(90)
    (0.1, 0.05, 0.0)
    """

    lr: float
    epochs: float
    min_lr: float = 0.0

    def __post_init__(self) -> None:
        super().__post_init__()
        check_floor(self, self.lr, self.min_lr)

    def value(self, t: float) -> float:
        if t >= self.epochs:
            return self.min_lr
        return self.min_lr + (self.lr - self.min_lr) * (1 + cos(pi * (t / self.epochs))) / 2


@dataclass(frozen=True, repr=False)
class Polynomial(Schedule):
    """`min_lr + (lr - min_lr) * (1 - t / epochs)**power` over `epochs`, then `min_lr`.

    A power of 1 is a line; 0.9 is the "poly" policy of DeepLab (Chen et al. 2017). ValueError
    where min_lr is above lr.

    >>> curve = Polynomial(0.1, epochs=10, power=2)
    >>> curve(0), curve(5), curve(10)
    (0.1, 0.025, 0.0)
    """

    lr: float
    epochs: float
    power: float = 1.0
    min_lr: float = 0.0

    def __post_init__(self) -> None:
        super().__post_init__()
        check_floor(self, self.lr, self.min_lr)

    def value(self, t: float) -> float:
        if t >= self.epochs:
            return self.min_lr
        left = float((1 - t / self.epochs) ** self.power)
        return self.min_lr + (self.lr - self.min_lr) * left


@dataclass(frozen=True, repr=False)
class Exponential(Schedule):
    """`lr * gamma**t`: each epoch `gamma` times the one before, smoothly in between.

    A gamma above 1 lets the rate grow, as the learning-rate range test wants it (Smith 2017).

    >>> half_life = Exponential(0.8, gamma=0.5)
    >>> half_life(0), half_life(1), half_life(3)
    (0.8, 0.4, 0.1)
    """

    lr: float
    gamma: float
    epochs = inf

    def value(self, t: float) -> float:
        return self.lr * float(self.gamma**t)


@dataclass(frozen=True, repr=False)
class InverseTime(Schedule):
    """`lr / (1 + decay * t)`, the classic rate of stochastic approximation (Bottou 2012).

    A line in 1/rate: half of `lr` is left at t = 1 / decay. It meets the conditions of Robbins and
    Monro (1951), under which SGD converges.

    >>> slow = InverseTime(0.1, decay=0.5)
    >>> slow(0), slow(2), slow(6)
    (0.1, 0.05, 0.025)
    """

    lr: float
    decay: float
    epochs = inf

    def value(self, t: float) -> float:
        return self.lr / (1 + self.decay * t)


@dataclass(frozen=True, repr=False)
class InverseSqrt(Schedule):
    """A line up to `lr` over `warmup` epochs, then `lr * sqrt(warmup / t)`.

    The rate of the Transformer (Vaswani et al. 2017, equation 3), by its peak. ValueError where
    `warmup` is 0.

    >>> noam = InverseSqrt(0.1, warmup=4)
    >>> noam(2), noam(4), noam(16)
    (0.05, 0.1, 0.05)
    """

    lr: float
    warmup: float
    epochs = inf

    def __post_init__(self) -> None:
        super().__post_init__()
        self.require_above_0("warmup")

    def value(self, t: float) -> float:
        if t < self.warmup:
            return self.lr * (t / self.warmup)
        return self.lr * sqrt(self.warmup / t)


def check_floor(schedule: Schedule, lr: float, min_lr: float) -> None:
    """Raise ValueError where a schedule's floor is above its peak."""
    schedule.require(min_lr <= lr, f"min_lr {min_lr} is above lr {lr}; exchange them")
