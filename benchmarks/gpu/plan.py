"""What is timed, in the order in which a GPU's time is spent on it. Needs neither GPU nor torch."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal

from benchmarks.case import Case
from benchmarks.cases import CASES, PRIMITIVES, SMOKE_CASES, SMOKE_PRIMITIVES
from benchmarks.primitive import Primitive

SCALES = {"full": (CASES, PRIMITIVES), "smoke": (SMOKE_CASES, SMOKE_PRIMITIVES)}
FIRST = 10  # primitives before the first compilation by torch


@dataclass(frozen=True)
class Item:
    """One thing to time.

    Attributes:
        name: unique: "matmul-1024x1024x1024/05_register_2d".
        kind: "ceiling" is what memory gives; "compiled" is a step or a primitive beside
            torch.compile, apart from the others since compiling takes its time.
        seconds: that it may take, for the budget.
        rung: of a primitive on a ladder.
    """

    name: str
    kind: Literal["ceiling", "step", "primitive", "compiled"]
    seconds: float
    case: Case | None = None
    primitive: Primitive | None = None
    rung: str | None = None


def plan(scale: str) -> list[Item]:
    """All items of a scale, first things first."""
    cases, primitives = SCALES[scale]
    steps = [case for case in cases if case.kind == "step"]
    return [
        Item("copy", "ceiling", 2),
        *(Item(f"step/{case.name}", "step", 15, case) for case in steps),
        *_each(primitives[:FIRST]),
        *map(_compiled, (steps[-1], steps[0])),
        *_each(primitives[FIRST:]),
        *map(_compiled, steps[1:-1]),
        *(
            Item(f"compiled/{each.name}", "compiled", 20, primitive=each)
            for each in primitives
            if each.function
        ),
    ]


def _compiled(case: Case) -> Item:
    return Item(f"compiled/{case.name}", "compiled", 40, case)


def _each(primitives: Sequence[Primitive]) -> list[Item]:
    """By rung, the last ones first, which are to be the best."""
    return [
        Item(f"{each.name}/{rung}" if rung else each.name, "primitive", 3, None, each, rung)
        for each in primitives
        for rung in (each.rungs[::-1] or (None,))
    ]
