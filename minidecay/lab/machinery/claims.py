"""Claims: numbers that a run must reach, set before it ran, and what became of them."""

import math
import statistics
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Generic, Literal, TypeVar

import numpy as np

Run = TypeVar("Run")  # whatever an experiment measures a seed by

Verdict = Literal["holds", "fails", "undecided"]


@dataclass(frozen=True)
class Bound(Generic[Run]):
    """One number of a run and the threshold it must not cross."""

    what: str
    measure: Callable[[Run], float]
    sense: Literal[">=", "<="]
    threshold: float

    def of(self, run: Run) -> float:
        """The run's number; NaN where it is a quotient whose divisor is zero."""
        try:
            return self.measure(run)
        except ZeroDivisionError:
            return math.nan

    def holds(self, value: float) -> bool:
        """Does the value reach the threshold? NaN does not."""
        return value >= self.threshold if self.sense == ">=" else value <= self.threshold

    def verdict(self, low: float, high: float) -> Verdict:
        """What an interval of values says: wholly on one side of the threshold, or astride it."""
        if self.holds(low) and self.holds(high):
            return "holds"
        astride = self.holds(low) or self.holds(high) or math.isnan(low)
        return "undecided" if astride else "fails"

    def __str__(self) -> str:
        return f"{self.what} {self.sense} {self.threshold:g}"


@dataclass(frozen=True)
class Claim(Generic[Run]):
    """A statement with one bound or more, judged in two ways.

    `passed`: does every bound hold for each seed? `verdict`, over seeds: where the 95 % interval of
    every bound's mean lies beyond its threshold the claim holds; where one lies wholly short of it
    the claim fails; else it is undecided, as it is from one seed alone.

    A finding is judged alike but decides nothing: it says how far the paper's reading goes here.
    """

    name: str
    statement: str
    bounds: Sequence[Bound[Run]]
    finding: bool = False

    def judge(self, runs: Mapping[int, Run]) -> dict[str, Any]:
        """What became of it over the runs by seed, as plain JSON (None for what is not finite).

        `value` (the mean over seeds), `threshold` and `interval` ([low, high]) are of the bound
        where there is one, else lists with one for each.
        """
        values = {seed: [b.of(run) for b in self.bounds] for seed, run in runs.items()}
        passed = {
            seed: all(b.holds(v) for b, v in zip(self.bounds, row, strict=True))
            for seed, row in values.items()
        }
        columns = list(zip(*values.values(), strict=True))
        intervals = [interval(column) for column in columns]
        verdicts = {b.verdict(*i) for b, i in zip(self.bounds, intervals, strict=True)}
        return {
            "name": self.name,
            "statement": self.statement,
            "bounds": [str(bound) for bound in self.bounds],
            "finding": self.finding,
            "value": _one_or_all([_number(statistics.fmean(column)) for column in columns]),
            "threshold": _one_or_all([bound.threshold for bound in self.bounds]),
            "interval": _one_or_all([[_number(low), _number(high)] for low, high in intervals]),
            "verdict": next(v for v in ("fails", "undecided", "holds") if v in verdicts),
            "passed": all(passed.values()),
            "seeds": {
                str(seed): {
                    "value": _one_or_all([_number(value) for value in values[seed]]),
                    "passed": passed[seed],
                }
                for seed in runs
            },
        }


def interval(values: Sequence[float], confidence: float = 0.95) -> tuple[float, float]:
    """Where the mean of such values lies: Student's t interval, (NaN, NaN) from a single value.

    >>> low, high = interval([0.5, 0.6, 0.7])
    >>> round(low, 3), round(high, 3)
    (0.352, 0.848)
    """
    if len(values) < 2 or not all(map(math.isfinite, values)):
        return math.nan, math.nan
    half = student_t(len(values) - 1, confidence) * statistics.stdev(values) / len(values) ** 0.5
    mean = statistics.fmean(values)
    return mean - half, mean + half


def student_t(freedom: int, confidence: float = 0.95) -> float:
    """The t for which Student's distribution has `confidence` of its weight in [-t, t].

    With t = sqrt(freedom) tan(a) its density is that of cos(a)^(freedom - 1), integrated here.

    >>> round(student_t(4), 3)
    2.776
    """
    angle = np.linspace(0, np.pi / 2, 200_001)
    density = np.cos(angle) ** (freedom - 1)
    weight = np.concatenate([[0.0], np.cumsum(density[1:] + density[:-1])])
    at = np.interp(confidence * weight[-1], weight, angle)
    return float(np.sqrt(freedom) * np.tan(at))


def _number(value: float) -> float | None:
    return float(value) if math.isfinite(value) else None


def _one_or_all(each: list[Any]) -> Any:
    return each[0] if len(each) == 1 else each


def bounds_of(judged: Mapping[str, Any]) -> list[tuple[str, Any, Any]]:
    """(bound, value, interval) of each bound of a judged claim."""
    one = len(judged["bounds"]) == 1
    values = [judged["value"]] if one else judged["value"]
    intervals = [judged["interval"]] if one else judged["interval"]
    return list(zip(judged["bounds"], values, intervals, strict=True))


def describe(judged: Sequence[Mapping[str, Any]]) -> str:
    """The claims as lines: PASS or FAIL, the statement, each number beside its threshold."""
    lines = []
    for claim in judged:
        shown = "; ".join(f"{number(value)} ({bound})" for bound, value, _ in bounds_of(claim))
        seeds = claim["seeds"].values()
        share = f"{sum(s['passed'] for s in seeds)}/{len(seeds)} seeds"
        lines.append(
            f"{'PASS' if claim['passed'] else 'FAIL'}  {claim['name']:<4}{claim['statement']}"
        )
        lines.append(f"          {shown}; {share}")
    return "\n".join(lines)


def describe_verdicts(judged: Sequence[Mapping[str, Any]]) -> str:
    """The claims as lines: the verdict, the statement, each number with its 95 % interval."""
    lines = []
    for claim in judged:
        lines.append(f"{claim['verdict']:<11}{claim['name']:<4}{claim['statement']}")
        lines += [
            f"               {number(value, *interval)} ({bound})"
            for bound, value, interval in bounds_of(claim)
        ]
    return "\n".join(lines)


def number(value: float | None, low: float | None = None, high: float | None = None) -> str:
    """A mean of seeds, and its interval where there is one.

    >>> number(0.75, 0.7, 0.8), number(None)
    ('0.750 [0.700, 0.800]', 'no number')
    """
    if value is None:
        return "no number"
    return f"{value:.3f}" + ("" if low is None or high is None else f" [{low:.3f}, {high:.3f}]")
