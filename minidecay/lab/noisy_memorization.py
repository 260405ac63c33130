"""Noisy memorization: what a large learning rate refuses to learn, and what its decay lets in.

What it should show. Networks that begin alike see the same data: simple patterns (10 a class),
complex ones (100 a class), and noise (random images with random labels). At a large rate a network
learns the simple patterns, half of the complex ones, and next to no noise. Decaying the rate
releases the complex patterns within an epoch. A rate that stays large never gets there; one that is
small from the start memorizes nearly all of the noise.

What the paper shows. You, Long, Wang and Jordan (2019, arXiv 1908.01878) show it for a wide
residual network on PS10 (32x32x3, 50,000 images). PS10 is here as we reconstruct it: no code was
published.

What is open. Decay ends with part of the noise memorized after all (C9), and for these networks
resisting noise does not help clean test accuracy (C10). Complexity is tied to how often a pattern
is seen: at equal copies a pattern the gap between simple and complex was gone in pilot runs.
"""

import sys
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from minidecay import plots
from minidecay.lab.machinery import command
from minidecay.lab.machinery.arms import Arm, Trained
from minidecay.lab.machinery.claims import Bound, Claim
from minidecay.lab.machinery.experiment import Experiment
from minidecay.lab.machinery.scales import Staged
from minidecay.optim import Constant
from minidecay.tables import mean_and_spread, table

SIMPLE, COMPLEX = ("train", "simple"), ("test", "complex")  # where each subset is looked at
NOISE, CLEAN = ("train", "noise"), ("test", "all")


@dataclass(frozen=True)
class NoisySettings(Staged):
    """Three schedules: decay after each stage, the large rate kept, a small rate from the start."""

    small: tuple[float, ...] = (0.01, 0.03, 0.003)  # claims speak of the first; one seed of others
    averaged: int = 1  # epochs at the end of stage one whose mean stands for it

    def arms(self) -> dict[str, Arm]:
        arms = {
            "decay": Arm(self.decay()),
            "constant_large": Arm(Constant(self.large), fork=("decay", self.stages[0])),
        }
        for name, rate in self.small_arms().items():
            arms[name] = Arm(Constant(rate), every_seed=name == "constant_small")
        return arms

    def small_arms(self) -> dict[str, float]:
        """The name and the rate of each arm whose rate is small from the start."""
        first, *others = self.small
        return {"constant_small": first} | {f"constant_small_{rate:g}": rate for rate in others}


def settings(scale: str, model: str = "mlp", device: str = "cpu") -> NoisySettings:
    """`demo`, and how the other scales and networks differ from it.

    The convolutional networks are held to the thresholds of the MLP, which were set for it. For the
    wide residual network rate, stages and size of the data are those of a pilot with a smaller one
    (two groups), except at `paper`. On pilot seed 100 the effect is there at smoke and demo, but
    more noise is memorized than by the MLP: C7 and C8 fail, and C1 at demo. `lab` and `paper` have
    not been run.
    """
    chosen: dict[str, Any] = {}
    if (scale, device) == ("smoke", "emulated"):  # some thirty times slower: half the epochs
        chosen |= {"stages": (6, 2, 1), "small": (0.01,)}
    if model == "cnn":  # it wants a smaller rate, and its single epochs wobble by 0.1
        chosen |= {"large": 0.2, "averaged": 3}
    if model == "wrn":
        wrn: dict[str, dict[str, Any]] = {
            "smoke": {"n_train": 10_000, "stages": (7, 3, 2), "small": (0.01,)},
            "demo": {"n_train": 10_000, "stages": (14, 6, 4)},
            "lab": {},
            "paper": {"wrn": (16, 4)},
        }
        chosen |= {"averaged": 3} | wrn[scale]
    return NoisySettings.at(scale, model=model, device=device, **chosen)


class Seed:
    """One seed's accuracies at the moments that claims and table speak of."""

    def __init__(self, arms: Trained) -> None:
        settings: NoisySettings = arms.settings  # type: ignore[assignment]
        self.arms, self.decay_epoch, self.averaged = arms, settings.stages[0], settings.averaged

    def stage_one(self, arm: str, split: str, subset: str) -> float:
        """At the end of the first stage."""
        records = self.arms[arm][self.decay_epoch - self.averaged : self.decay_epoch]
        return float(np.mean([record[split][subset] for record in records]))

    def after_decay(self, arm: str, split: str, subset: str) -> float:
        """One epoch later."""
        return float(self.arms[arm][self.decay_epoch][split][subset])

    def end(self, arm: str, split: str, subset: str) -> float:
        """After the last epoch."""
        return float(self.arms[arm][-1][split][subset])


# Set before any counting seed ran, for the MLP at these two scales. Other scales are held to the
# demo's, and so are other networks, for which no thresholds have been set.
DEMO: dict[str, tuple[float, ...]] = {
    "C1": (0.93,), "C2": (0.62,), "C3": (0.20,), "C4": (0.20,), "C5": (0.94,), "C6": (0.60, 0.20),
    "C7": (0.90, 0.97), "C8": (0.55, 0.35), "C9": (0.25,), "C10": (-0.02,),
}  # fmt: skip
SMOKE = DEMO | {"C1": (0.90,), "C5": (0.90,), "C7": (0.50, 0.95), "C8": (0.55, 0.18)}
# For half the epochs, by pilot seeds 100 to 109: noise .49 to .52, complex .966 and up in C7.
SHORT = SMOKE | {"C5": (0.85,), "C7": (0.40, 0.94), "C9": (0.20,)}


