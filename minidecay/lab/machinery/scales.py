"""Training in three stages, and what a scale means, for the experiments that train so."""

from dataclasses import dataclass
from typing import Any, Self

from minidecay.lab.machinery.arms import Settings
from minidecay.optim import Steps

# Data, network and stages, as they differ from the demo's.
SCALES: dict[str, dict[str, Any]] = {
    "smoke": {"width": 64},
    "demo": {},
    "lab": {"n_train": 50_000, "stages": (6, 3, 2)},
    "paper": {"n_train": 50_000, "n_test": 10_000, "size": 32, "stages": (15, 9, 6)},
}


@dataclass(frozen=True)
class Staged(Settings):
    """A large rate, decayed by ten after the first stage and after the second.

    Attributes:
        stages: epochs at the large rate, at a tenth of it, at a hundredth.
    """

    stages: tuple[int, int, int] = (10, 5, 3)
    large: float = 0.3

    @classmethod
    def at(cls, scale: str, **changes: Any) -> Self:
        """The settings at a scale, with these changes; `epochs` is the sum of the stages."""
        own = {"scale": scale, **SCALES[scale], **changes}
        return cls(**{"epochs": sum(own.get("stages", cls.stages)), **own})

    @property
    def decays(self) -> tuple[int, int]:
        """The epochs after which the rate decays."""
        first, second, _ = self.stages
        return first, first + second

    def decay(self) -> Steps:
        """The rate over the stages."""
        return Steps(self.large, self.decays)
