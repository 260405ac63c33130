"""Transferability: is what later stages learn of less use elsewhere?

What it should show. At the end of each stage the network is frozen, and a linear probe is fitted to
its features (ridge regression, in closed form), once for the data it was trained on, the source,
and once for each target. A stage's gain is the probe's test accuracy less that of the stage before;
before the first stands the network as it was drawn. Gain on the target over gain on the source says
how much of what the stage has learned is of use there. Where the source gains less than 0.02 the
ratio is not formed, and a claim about it stays undecided.

What the paper shows. Patterns learned in later stages are more complex and so less transferable,
for networks trained on natural images. Probe, baseline and targets are here as we reconstruct them.

What is open. From pattern set to pattern set the answer is built in, and what is tested is whether
features show it: templates are drawn independently, so that only those that both sets share can
transfer. The control shares the complex patterns instead. From half of the digits' classes to the
other half nothing is built in, but in pilots the first stage learned them (.98) and left the others
nothing to add. Layers are narrow (64 units, 16 for the digits) so that features have to be chosen:
256 random ones tell simple patterns apart already, and no stage can gain on those.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from minidecay import plots
from minidecay.data import PatternSet, digits
from minidecay.lab.machinery.arms import Arm, Data, Metrics, Trained
from minidecay.lab.machinery.claims import Bound, Claim
from minidecay.lab.machinery.experiment import Experiment
from minidecay.lab.machinery.scales import Staged
from minidecay.lab.machinery.transfer import Transfer, digit_halves, pattern_sets
from minidecay.nn import Module
from minidecay.optim import Constant
from minidecay.tables import mean_and_spread, table

LEAST = 0.02  # of gain on the source, for a ratio; its test set of 2,000 tells .005 or so
DIGITS = {"size": 8, "width": 16, "n_train": 450, "n_test": 450}


@dataclass(frozen=True)
class TransferSettings(Staged):
    """Decay on pattern sets, without noise since that has nothing to transfer, and on digits.

    Attributes:
        ridge: of the probe. On pilot seed 100 a tenth or ten times of it moved no accuracy over all
            by more than 0.02 at width 64, by up to 0.09 at width 256.
        wide: the width of an arm with random features enough for the simple patterns, or None.
        halves: how many halves of the digits' classes are sources.
        half: which of them, see `Half`; None for pattern sets.
    """

    noise_fraction: float = 0.0
    width: int = 64
    ridge: float = 1e-3
    wide: int | None = 256
    halves: int = 4
    half: int | None = None

    def arms(self) -> dict[str, Arm]:
        arms = {
            "decay": Arm(self.decay()),
            "constant_large": Arm(Constant(self.large), fork=("decay", self.stages[0])),
        }
        if self.wide is not None:
            arms["wide"] = Arm(self.decay(), changes={"width": self.wide})
        for half in range(self.halves):
            arms[f"digits_{half}"] = Arm(self.decay(), changes=DIGITS | {"half": half})
        return arms

    @property
    def image(self) -> tuple[int, int, int]:
        return super().image if self.half is None else (self.size, self.size, 1)

    def data(self, seed: int) -> Transfer:
        if self.half is not None:
            return digit_halves(seed, self.half)
        source: PatternSet = super().data(seed)  # type: ignore[assignment]
        return pattern_sets(source)

    def metrics(self, network: Module, data: Data, seed: int) -> Metrics:
        sets: Transfer = data  # type: ignore[assignment]
        drawn = sets.probe(network, self.ridge)

        def measure(epoch: int) -> dict[str, Any]:
            found = {"drawn": drawn} if epoch == 1 else {}
            if epoch in self.ends:
                found["probe"] = sets.probe(network, self.ridge)
            return found

        return measure

    @property
    def ends(self) -> tuple[int, int, int]:
        """The last epoch of each stage."""
        return (*self.decays, self.epochs)


def settings(scale: str, device: str = "cpu") -> TransferSettings:
    smaller: dict[str, Any] = {"wide": None, "halves": 2} if scale == "smoke" else {}
    return TransferSettings.at(scale, device=device, **smaller)


class Seed:
    """The probes of one seed at four moments: as drawn, and at the end of each stage."""

    def __init__(self, trained: Trained) -> None:
        settings: TransferSettings = trained.settings  # type: ignore[assignment]
        self.probes = {
            arm: [
                records[0]["metrics"]["drawn"],
                *(records[end - 1]["metrics"]["probe"] for end in settings.ends),
            ]
            for arm, records in trained.items()
        }

    def accuracy(self, arm: str, of: str, subset: str = "all") -> NDArray[np.float64]:
        """At the four moments, of the source or a target; for "digits" the mean over halves."""
        arms = [name for name in self.probes if name.startswith(arm)]
        each = [[probe[of][subset] for probe in self.probes[name]] for name in arms]
        mean: NDArray[np.float64] = np.mean(each, axis=0)
        return mean

    def gain(self, arm: str, of: str, subset: str = "all") -> NDArray[np.float64]:
        """Of each stage."""
        return np.diff(self.accuracy(arm, of, subset))

    def ratio(self, arm: str, target: str) -> NDArray[np.float64]:
        """Of each stage, NaN where the source gains less than LEAST."""
        source = self.gain(arm, "source")
        enough = np.where(source >= LEAST, source, np.nan)
        return self.gain(arm, target) / enough

    def shown(self) -> dict[str, tuple[str, ...]]:
        """The targets of each arm that there is."""
        arms = {*self.probes, "digits"}
        return {arm: targets for arm, targets in TARGETS.items() if arm in arms}


ONE, TWO, THREE = range(3)  # stages
DRAWN, END = 0, -1  # moments
SIMPLE, COMPLEX = "simple_shared", "complex_shared"
TARGETS = {
    "decay": (SIMPLE, COMPLEX),
    "constant_large": (SIMPLE,),
    "wide": (SIMPLE, COMPLEX),
    "digits": ("other",),
}


def claims(settings: TransferSettings) -> list[Claim[Seed]]:
    def ratio(s: Seed, target: str, stage: int, arm: str = "decay") -> float:
        return float(s.ratio(arm, target)[stage])

    def own(s: Seed) -> float:
        moments = s.accuracy("decay", SIMPLE, "complex")
        return float(moments[END] - moments[DRAWN])

    def later(s: Seed, of: str) -> float:
        return float(s.gain("digits", of)[TWO:].sum())

    made: list[Claim[Seed]] = [
        Claim("T1", "on pattern sets both of the first stages gain on the source", [
            Bound("stage one's gain", lambda s: s.gain("decay", "source")[ONE], ">=", 0.25),
            Bound("stage two's gain", lambda s: s.gain("decay", "source")[TWO], ">=", 0.10),
        ]),
        Claim("T2", "less of the second's is of use to a target that shares the simple patterns", [
            Bound("stage one's ratio", lambda s: ratio(s, SIMPLE, ONE), ">=", 0.15),
            Bound("stage one's ratio less stage two's", lambda s:
                  ratio(s, SIMPLE, ONE) - ratio(s, SIMPLE, TWO), ">=", 0.10),
        ]),
        Claim("T3", "and more of it to one that shares the complex patterns instead", [
            Bound("stage two's ratio less stage one's", lambda s:
                  ratio(s, COMPLEX, TWO) - ratio(s, COMPLEX, ONE), ">=", 0.30),
        ]),
        Claim("T4", "for complex patterns of the target's own, features end no better than drawn", [
            Bound("their accuracy, end less drawn", own, "<=", 0.0),
        ]),
        Claim("T5", "without the decay the second stage gains next to nothing on the source", [
            Bound("gain", lambda s: s.gain("constant_large", "source")[TWO], "<=", 0.02),
        ]),
        Claim("T6", "what the first stage learns of half of the digits is of use to the others", [
            Bound("stage one's ratio", lambda s: ratio(s, "other", ONE, "digits"), ">=", 0.10),
        ]),
        Claim("T7", "later stages gain on the digits, too, and less of that is of use", [
            Bound("gain on the source", lambda s: later(s, "source"), ">=", LEAST),
            Bound("gain on the target, less that at stage one's ratio", lambda s: later(s, "other")
                  - ratio(s, "other", ONE, "digits") * later(s, "source"), "<=", 0.0),
        ]),
    ]  # fmt: skip
    if settings.wide is not None:
        made.append(
            Claim("T8", "at a width where random features suffice, stage one passes nothing on", [
                Bound("stage one's ratio", lambda s: ratio(s, SIMPLE, ONE, "wide"), "<=", 0.0),
            ])
        )  # fmt: skip
    return made


def summary(seeds: Mapping[int, Seed], settings: TransferSettings) -> str:
    """The probe's test accuracy at the four moments, and each stage's ratio."""
    each = list(seeds.values())
    rows = []
    for arm, targets in each[0].shown().items():
        for of in ("source", *targets):
            name = f"{arm}, {of}".replace("_", " ")
            moments = np.array([seed.accuracy(arm, of) for seed in each]).T
            row = [name, *map(mean_and_spread, moments.tolist())]
            if of != "source":
                ratios = np.array([seed.ratio(arm, of) for seed in each]).T.tolist()
                row += [mean_and_spread(r) if np.isfinite(r).all() else "none" for r in ratios]
            rows.append(row + [""] * (8 - len(row)))
    stages = [f"stage {stage}" for stage in (1, 2, 3)]
    header = ["probe, test accuracy", "as drawn", *stages, *(f"ratio, {s}" for s in stages)]
    return table(header, rows)


def figure(runs: Mapping[int, Trained], settings: TransferSettings, path: Path) -> None:
    """Accuracy and ratios of each network that decays."""
    each = [Seed(trained) for trained in runs.values()]
    titles = {
        "decay": f"pattern sets, width {settings.width}",
        "wide": f"pattern sets, width {settings.wide}",
        "digits": f"halves of the digits, width {DIGITS['width']}",
    }
    labels = {
        "source": "source",
        SIMPLE: "target that shares simple patterns",
        COMPLEX: "target that shares complex patterns",
        "other": "target of other digits",
    }
    panels = {}
    for arm, title in titles.items():
        if targets := each[0].shown().get(arm):
            accuracies = {of: [s.accuracy(arm, of) for s in each] for of in ("source", *targets)}
            ratios = {of: [s.ratio(arm, of) for s in each] for of in targets}
            panels[title] = plots.Transfer(
                {labels[of]: np.array(values) for of, values in accuracies.items()},
                {labels[of]: np.array(values) for of, values in ratios.items()},
            )
    plots.transfer(panels, (0, *settings.ends), decays=settings.decays, path=path)


EXPERIMENT = Experiment.of(
    __name__,
    about="is what later stages learn of less use elsewhere?",
    paper="patterns of later stages transfer less",
    needs=digits,
)
