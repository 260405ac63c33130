"""Rates that go up and down: warm restarts, one cycle, triangles."""

from dataclasses import dataclass
from math import cos, floor, inf, log, log1p, pi

from minidecay.optim.schedules.algebra import Schedule
from minidecay.optim.schedules.decays import Cosine, Ramp, check_floor

__all__ = ["CosineRestarts", "OneCycle", "Triangular"]


@dataclass(frozen=True, repr=False)
class CosineRestarts(Schedule):
    """Half cosines from `lr` down to `min_lr`, one after another: SGDR.

    The first lasts `period` epochs, each other one `factor` times as long as the one before
    (Loshchilov and Hutter 2017, equation 5, their T_0 and T_mult). At a restart the rate is `lr`.
    ValueError where period is 0, factor below 1, or min_lr above lr.

    >>> sgdr = CosineRestarts(0.1, period=10, factor=2)
    >>> [sgdr(t) for t in (0, 5, 10, 20, 30)]
    [0.1, 0.05, 0.1, 0.05, 0.1]
    """

    lr: float
    period: float
    factor: float = 1.0
    min_lr: float = 0.0
    epochs = inf

    def __post_init__(self) -> None:
        super().__post_init__()
        self.require_above_0("period")
        self.require(self.factor >= 1, f"factor {self.factor} must be 1 or more")
        check_floor(self, self.lr, self.min_lr)

    def value(self, t: float) -> float:
        start, length = self._cycle(t)
        return Cosine(self.lr, length, self.min_lr).value(t - start)

    def _cycle(self, t: float) -> tuple[float, float]:
        """When the cosine that holds t began, and how long it lasts."""
        if self.factor == 1:
            return t - t % self.period, self.period
        n = floor(log1p(t / self.period * (self.factor - 1)) / log(self.factor))
        # A logarithm may miss by one: the starts decide, which are exact for whole numbers.
        while self._start(n) > t:
            n -= 1
        while self._start(n + 1) <= t:
            n += 1
        return self._start(n), self.period * self.factor**n

    def _start(self, n: int) -> float:
        return self.period * (self.factor**n - 1) / (self.factor - 1)


@dataclass(frozen=True, repr=False)
class OneCycle(Schedule):
    """Up to `lr`, then down to next to nothing, once: super-convergence (Smith and Topin 2018).

    From `lr / div_factor` up to `lr` over `pct_start` of the `epochs`, then down to
    `lr / div_factor / final_div_factor`, along half cosines, or lines with
    `anneal_strategy="linear"`. With `three_phase` the way down first mirrors the way up, as in the
    paper, and the rest goes from there to the end.

    The settings are those of torch's OneCycleLR, which reaches its peak and its end one step
    earlier, since its last step of N is N - 1. ValueError for a share outside of 0 to 1 (0.5 with
    three_phase), a divisor of 0 or an unknown strategy.

    >>> cycle = OneCycle(0.5, epochs=10, pct_start=0.4, div_factor=5)
    >>> cycle(0), cycle(2), cycle(4), cycle(7)
    (0.1, 0.3, 0.5, 0.250005)

    Smith moves the momentum the other way, in step with it:

    >>> momentum = Cosine(0.95, 4, min_lr=0.85).then(1.8 - Cosine(0.95, 6, min_lr=0.85))
    >>> momentum(0), momentum(4), momentum(10)
    (0.95, 0.85, 0.95)
    """

    lr: float
    epochs: float
    pct_start: float = 0.3
    div_factor: float = 25.0
    final_div_factor: float = 1e4
    anneal_strategy: str = "cos"
    three_phase: bool = False

    def __post_init__(self) -> None:
        super().__post_init__()
        self.require_above_0("div_factor", "final_div_factor")
        self.require_one_of("anneal_strategy", ("cos", "linear"))
        most = 0.5 if self.three_phase else 1.0
        self.require(self.pct_start <= most, f"pct_start {self.pct_start} is above {most}")

    def value(self, t: float) -> float:
        first, last = self.lr / self.div_factor, self.lr / self.div_factor / self.final_div_factor
        peak = self.pct_start * self.epochs
        if t < peak:
            return self._between(first, self.lr, t / peak)
        if not self.three_phase:
            return self._after(peak, self.lr, last, t)
        if t < 2 * peak:
            return self._between(self.lr, first, (t - peak) / peak)
        return self._after(2 * peak, first, last, t)

    def _after(self, start: float, high: float, low: float, t: float) -> float:
        if t >= self.epochs:
            return low
        return self._between(high, low, (t - start) / (self.epochs - start))

    def _between(self, start: float, end: float, x: float) -> float:
        if self.anneal_strategy == "linear":
            return Ramp(start, end, 1).value(x)
        return end + (start - end) * (1 + cos(pi * x)) / 2


@dataclass(frozen=True, repr=False)
class Triangular(Schedule):
    """Lines from `min_lr` up to `lr` in `up` epochs, down again in `down`, and so on for ever.

    Cyclical rates (Smith 2017). `down` is as long as `up` unless given. Each cycle is `gamma` times
    as high above `min_lr` as the one before: 0.5 is the paper's triangular2, and its exp_range is
    `min_lr + Triangular(lr - min_lr, up) * Exponential(1, gamma)`. ValueError where a cycle has no
    length, or min_lr is above lr.

    >>> cycles = Triangular(0.1, up=4, min_lr=0.02, gamma=0.5)
    >>> [cycles(t) for t in (0, 2, 4, 8, 12)]
    [0.02, 0.06, 0.1, 0.02, 0.06]
    """

    lr: float
    up: float
    down: float | None = None
    min_lr: float = 0.0
    gamma: float = 1.0
    epochs = inf

    def __post_init__(self) -> None:
        super().__post_init__()
        check_floor(self, self.lr, self.min_lr)
        self.require(self._period() > 0, "up and down are both 0; make a cycle longer than that")

    def _period(self) -> float:
        return self.up + (self.up if self.down is None else self.down)

    def value(self, t: float) -> float:
        cycle, since = divmod(t, self._period())
        height = (self.lr - self.min_lr) * self.gamma ** int(cycle)
        if since < self.up:
            return self.min_lr + height * (since / self.up)
        return self.min_lr + height * (1 - (since - self.up) / (self._period() - self.up))
