"""Fates: what becomes of each example under each schedule, and whether that finds the noise.

What it should show. The training of `noisy-memorization`, followed example by example. One is
learned (memorized, if it is noise) where it ends right after each of three epochs, forgotten where
it was so once and does not end so, never held where it never was (definitions, which are ours, in
`machinery/examples.py`). If a large rate resists noise, what it has not learned should be noise: a
low margin at the end of stage one, and being learned late, are put to the test as detectors,
against chance and against the loss under a small rate.

What the paper shows. Accuracy by subset; it follows no single examples. Forgetting events are those
of Toneva et al. (2019); the mean margin over stage one is the area under the margin of Pleiss et
al. (2020), who stop before the first decay too; that clean examples are fitted first is from Arpit
et al. (2017). PS10 is here as we reconstruct it.

What is open. The noise is random images: wrong labels on real patterns may fare otherwise. Stage
one confuses complex patterns with noise; they also have fewer copies (`complexity-or-frequency`).
"""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from minidecay import plots
from minidecay.lab.machinery.arms import Arm, Trained
from minidecay.lab.machinery.claims import Bound, Claim
from minidecay.lab.machinery.examples import (
    followed,
    forgetting_events,
    learned_at,
    precision_recall,
    roc_auc,
)
from minidecay.lab.machinery.experiment import Experiment
from minidecay.lab.machinery.scales import Staged
from minidecay.optim import Constant
from minidecay.tables import mean_and_spread, table

ARMS = {
    "decay": "learning-rate decay",
    "constant_large": "constant large rate",
    "constant_small": "constant small rate",
}
SUBSETS = ("simple", "complex", "noise")
BECAME = ("learned", "forgotten", "never held", "learned late", "events", "events later")

# What is to find the noise, the higher the more suspect.
SCORES = {
    "low margin": "decay: low margin at the end of stage one",
    "low mean margin": "decay: low mean margin over stage one",
    "low margin, later": "decay: low margin one epoch later",
    "late": "decay: learned late",
    "events": "decay: forgotten often, or never right",
    "small rate, loss": "small rate: loss at the end of stage one",
    "small rate, low mean margin": "small rate: low mean margin over stage one",
    "small rate, early loss": "small rate: loss at an early epoch",
}
FINDS = ("AUC", "AUC, simple", "AUC, complex", "precision = recall", "recall at twice")


@dataclass(frozen=True)
class FatesSettings(Staged):
    """Three schedules on simple patterns, complex ones and noise, each example followed.

    Attributes:
        held: an example is held where it is right after as many epochs in a row.
        early: the epoch whose loss under the small rate stands for an early one; from pilots.
    """

    per_example: bool = True
    small: float = 0.01
    held: int = 3
    early: int = 3

    def arms(self) -> dict[str, Arm]:
        return {
            "decay": Arm(self.decay()),
            "constant_large": Arm(Constant(self.large), fork=("decay", self.stages[0])),
            "constant_small": Arm(Constant(self.small)),
        }


def settings(scale: str, device: str = "cpu") -> FatesSettings:
    return FatesSettings.at(scale, device=device)


