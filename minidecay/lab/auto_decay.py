"""AutoDecay: does a rate that decays by itself do as well as milestones set by hand?

What it should show. AutoDecay (`optim.controllers`) decays once the smoothed training loss has
stopped falling, twice here. Beside it stand the milestones that a person would set after a look at
the curves, and Plateau, which waits for a record: with AutoDecay's patience of 2 epochs, and with
torch's 10. All train for 40 epochs, more than twice as long as elsewhere: at the second rate the
loss falls slowly, and in pilots a controller that watched it decayed as late as epoch 36. Networks
are 64 wide, since there are many of them.

What the paper shows. An appendix proposes AutoDecay, decay once the loss has stabilised, to do what
hand-set milestones do. Its constants could not be read: this is the controller as we define it.

What is open. A loss that stabilises tells of what can be learned at that rate, noise included, and
not of what should be. When to stop matters as much as when to decay: noise is memorized for as long
as the smallest rate lasts. One set of constants is tried, not tuned, and one family of data.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from itertools import pairwise
from pathlib import Path

import numpy as np

from minidecay import plots
from minidecay.lab.machinery.arms import Arm, Trained
from minidecay.lab.machinery.claims import Bound, Claim
from minidecay.lab.machinery.experiment import Experiment
from minidecay.lab.machinery.scales import Staged
from minidecay.optim import Schedule, Steps
from minidecay.optim.controllers import AutoDecay, Controller, Plateau
from minidecay.tables import mean_and_spread, table

WINDOW = AutoDecay.window  # epochs after its last decay at which a run with AutoDecay may stop
AVERAGED = 3  # epochs whose mean stands for the end


@dataclass(frozen=True)
class AutoSettings(Staged):
    """Controllers and milestones, under noise and (arms called `clean_`) without.

    Attributes:
        compared: the rates that are tried under noise, and those without.
    """

    width: int = 64
    compared: tuple[tuple[str, ...], tuple[str, ...]] = (
        ("auto", "hand", "late", "plateau", "patient"),
        ("auto", "hand", "late", "plateau", "patient"),
    )

    def rates(self) -> dict[str, Schedule | Controller]:
        """Each decays by ten twice, if it does."""
        least = self.large / 100
        return {
            "auto": AutoDecay(self.large, max_decays=2),
            "hand": self.decay(),
            "late": Steps(self.large, self.late),
            "plateau": Plateau(self.large, patience=AutoDecay.patience, min_lr=least),
            "patient": Plateau(self.large, min_lr=least),
        }

    @property
    def late(self) -> tuple[int, int]:
        """Milestones at the shares of all epochs that 10 and 15 are of 18."""
        return round(self.epochs * 10 / 18), round(self.epochs * 15 / 18)

    def arms(self) -> dict[str, Arm]:
        arms, rates = {}, self.rates()
        for prefix, names in zip(("", "clean_"), self.compared, strict=True):
            changes = {"noise_fraction": 0.0} if prefix else {}
            for name in names:
                fork = (f"{prefix}hand", self.stages[0]) if name == "late" else None
                arms[prefix + name] = Arm(rates[name], changes=changes, fork=fork)
        return arms


def settings(scale: str, device: str = "cpu") -> AutoSettings:
    """Stages of 10, 5 and 25 epochs; `lab` and `paper`, whose data is larger, have fewer, or more.

    `smoke` has AutoDecay and the hand-set milestones alone.
    """
    stages = {"lab": (6, 3, 15), "paper": (15, 9, 36)}.get(scale, (10, 5, 25))
    if scale == "smoke":
        compared = ("auto", "hand"), ("auto", "hand")
        return AutoSettings.at(scale, device=device, stages=stages, compared=compared)
    return AutoSettings.at(scale, device=device, stages=stages)


class Seed:
    """Of one seed when each arm decays, and its accuracies at the end."""

    def __init__(self, trained: Trained) -> None:
        self.trained = trained

    def decays(self, arm: str) -> list[int]:
        """The epochs after which its rate falls."""
        records = self.trained[arm]
        return [a["epoch"] for a, b in pairwise(records) if b["lr"] < a["lr"]]

    def decay(self, arm: str, which: int) -> int:
        """The epoch of its first decay (0) or its second (1); the last one where it never comes."""
        decays = self.decays(arm)
        return decays[which] if which < len(decays) else len(self.trained[arm])

    def end(self, arm: str, split: str, subset: str) -> float:
        """Its mean accuracy over the last epochs."""
        return float(np.mean([r[split][subset] for r in self.trained[arm][-AVERAGED:]]))

    def stop(self, arm: str, split: str, subset: str) -> float:
        """Its accuracy WINDOW epochs after the second decay."""
        epoch = min(self.decay(arm, SECOND) + WINDOW, len(self.trained[arm]))
        return self.trained.accuracy(arm, epoch, split, subset)


FIRST, SECOND = range(2)
SIMPLE, COMPLEX = ("train", "simple"), ("test", "complex")
NOISE, CLEAN = ("train", "noise"), ("test", "all")


def claims(settings: AutoSettings) -> list[Claim[Seed]]:
    def ahead(s: Seed, other: str, place: tuple[str, str], prefix: str = "") -> float:
        """AutoDecay's accuracy at the end less another's."""
        return s.end(f"{prefix}auto", *place) - s.end(f"{prefix}{other}", *place)

    def off(s: Seed, arm: str, which: int) -> float:
        """By how many epochs a stage differs in length from the hand-set one."""
        begin = s.decay(arm, which - 1) if which else 0
        return abs(s.decay(arm, which) - begin - settings.stages[which])

    first, second, _ = settings.stages
    made: list[Claim[Seed]] = [
        Claim("A1", "in clean test accuracy AutoDecay ends at most 0.02 below the milestones", [
            Bound("its less theirs, noise", lambda s: ahead(s, "hand", CLEAN), ">=", -0.02),
            Bound("no noise", lambda s: ahead(s, "hand", CLEAN, "clean_"), ">=", -0.02),
        ]),
        Claim("A2", f"it decays twice within {settings.epochs} epochs", [
            Bound("decays, noise", lambda s: len(s.decays("auto")), ">=", 2),
            Bound("no noise", lambda s: len(s.decays("clean_auto")), ">=", 2),
        ]),
        Claim("A3", "its first stage is as long as the hand-set one to within half of that", [
            Bound("epochs off, noise", lambda s: off(s, "auto", FIRST), "<=", first / 2),
            Bound("no noise", lambda s: off(s, "clean_auto", FIRST), "<=", first / 2),
        ]),
        Claim("A4", "and so is its second", [
            Bound("epochs off, noise", lambda s: off(s, "auto", SECOND), "<=", second / 2),
            Bound("no noise", lambda s: off(s, "clean_auto", SECOND), "<=", second / 2),
        ]),
        Claim("A5", "by the end it has memorized no more noise than the milestones, to 0.05", [
            Bound("noise, its less theirs", lambda s: ahead(s, "hand", NOISE), "<=", 0.05),
        ]),
        Claim("A6", f"{WINDOW} epochs after its last decay it has memorized no more and is no "
              "worse than they end", [
            Bound("noise, its then less theirs at the end", lambda s:
                  s.stop("auto", *NOISE) - s.end("hand", *NOISE), "<=", 0.05),
            Bound("clean test accuracy, likewise", lambda s:
                  s.stop("auto", *CLEAN) - s.end("hand", *CLEAN), ">=", -0.02),
        ]),
    ]  # fmt: skip
    others: dict[str, Claim[Seed]] = {
        "plateau": Claim("A7", "under noise records reset Plateau: of equal patience, its second "
                         "decay comes later", [
            Bound("epochs, Plateau's less AutoDecay's", lambda s:
                  s.decay("plateau", SECOND) - s.decay("auto", SECOND), ">=", 1),
        ]),
        "patient": Claim("A8", "with torch's patience Plateau comes too late for these epochs", [
            Bound("clean test accuracy, noise, AutoDecay's less its", lambda s:
                  ahead(s, "patient", CLEAN), ">=", 0.02),
        ]),
        "late": Claim("A9", "milestones at 10/18 and 15/18 of all epochs resist noise and learn "
                      "less", [
            Bound("noise, AutoDecay's less theirs", lambda s: ahead(s, "late", NOISE), ">=", 0.10),
            Bound("clean test accuracy", lambda s: ahead(s, "late", CLEAN), ">=", 0.01),
        ]),
    }  # fmt: skip
    return made + [claim for arm, claim in others.items() if arm in settings.compared[0]]


def epochs_of(seeds: Mapping[int, Seed], arm: str, which: int) -> str:
    """From the earliest to the latest seed; "none" where one has none."""
    each = [seed.decays(arm) for seed in seeds.values()]
    if min(map(len, each)) <= which:
        return f"none in {sum(len(decays) <= which for decays in each)}/{len(each)}"
    times = sorted({decays[which] for decays in each})
    return f"{times[0]}" if len(times) == 1 else f"{times[0]} to {times[-1]}"


def summary(seeds: Mapping[int, Seed], settings: AutoSettings) -> str:
    """When each decays, and its accuracy by subset at the end."""
    names = {
        "auto": "AutoDecay",
        "hand": "milestones {} and {}".format(*settings.decays),
        "late": "milestones {} and {}".format(*settings.late),
        "plateau": "Plateau, patience 2",
        "patient": "Plateau, patience 10",
    }
    rows = []
    for arm in settings.arms():
        clean, noise = arm.startswith("clean_"), () if arm.startswith("clean_") else (NOISE,)
        title = names[arm.removeprefix("clean_")] + (", no noise" if clean else "")
        times = [epochs_of(seeds, arm, which) for which in (FIRST, SECOND)]
        moments = [("", Seed.end)] + [(f", {WINDOW} epochs after", Seed.stop)] * ("auto" in arm)
        for when, moment in moments:
            cells = {
                place: mean_and_spread([moment(seed, arm, *place) for seed in seeds.values()])
                for place in (SIMPLE, COMPLEX, *noise, CLEAN)
            }
            shown = [cells.get(place, "") for place in (SIMPLE, COMPLEX, NOISE, CLEAN)]
            rows.append([title + when, *times, *shown])
    header = ["", "first decay", "second", "train simple", "test complex", "train noise"]
    return table([*header, "clean test"], rows)


def figure(runs: Mapping[int, Trained], settings: AutoSettings, path: Path) -> None:
    """AutoDecay without noise and with it, hand-set milestones and Plateau with it."""
    titles = {
        "clean_auto": "AutoDecay, no noise",
        "auto": "AutoDecay, noise",
        "hand": "hand-set milestones, noise",
        "plateau": "Plateau (patience 2), noise",
    }
    shown = {name: title for name, title in titles.items() if name in settings.arms()}
    plots.subset_accuracy(
        {title: [arms[name] for arms in runs.values()] for name, title in shown.items()},
        {
            "simple patterns (training set)": SIMPLE,
            "complex patterns (test set)": COMPLEX,
            "noise (training set)": NOISE,
        },
        marks={titles["hand"]: settings.decays},
        chance=0.1,
        path=path,
    )


EXPERIMENT = Experiment.of(
    __name__,
    about="does a rate that decays by itself match hand-set milestones?",
    paper="AutoDecay, of its appendix",
)
