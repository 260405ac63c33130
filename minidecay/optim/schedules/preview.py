"""Every kind of schedule at a glance: examples of each, and sketches of them in text."""

import inspect
from collections.abc import Callable, Sequence
from textwrap import wrap

from minidecay.optim.schedules.algebra import Constant, Schedule
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
from minidecay.optim.schedules.wsd import WSD

__all__ = ["BLOCKS", "EPOCHS", "EXAMPLES", "listing", "sketch"]

EPOCHS = 30.0  # that the examples are made for

_KINDS: tuple[Schedule, ...] = (
    Constant(0.1),
    Steps(0.1, (10, 20), gamma=0.5),
    Ramp(0.1, 0, EPOCHS),
    Cosine(0.1, EPOCHS),
    Polynomial(0.1, EPOCHS, power=2),
    Exponential(0.1, gamma=0.9),
    InverseTime(0.1, decay=0.3),
    InverseSqrt(0.1, warmup=3),
    CosineRestarts(0.1, 10, factor=2),
    OneCycle(0.1, EPOCHS),
    Triangular(0.1, up=5, gamma=0.7),
    WSD(0.1, EPOCHS, 12, "linear", warmup=3),
)
_COOLDOWNS: dict[Schedule, str] = {  # x is the share of the cooldown that has passed
    WSD(0.1, EPOCHS, 12, "cosine", warmup=3): "Its cooldown as (1 + cos(pi x)) / 2.",
    WSD(0.1, EPOCHS, 12, "mirror-cosine", warmup=3): "As 2 (1 - x) - (1 + cos(pi x)) / 2.",
    WSD(0.1, EPOCHS, 12, "square", warmup=3): "As 1 - x**2.",
    WSD(0.1, EPOCHS, 12, "1-sqrt", warmup=3): "As 1 - sqrt(x), unless another is asked for.",
    WSD(0.1, EPOCHS, 12, "exponential", warmup=3, min_lr=0.001): "By equal factors, to a floor.",
}
_COMPOSED: dict[Schedule, str] = {
    Ramp(0, 0.1, 5).then(Cosine(0.1, 25)): "One schedule after another.",
    CosineRestarts(0.1, 6) * Exponential(1, 0.93): "Two multiplied: each restart is lower.",
    (1.5 * Cosine(0.1, EPOCHS)).clip(0.02, 0.1): "One multiplied, and kept between two rates.",
}


def _idea(kind: type) -> str:
    """The first line of its docstring."""
    return (inspect.getdoc(kind) or "").partition("\n")[0]


# A schedule of each kind, and some compositions, with what there is to say of them.
EXAMPLES: dict[Schedule, str] = {each: _idea(type(each)) for each in _KINDS}
EXAMPLES |= _COOLDOWNS | _COMPOSED
BLOCKS, PLAIN = " ▁▂▃▄▅▆▇█", " .,-~+*#@"


def sketch(
    schedule: Callable[[float], float],
    epochs: float,
    width: int = 32,
    height: int = 3,
    plain: bool = False,
) -> list[str]:
    """The rate over `epochs` as `height` lines of text, the top one first, from 0 to its largest.

    Each column stands for the rate in its middle. A rate above 0 is seen. With `plain` there are
    no block characters.

    >>> for line in sketch(Ramp(0, 0.1, 8), 8, width=8, height=2):
    ...     print(line)
        ▂▄▆█
    ▁▃▅▇████
    """
    rates = [schedule((column + 0.5) * epochs / width) for column in range(width)]
    characters = PLAIN if plain else BLOCKS
    full = len(characters) - 1
    top = max(rates) or 1.0
    levels = [max(round(rate / top * height * full), int(rate > 0)) for rate in rates]
    return [
        "".join(characters[min(max(level - row * full, 0), full)] for level in levels)
        for row in reversed(range(height))
    ]


def listing(columns: int = 100, plain: bool = False) -> str:
    """All examples, each with its sketch to the left, in lines of up to `columns` characters."""
    entries = []
    for schedule, idea in EXAMPLES.items():
        picture = sketch(schedule, EPOCHS, plain=plain)
        room = max(columns - len(picture[0]) - 3, 24)
        entries.append(_beside(picture, [*wrap(repr(schedule), room), *wrap(idea, room)]))
    return "\n\n".join(entries)


def _beside(left: Sequence[str], right: Sequence[str]) -> str:
    rows = max(len(left), len(right))
    blank = " " * len(left[0])
    lines = zip(
        [*left, *[blank] * (rows - len(left))], [*right, *[""] * (rows - len(right))], strict=True
    )
    return "\n".join(f"{a}   {b}".rstrip() for a, b in lines)