class Seed:
    """One seed's numbers, by arm, subset and what of BECAME, or by score and what of FINDS.

    Under FINDS stand the area under the ROC curve, noise against all that is clean, simple or
    complex; precision flagging as many examples as are noise, which is the recall, too; and the
    recall flagging twice as many.
    """

    def __init__(self, trained: Trained) -> None:
        settings: FatesSettings = trained.settings  # type: ignore[assignment]
        first, train = settings.stages[0], trained.data.train
        seen = {arm: trained.arrays(arm) for arm in ARMS}
        right = {arm: seen[arm]["train_predictions"] == train.labels for arm in ARMS}
        self.numbers: dict[tuple[str, ...], float] = {}
        for arm in ARMS:
            for subset in SUBSETS:
                of = followed(right[arm][:, train.subsets[subset]], first, settings.held)
                self.numbers |= {(arm, subset, what): of[what] for what in BECAME}

        margins, losses = seen["decay"]["train_margins"], seen["constant_small"]["train_losses"]
        events = forgetting_events(right["decay"])
        scores = {
            "low margin": -margins[first - 1],
            "low mean margin": -margins[:first].mean(axis=0),
            "low margin, later": -margins[first],
            "late": learned_at(right["decay"]),
            "events": np.where(right["decay"].any(axis=0), events, np.inf),
            "small rate, loss": losses[first - 1],
            "small rate, low mean margin": -seen["constant_small"]["train_margins"][:first].mean(0),
            "small rate, early loss": losses[settings.early - 1],
        }
        for name, score in scores.items():
            self.numbers |= {(name, what): n for what, n in finds(score, train.subsets).items()}

    def __getitem__(self, which: tuple[str, ...]) -> float:
        return self.numbers[which]


def finds(score: NDArray[Any], subsets: Mapping[str, NDArray[np.bool_]]) -> dict[str, float]:
    """How well a score finds the noise, each of FINDS."""
    noise = subsets["noise"]
    others = (~noise, subsets["simple"], subsets["complex"])
    areas = [roc_auc(score, noise, other) for other in others]
    recalls = [precision_recall(score, noise, times * int(noise.sum()))[1] for times in (1, 2)]
    return dict(zip(FINDS, [*areas, *recalls], strict=True))


def claims(settings: FatesSettings) -> list[Claim[Seed]]:
    decay, large, small = ARMS

    def best_of_decay(s: Seed) -> float:
        return max(s[score, "AUC"] for score in SCORES if not score.startswith("small"))

    return [
        Claim("F1", "a rate that stays large learns simple examples, memorizes next to no noise", [
            Bound("simple learned", lambda s: s[large, "simple", "learned"], ">=", 0.85),
            Bound("noise memorized", lambda s: s[large, "noise", "learned"], "<=", 0.10),
        ]),
        Claim("F2", "and of complex examples it forgets more than it keeps", [
            Bound("forgotten less learned", lambda s: s[large, "complex", "forgotten"]
                  - s[large, "complex", "learned"], ">=", 0.10),
        ]),
        Claim("F3", "decay learns complex examples, most of them for good only after stage one", [
            Bound("learned", lambda s: s[decay, "complex", "learned"], ">=", 0.90),
            Bound("of these late", lambda s: s[decay, "complex", "learned late"], ">=", 0.50),
        ]),
        Claim("F4", "under decay most noise is never held; the small rate memorizes more", [
            Bound("never held", lambda s: s[decay, "noise", "never held"], ">=", 0.50),
            Bound("memorized, the small rate's less decay's", lambda s:
                  s[small, "noise", "learned"] - s[decay, "noise", "learned"], ">=", 0.10),
        ]),
        Claim("F5", "what noise decay memorizes, it memorizes after stage one", [
            Bound("of the memorized", lambda s: s[decay, "noise", "learned late"], ">=", 0.80),
        ]),
        Claim("F6", "decay all but ends the forgetting of complex examples", [
            Bound("events an epoch, the large rate's less decay's", lambda s:
                  s[large, "complex", "events later"] - s[decay, "complex", "events later"],
                  ">=", 0.10),
            Bound("decay's own", lambda s: s[decay, "complex", "events later"], "<=", 0.05),
        ]),
        Claim("F7", "noise is forgotten more often than patterns, like Toneva's wrong labels", [
            Bound("events an epoch in stage one, noise less simple", lambda s:
                  s[decay, "noise", "events"] - s[decay, "simple", "events"], ">=", 0.02),
            Bound("noise less complex", lambda s:
                  s[decay, "noise", "events"] - s[decay, "complex", "events"], ">=", 0.02),
        ]),
        Claim("F8", "a low margin at the end of stage one finds noise better than chance", [
            Bound("AUC", lambda s: s["low margin", "AUC"], ">=", 0.75),
            Bound("precision", lambda s: s["low margin", "precision = recall"], ">=", 0.25),
        ]),
        Claim("F9", "so does being learned late, and better", [
            Bound("AUC, less the low margin's", lambda s:
                  s["late", "AUC"] - s["low margin", "AUC"], ">=", 0.05),
            Bound("precision", lambda s: s["late", "precision = recall"], ">=", 0.50),
        ]),
        Claim("F10", "one epoch of decay tells noise from complex patterns", [
            Bound("rise of the margin's AUC", lambda s: s["low margin, later", "AUC, complex"]
                  - s["low margin", "AUC, complex"], ">=", 0.05),
        ]),
        Claim("F11", "stage one finds noise better than as many epochs of the small rate", [
            Bound("AUC, low margin less the small rate's loss", lambda s:
                  s["low margin", "AUC"] - s["small rate, loss", "AUC"], ">=", 0.0),
            Bound("low mean margin less the small rate's", lambda s:
                  s["low mean margin", "AUC"] - s["small rate, low mean margin", "AUC"],
                  ">=", 0.0),
        ]),
        Claim("F12", "an early epoch of the small rate finds it better than any score of decay", [
            Bound("AUC, the early loss less the best of decay", lambda s:
                  s["small rate, early loss", "AUC"] - best_of_decay(s), ">=", 0.01),
        ], finding=True),
    ]  # fmt: skip


