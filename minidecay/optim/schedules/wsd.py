"""Warm-up, stable, decay: a rate that waits with its decay until one knows when to stop."""

from collections.abc import Callable
from dataclasses import dataclass
from math import cos, pi, sqrt

from minidecay.optim.schedules.algebra import Schedule
from minidecay.optim.schedules.decays import check_floor

__all__ = ["COOLDOWNS", "WSD"]

# What is left of the rate above min_lr when a share x of the cooldown has passed: 1 at 0, 0 at 1.
_SHAPES: dict[str, Callable[[float], float]] = {
    "linear": lambda x: 1 - x,
    "cosine": lambda x: (1 + cos(pi * x)) / 2,
    "mirror-cosine": lambda x: 2 * (1 - x) - (1 + cos(pi * x)) / 2,
    "square": lambda x: 1 - x * x,
    "1-sqrt": lambda x: 1 - sqrt(x),
}

COOLDOWNS = (*_SHAPES, "exponential")
"""The shapes that a cooldown may have."""


@dataclass(frozen=True, repr=False)
class WSD(Schedule):
    """A line up to `lr` over `warmup` epochs, `lr`, and a cooldown to `min_lr` at the end.

    Warmup-stable-decay (Hu et al. 2024, MiniCPM; Zhai et al. 2022 call it a cooldown). The
    cooldown takes the last `cooldown` of the `epochs`; a run can be branched off before it and made
    longer. After a share x of the cooldown the rate is min_lr + (lr - min_lr) f(x):

    | shape         | f(x)                              |                                       |
    | ------------- | --------------------------------- | ------------------------------------- |
    | linear        | 1 - x                             | Zhai et al. 2022                      |
    | cosine        | (1 + cos(pi x)) / 2               | as in SGDR, Loshchilov and Hutter     |
    | mirror-cosine | 2 (1 - x) - (1 + cos(pi x)) / 2   | the cosine mirrored at the line       |
    | square        | 1 - x**2                          |                                       |
    | 1-sqrt        | 1 - sqrt(x)                       | the best of Hägele et al. 2024        |
    | exponential   | the rate is lr (min_lr / lr)**x   | Hu et al. 2024; needs a min_lr        |

    ValueError where warm-up and cooldown are longer than the whole, min_lr is above lr or, for the
    exponential, 0, and for a shape that is none of these.

    >>> wsd = WSD(0.1, epochs=100, cooldown=20, warmup=5)
    >>> [round(wsd(t), 4) for t in (0, 2.5, 5, 80, 85, 100)]
    [0.0, 0.05, 0.1, 0.1, 0.05, 0.0]
    >>> WSD(0.1, epochs=100, cooldown=20, shape="exponential", min_lr=0.001)(90)
    0.01
    """

    lr: float
    epochs: float
    cooldown: float
    shape: str = "1-sqrt"
    warmup: float = 0.0
    min_lr: float = 0.0

    def __post_init__(self) -> None:
        super().__post_init__()
        check_floor(self, self.lr, self.min_lr)
        self.require_one_of("shape", COOLDOWNS)
        busy = self.warmup + self.cooldown
        self.require(
            busy <= self.epochs,
            f"warmup and cooldown take {busy:g} of {self.epochs:g} epochs; shorten one",
        )
        self.require(
            self.shape != "exponential" or self.min_lr > 0,
            "the exponential never comes to 0; give it a min_lr such as lr / 100",
        )

    def value(self, t: float) -> float:
        if t >= self.epochs:
            return self.min_lr
        if t < self.warmup:
            return self.lr * (t / self.warmup)
        x = 1 - (self.epochs - t) / self.cooldown if self.epochs - t < self.cooldown else 0.0
        if self.shape == "exponential":
            return self.lr * float((self.min_lr / self.lr) ** x)
        return self.min_lr + (self.lr - self.min_lr) * _SHAPES[self.shape](x)
