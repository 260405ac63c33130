"""The design: which data sets are trained on, at which rates."""

from dataclasses import dataclass

from minidecay.lab.control.cells import CellSettings, cell
from minidecay.lab.machinery.arms import Arm
from minidecay.optim import Constant

# One data set each: (patterns a class, copies of each) of its tiers.
WITHIN = {
    "three_tiers": cell((10, 81), (10, 9), (100, 9), noise=2000),
    "two_by_two": cell((5, 12), (5, 60), (25, 12), (25, 60)),
    "reversal": cell((10, 9), (30, 60)),
    "equal_patterns": cell((30, 5), (30, 15), (30, 45)),
    "equal_copies": cell((3, 15), (10, 15), (30, 15), (100, 15)),
}
PROBES = (10, 5), (10, 15), (10, 45)  # the same in data sets whose other patterns differ
OTHERS = 1500  # examples a class of those
LADDER = cell(*((10, copies) for copies in (2, 6, 18, 54, 162)))
REPEATS = (900, 1), (100, 9), (20, 90)
ZIPF = [round(420 / rank) for rank in range(1, 65)]


@dataclass(frozen=True)
class ControlSettings(CellSettings):
    """The data sets at the large rate; those of WITHIN through the decay and at a small rate too.

    Attributes:
        relabelled: numbers of classes that the same 1,000 patterns are put into.
        company: patterns a class of the examples beside PROBES.
        growth: examples a class of data that grow.
        rates: learning rates and weight decays of LADDER.
    """

    small: float = 0.01
    relabelled: tuple[int, ...] = (2, 5, 10, 20, 50)
    company: tuple[int, ...] = (1, 5, 25, 125, 500)
    growth: tuple[int, ...] = (1000, 2000, 4000)
    rates: tuple[tuple[float, float], ...] = (
        *((0.3, 3e-3), (0.15, 3e-3), (0.6, 3e-3), (0.3, 1.5e-3), (0.3, 6e-3)),
        *((0.15, 6e-3), (0.6, 1.5e-3)),
    )

    def horizon(self, lr: float, weight_decay: float, momentum: float = 0.9) -> float:
        """How many examples the weights remember, as decay and momentum alone would have it."""
        return self.batch_size * (1 - momentum) / (lr * weight_decay)

    def arms(self) -> dict[str, Arm]:
        first, large = {"epochs": self.stages[0]}, Constant(self.large)
        arms = {name: Arm(self.decay(), changes=each) for name, each in WITHIN.items()}
        for name, each in WITHIN.items():
            arms[f"{name}_small"] = Arm(Constant(self.small), changes=each | first)
        stage_one = {"wide": WITHIN["three_tiers"] | {"width": 4 * self.width}}
        for classes in self.relabelled:
            stage_one[f"classes_{classes}"] = cell((10, 20), drawn=100, classes=classes)
        for patterns in self.company:
            stage_one[f"company_{patterns}"] = cell(*PROBES, (patterns, OTHERS // patterns))
        for n in self.growth:  # of equal copies, of equal share, and the rest
            equal, share = 9, 9 * n // self.growth[0]
            rest = n // 10 - equal - share
            stage_one[f"growth_{n}"] = cell((10, equal), (10, share), (10, rest))
        stage_one |= {
            "unlike_classes": cell((20, 10), (200, 10), (1, 1800), drawn=5, apart=(1,)),
            "repeated_noise": cell((10, 82), (100, 8), noise=1020, repeats=REPEATS),
            "weights": cell(*[(30, 22)] * 3, pull=(1 / 3, 1, 3)),
            "zipf": cell(*((1, copies) for copies in ZIPF), n_test=6400),
        }
        arms |= {name: Arm(large, changes=each | first) for name, each in stage_one.items()}
        for lr, wd in self.rates:
            arms[f"lr_{lr:g}_wd_{wd:g}"] = Arm(
                Constant(lr), weight_decay=wd, changes=LADDER | first
            )
        return arms


def settings(scale: str, device: str = "cpu") -> ControlSettings:
    """`lab` has the wider network of the other experiments; smoke fewer cells and epochs."""
    own: dict[str, dict[str, object]] = {
        "smoke": {
            "stages": (4, 1, 1),
            "averaged": 2,
            "relabelled": (2, 50),
            "company": (1, 500),
            "growth": (1000, 4000),
            "rates": ((0.3, 3e-3), (0.15, 3e-3), (0.3, 1.5e-3)),
        },
        "demo": {"width": 64},
        "lab": {"width": 256, "stages": (10, 5, 3)},
        "paper": {"width": 256},
    }
    return ControlSettings.at(scale, device=device, **{"n_test": 3_000, **own[scale]})