def summary(seeds: Mapping[int, Seed], settings: FatesSettings) -> str:
    """What became of each subset under each schedule, and how well each score finds the noise."""

    def row(title: str, keys: Iterable[tuple[str, ...]]) -> list[str]:
        return [title, *(mean_and_spread([s[key] for s in seeds.values()]) for key in keys)]

    became = [
        row(f"{title}, {subset}", [(arm, subset, what) for what in BECAME])
        for arm, title in ARMS.items()
        for subset in SUBSETS
    ]
    titles = SCORES | {"small rate, early loss": f"small rate: loss at epoch {settings.early}"}
    found = [row(title, [(name, what) for what in FINDS]) for name, title in titles.items()]
    share = settings.noise_fraction
    found.append(["chance", *(f"{value:.3f}" for value in (0.5, 0.5, 0.5, share, 2 * share))])
    return f"{table(['fate', *BECAME], became)}\n\n{table(['finds the noise', *FINDS], found)}"


def figure(runs: Mapping[int, Trained], settings: FatesSettings, path: Path) -> None:
    """The examples of the first seed, and how well margins tell noise at each epoch, all seeds."""
    panels: dict[str, dict[str, NDArray[Any]]] = {}
    lines: dict[str, dict[str, list[list[float]]]] = {title: {} for title in ARMS.values()}
    for arm, title in ARMS.items():
        for trained in runs.values():
            seen, train = trained.arrays(arm), trained.data.train
            margins, subsets = seen["train_margins"], train.subsets
            if title not in panels:  # the earliest learned first
                learned = learned_at(seen["train_predictions"] == train.labels)
                order = np.lexsort([-margins.mean(axis=0), learned])
                panels[title] = {name: margins[:, order[subsets[name][order]]] for name in SUBSETS}
            for other in ("simple", "complex"):
                areas = [roc_auc(-row, subsets["noise"], subsets[other]) for row in margins]
                lines[title].setdefault(f"noise against {other}", []).append(areas)
    plots.example_margins(
        panels,
        lines,
        marks={ARMS["decay"]: settings.decays},
        line_label="a low margin\nfinds noise, AUC",
        chance=0.5,
        note=f"rows: examples of seed {next(iter(runs))}, the earliest learned at the bottom",
        path=path,
    )


EXPERIMENT = Experiment.of(
    __name__,
    about="what becomes of each example, and whether that finds the noise",
    paper="suppressed memorization, example by example",
    measures="Shares, forgetting events and how well noise is found",
)
