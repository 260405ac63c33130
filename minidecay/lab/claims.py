"""Claims: numbers that a run must reach, set before it ran, and what became of them."""

import statistics
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Generic, Literal, TypeVar

Run = TypeVar("Run")  # whatever an experiment measures a seed by


@dataclass(frozen=True)
class Bound(Generic[Run]):
    """One number of a run and the threshold it must not cross."""

    what: str
    measure: Callable[[Run], float]
    sense: Literal[">=", "<="]
    threshold: float

    def holds(self, value: float) -> bool:
        """Does the value reach the threshold? NaN does not."""
        return value >= self.threshold if self.sense == ">=" else value <= self.threshold

    def __str__(self) -> str:
        return f"{self.what} {self.sense} {self.threshold:g}"


@dataclass(frozen=True)
class Claim(Generic[Run]):
    """A statement that holds for a seed where all its bounds do, and overall where it does for all.

    A finding is judged alike but decides nothing: it says how far the paper's reading goes here.
    """

    name: str
    statement: str
    bounds: Sequence[Bound[Run]]
    finding: bool = False

    def judge(self, runs: Mapping[int, Run]) -> dict[str, Any]:
        """The verdict over the runs by seed, as plain JSON.

        `value` (the mean over seeds) and `threshold` are one number where the claim has one bound,
        else a list with one for each.
        """
        values = {seed: [b.measure(run) for b in self.bounds] for seed, run in runs.items()}
        passed = {
            seed: all(b.holds(v) for b, v in zip(self.bounds, row, strict=True))
            for seed, row in values.items()
        }
        means = [statistics.fmean(column) for column in zip(*values.values(), strict=True)]
        return {
            "name": self.name,
            "statement": self.statement,
            "bounds": [str(bound) for bound in self.bounds],
            "finding": self.finding,
            "value": _one_or_all(means),
            "threshold": _one_or_all([bound.threshold for bound in self.bounds]),
            "passed": all(passed.values()),
            "seeds": {
                str(seed): {"value": _one_or_all(values[seed]), "passed": passed[seed]}
                for seed in runs
            },
        }


def _one_or_all(numbers: list[float]) -> float | list[float]:
    return numbers[0] if len(numbers) == 1 else numbers


def describe(verdicts: Sequence[Mapping[str, Any]]) -> str:
    """The verdicts as lines: PASS or FAIL, the statement, each number beside its threshold."""
    lines = []
    for verdict in verdicts:
        word = {True: "PASS", False: "FAIL"}[verdict["passed"]]
        values = verdict["value"] if isinstance(verdict["value"], list) else [verdict["value"]]
        shown = "; ".join(f"{v:.3f} ({b})" for v, b in zip(values, verdict["bounds"], strict=True))
        seeds = verdict["seeds"].values()
        share = f"{sum(s['passed'] for s in seeds)}/{len(seeds)} seeds"
        lines.append(f"{word}  {verdict['name']:<4}{verdict['statement']}")
        lines.append(f"          {shown}; {share}")
    return "\n".join(lines)