def claims(settings: NoisySettings) -> list[Claim[Seed]]:
    """C1 to C8 decide; C9 and C10 say how far the paper's reading does not go here."""
    small_scale = SHORT if settings.device == "emulated" else SMOKE
    thresholds = small_scale if settings.scale == "smoke" else DEMO

    def claim(name: str, statement: str, *bounds: Any, finding: bool = False) -> Claim[Seed]:
        limits = zip(bounds, thresholds[name], strict=True)
        made = [Bound(what, measure, sense, at) for (what, sense, measure), at in limits]
        return Claim(name, statement, made, finding)

    large, small = "constant_large", "constant_small"
    return [
        claim("C1", "a large rate learns the simple patterns",
              ("train simple at the end of stage one", ">=",
               lambda s: s.stage_one("decay", *SIMPLE))),
        claim("C2", "it leaves the complex patterns half learned",
              ("test complex at the end of stage one", "<=",
               lambda s: s.stage_one("decay", *COMPLEX))),
        claim("C3", "it keeps the noise near chance, 0.10",
              ("noise at the end of stage one", "<=", lambda s: s.stage_one("decay", *NOISE))),
        claim("C4", "one epoch of decay releases the complex patterns",
              ("rise of test complex", ">=", lambda s: s.after_decay("decay", *COMPLEX)
               - s.stage_one("decay", *COMPLEX))),
        claim("C5", "decay ends with the complex patterns learned",
              ("test complex at the end", ">=", lambda s: s.end("decay", *COMPLEX))),
        claim("C6", "a rate that stays large learns neither complex patterns nor noise",
              ("test complex at the end", "<=", lambda s: s.end(large, *COMPLEX)),
              ("noise at the end", "<=", lambda s: s.end(large, *NOISE))),
        claim("C7", "by the end of stage one a small rate has memorized the noise",
              ("noise", ">=", lambda s: s.stage_one(small, *NOISE)),
              ("test complex", ">=", lambda s: s.stage_one(small, *COMPLEX))),
        claim("C8", "decay memorizes less noise than the small rate",
              ("noise at the end", "<=", lambda s: s.end("decay", *NOISE)),
              ("the small rate's less decay's", ">=",
               lambda s: s.end(small, *NOISE) - s.end("decay", *NOISE))),
        claim("C9", "yet it does not end un-memorized",
              ("noise at the end", ">=", lambda s: s.end("decay", *NOISE)), finding=True),
        claim("C10", "and the small rate's clean test accuracy is no worse",
              ("the small rate's less decay's", ">=",
               lambda s: s.end(small, *CLEAN) - s.end("decay", *CLEAN)), finding=True),
    ]  # fmt: skip


def summary(seeds: Mapping[int, Seed], settings: NoisySettings) -> str:
    """Accuracy by subset at the end of stage one, one epoch later, and at the end."""
    first, one_seed = settings.stages[0], f" (seed {next(iter(seeds))})"
    rows = [
        ("decay, end of stage one", "decay", Seed.stage_one),
        ("decay, one epoch later", "decay", Seed.after_decay),
        ("decay, end", "decay", Seed.end),
        (f"constant {settings.large:g}, end", "constant_large", Seed.end),
    ]
    for name, rate in settings.small_arms().items():
        title, which = f"constant {rate:g}", "" if name == "constant_small" else one_seed
        rows.append((f"{title}, epoch {first}{which}", name, Seed.stage_one))
        rows.append((f"{title}, end{which}", name, Seed.end))
    body = [
        [
            title,
            *(
                mean_and_spread([moment(s, arm, *place) for s in seeds.values() if arm in s.arms])
                for place in (SIMPLE, COMPLEX, NOISE, CLEAN)
            ),
        ]
        for title, arm, moment in rows
    ]
    return table(["", "train simple", "test complex", "train noise", "clean test"], body)


def figure(runs: Mapping[int, Trained], settings: NoisySettings, path: Path) -> None:
    """The three schedules side by side."""
    titles = {
        "decay": "learning-rate decay",
        "constant_large": f"constant large rate, {settings.large:g}",
        "constant_small": f"constant small rate, {settings.small[0]:g}",
    }
    plots.subset_accuracy(
        {title: [arms[name] for arms in runs.values()] for name, title in titles.items()},
        {
            "simple patterns (training set)": SIMPLE,
            "complex patterns (test set)": COMPLEX,
            "noise (training set)": NOISE,
        },
        marks={titles["decay"]: settings.decays},
        chance=0.1,
        path=path,
    )


EXPERIMENT = Experiment.of(
    __name__,
    about="a large rate resists noise, its decay learns complex patterns",
    paper="the claim itself: accuracy on PS10's subsets, with noise",
    models=("mlp", "cnn", "wrn"),
    decides=True,
)


def main(argv: Sequence[str] | None = None, prog: str | None = None) -> int:
    """The command: 0 where C1 to C8 hold, 1 where one fails, 2 for wrong use."""
    return command.main(EXPERIMENT, argv, prog)


if __name__ == "__main__":
    sys.exit(main())
