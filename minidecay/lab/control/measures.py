"""What is measured of one seed: accuracies by tier, and the coefficients of its regressions."""

import numpy as np
from numpy.typing import NDArray

from minidecay.lab.control.cells import CellSettings
from minidecay.lab.control.design import REPEATS, WITHIN, ControlSettings
from minidecay.lab.control.regression import fit_accuracies
from minidecay.lab.machinery.arms import Trained

AT_CHANCE = 0.05  # above chance: less is no sign of learning


class Cells:
    """One seed's accuracies by tier at the end of stage one, later, and what collapsed.

    Attributes:
        own: the settings of each arm.
        stage_one: test accuracy of each tier, (tiers,), NaN where the arm has collapsed.
        later, end: one epoch after the decay and after the last epoch, where there is one.
        collapsed: arms in which every tier is at chance: they say nothing of what tells tiers
            apart.
    """

    def __init__(self, trained: Trained) -> None:
        settings = trained.settings
        assert isinstance(settings, CellSettings)
        self.settings, self.trained, self.first = settings, trained, settings.stages[0]
        self.own = {name: settings.of(arm) for name, arm in settings.arms().items()}
        names = {name: own.patterns(trained.seed).tier_names for name, own in self.own.items()}

        def at(arm: str, *epochs: int) -> NDArray[np.float64]:
            tests = [trained[arm][epoch - 1]["test"] for epoch in epochs]
            accuracies = np.array([[test[name] for name in names[arm]] for test in tests])
            return np.asarray(accuracies.mean(axis=0))

        window = range(self.first - settings.averaged + 1, self.first + 1)
        self.stage_one = {arm: at(arm, *window) for arm in trained}
        longer = [arm for arm in trained if len(trained[arm]) > self.first]
        self.later = {arm: at(arm, self.first + 1) for arm in longer}
        self.end = {arm: at(arm, len(trained[arm])) for arm in longer}
        self.collapsed = [
            arm
            for arm, accuracies in self.stage_one.items()
            if (accuracies < 1 / self.own[arm].classes + AT_CHANCE).all()
        ]
        for arm in self.collapsed:
            self.stage_one[arm] = np.full_like(self.stage_one[arm], np.nan)

    def train(self, arm: str, subset: str) -> float:
        """Accuracy on a subset of the training set at the end of stage one."""
        records = self.trained[arm][self.first - self.settings.averaged : self.first]
        return float(np.mean([record["train"][subset] for record in records]))

    def learned(self, arm: str) -> NDArray[np.float64]:
        """The share of each tier that must be known where the rest is guessed, at stage one."""
        chance = 1 / self.own[arm].classes
        return (self.stage_one[arm] - chance) / (1 - chance)

    def share(self, arm: str) -> NDArray[np.float64]:
        """What share of the training examples each pattern of a tier is, (tiers,)."""
        own = self.own[arm]
        repeated = sum(images * (times - 1) for images, times in own.repeats)
        return np.array(own.copies) / (own.n_train + repeated)

    def patterns_in_all(self, arm: str) -> int:
        """How many patterns the data set has."""
        return self.own[arm].drawn * sum(self.own[arm].tiers)


class Seed(Cells):
    """One seed's accuracies, and the coefficients of its regressions (NaN where one collapsed)."""

    def __init__(self, trained: Trained) -> None:
        super().__init__(trained)
        settings: ControlSettings = trained.settings  # type: ignore[assignment]
        self.small = [self.stage_one[f"{name}_small"].min() for name in WITHIN]
        self.noise = {times: self.train("repeated_noise", f"noise_{times}") for _, times in REPEATS}
        self.of_classes = {c: self.learned(f"classes_{c}")[0] for c in settings.relabelled}
        a_class = np.log2([self.patterns_in_all(f"classes_{c}") / c for c in settings.relabelled])
        self.by_classes = np.polyfit(a_class, list(self.of_classes.values()), 1)[0]
        self.growth = np.array([self.stage_one[f"growth_{n}"] for n in settings.growth])
        self.within, self.between = self._within(), self._between()
        self.thresholds = np.array([self._threshold(lr, wd) for lr, wd in settings.rates])
        rates = np.log2(settings.rates)
        design = np.column_stack([np.ones(len(rates)), rates])
        self.moves = np.full(2, np.nan)  # of the threshold, in doublings, with either rate
        if np.isfinite(self.thresholds).all() and (self.thresholds > 0).all():
            self.moves = np.linalg.lstsq(design, np.log2(self.thresholds), rcond=None)[0][1:]

    def gap(self, arm: str, better: int, worse: int) -> float:
        """Stage-one accuracy of one tier less another's."""
        return float(self.stage_one[arm][better] - self.stage_one[arm][worse])

    def _within(self) -> dict[str, float]:
        """Log odds over copies and patterns, each data set with its own constant."""
        tiers = [(arm, tier) for arm in WITHIN for tier in range(len(self.own[arm].tiers))]
        columns = {arm: [float(of == arm) for of, _ in tiers] for arm in WITHIN}
        columns["copies"] = [np.log2(self.own[arm].copies[tier]) for arm, tier in tiers]
        columns["patterns"] = [np.log2(self.own[arm].tiers[tier]) for arm, tier in tiers]
        return fit_accuracies([self.stage_one[arm][tier] for arm, tier in tiers], columns, 0.1)

    def _between(self) -> dict[str, float]:
        """Log odds over share of the data, patterns a class, and patterns in all."""
        arms = [arm for arm in self.own if arm.startswith(("classes_", "company_"))]
        tiers = [(arm, tier) for arm in arms for tier in range(min(3, len(self.own[arm].tiers)))]
        classes = np.array([self.own[arm].classes for arm, _ in tiers])
        in_all = np.array([self.patterns_in_all(arm) for arm, _ in tiers])
        columns = {
            "constant": np.ones(len(tiers)),
            "share": np.log2([self.share(arm)[tier] for arm, tier in tiers]),
            "patterns": np.log2(in_all / classes),
            "in_all": np.log2(in_all),
        }
        seen = [self.stage_one[arm][tier] for arm, tier in tiers]
        return fit_accuracies(seen, columns, 1 / classes)

    def _threshold(self, lr: float, wd: float) -> float:
        """The share of the data at which a pattern of LADDER is half learned.

        NaN, 0 or infinity where none is: the curve has no best one, or does not rise.
        """
        arm = f"lr_{lr:g}_wd_{wd:g}"
        share = np.log2(self.share(arm))
        columns = {"constant": np.ones(len(share)), "share": share}
        fitted = fit_accuracies(self.stage_one[arm], columns, 0.1)
        with np.errstate(all="ignore"):
            return float(np.exp2(-np.float64(fitted["constant"]) / fitted["share"]))
