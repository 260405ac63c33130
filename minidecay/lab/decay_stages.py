"""Decay stages: without noise, which patterns each stage of a schedule learns.

What it should show. Networks that begin alike see the same clean images. At a large rate simple
patterns (10 a class) are learned and complex ones (100 a class) by half; the decay releases them;
a rate that stays large never gets there, and one that is small from the start learns both. Over
four tiers (10, 30, 100, 300 patterns a class) it is a matter of dose: the more patterns, the less
of them the first stage learns.

What the paper shows. The curves of PS10 under the three schedules, for a wide residual network:
lrDecay learns simple patterns first and complex ones after the decay. PS10 is here as we
reconstruct it.

What is open. More patterns a class means fewer copies of each: at n examples a tier of P patterns a
class shows each n / (tiers x classes x P) times an epoch. `complexity-or-frequency` takes the two
apart. Of 300 patterns a class, of which each has one copy or two, most are never learned. D7 is of
what is known one epoch after the decay, not of the rise: that is largest for 30 patterns a class.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from itertools import pairwise
from pathlib import Path
from statistics import fmean

from minidecay import plots
from minidecay.lab.machinery.arms import Arm, Trained
from minidecay.lab.machinery.claims import Bound, Claim
from minidecay.lab.machinery.experiment import Experiment
from minidecay.lab.machinery.scales import Staged
from minidecay.optim import Constant
from minidecay.tables import mean_and_spread, table


@dataclass(frozen=True)
class StagesSettings(Staged):
    """Three schedules on two tiers, and decay on the four tiers of `dose`."""

    noise_fraction: float = 0.0
    small: float = 0.01
    dose: tuple[int, ...] = (10, 30, 100, 300)

    def arms(self) -> dict[str, Arm]:
        return {
            "decay": Arm(self.decay()),
            "constant_large": Arm(Constant(self.large), fork=("decay", self.stages[0])),
            "constant_small": Arm(Constant(self.small)),
            "dose": Arm(self.decay(), changes={"tiers": self.dose}),
        }


def settings(scale: str, device: str = "cpu") -> StagesSettings:
    return StagesSettings.at(scale, device=device)


class Seed:
    """Test accuracies of one seed at the moments that claims and table speak of."""

    def __init__(self, trained: Trained) -> None:
        settings: StagesSettings = trained.settings  # type: ignore[assignment]
        first, _ = settings.decays

        def moments(arm: str, subset: str) -> tuple[float, float, float]:
            """At the end of stage one (the mean of three epochs), one epoch later, at the end."""

            def at(epoch: int) -> float:
                return trained.accuracy(arm, epoch, "test", subset)

            return fmean(at(first - back) for back in range(3)), at(first + 1), at(-1)

        arms = ("decay", "constant_large", "constant_small")
        self.simple = {arm: moments(arm, "simple") for arm in arms}
        self.complex = {arm: moments(arm, "complex") for arm in arms}
        self.dose = [moments("dose", f"patterns_{patterns}") for patterns in settings.dose]

    def fall(self, moment: int) -> float:
        """The smallest step down in accuracy from one tier of `dose` to the next."""
        of = [each[moment] for each in self.dose]
        return min(few - many for few, many in pairwise(of))


STAGE_ONE, LATER, END = range(3)


def claims(settings: StagesSettings) -> list[Claim[Seed]]:
    return [
        Claim("D1", "the first stage learns simple patterns and leaves complex ones half learned", [
            Bound("simple", lambda s: s.simple["decay"][STAGE_ONE], ">=", 0.93),
            Bound("complex", lambda s: s.complex["decay"][STAGE_ONE], "<=", 0.65),
        ]),
        Claim("D2", "one epoch of decay releases the complex patterns", [
            Bound("rise of complex", lambda s: s.complex["decay"][LATER]
                  - s.complex["decay"][STAGE_ONE], ">=", 0.15),
        ]),
        Claim("D3", "decay ends with both learned", [
            Bound("simple", lambda s: s.simple["decay"][END], ">=", 0.97),
            Bound("complex", lambda s: s.complex["decay"][END], ">=", 0.95),
        ]),
        Claim("D4", "a rate that stays large leaves complex patterns half learned", [
            Bound("complex at the end", lambda s: s.complex["constant_large"][END], "<=", 0.65),
        ]),
        Claim("D5", "without noise a rate that is small from the start ends no worse than decay", [
            Bound("complex, the small rate's less decay's", lambda s:
                  s.complex["constant_small"][END] - s.complex["decay"][END], ">=", -0.02),
        ], finding=True),
        Claim("D6", "the more patterns a class, the less of them the first stage learns", [
            Bound("least fall from tier to tier", lambda s: s.fall(STAGE_ONE), ">=", 0.03),
        ]),
        Claim("D7", "and the less of them it knows one epoch after the decay", [
            Bound("least fall from tier to tier", lambda s: s.fall(LATER), ">=", 0.03),
        ]),
    ]  # fmt: skip


def summary(seeds: Mapping[int, Seed], settings: StagesSettings) -> str:
    """Test accuracy at the end of stage one, one epoch later, and at the end."""
    cells = {
        f"{arm.replace('_', ' ')}, {subset}": [getattr(s, subset)[arm] for s in seeds.values()]
        for arm in ("decay", "constant_large", "constant_small")
        for subset in ("simple", "complex")
    }
    for tier, patterns in enumerate(settings.dose):
        name = f"decay, {patterns} patterns a class of {len(settings.dose)} tiers"
        cells[name] = [s.dose[tier] for s in seeds.values()]
    rows = [
        [name, *(mean_and_spread(moment) for moment in zip(*each, strict=True))]
        for name, each in cells.items()
    ]
    return table(["test accuracy", "end of stage one", "one epoch later", "end"], rows)


def figure(runs: Mapping[int, Trained], settings: StagesSettings, path: Path) -> None:
    """The three schedules on two tiers, and decay on four."""
    titles = {
        "decay": "learning-rate decay",
        "constant_large": f"constant large rate, {settings.large:g}",
        "constant_small": f"constant small rate, {settings.small:g}",
        "dose": f"decay, {len(settings.dose)} tiers",
    }
    lines = {"simple, 10 patterns a class": "simple", "complex, 100": "complex"}
    lines |= {f"{patterns} patterns a class": f"patterns_{patterns}" for patterns in settings.dose}
    plots.subset_accuracy(
        {title: [arms[name] for arms in runs.values()] for name, title in titles.items()},
        {label: ("test", subset) for label, subset in lines.items()},
        marks={titles[name]: settings.decays for name in ("decay", "dose")},
        chance=0.1,
        quantity="test accuracy",
        path=path,
    )


EXPERIMENT = Experiment.of(
    __name__,
    about="which patterns each stage of a schedule learns, without noise",
    paper="PS10's curves under three schedules",
)
