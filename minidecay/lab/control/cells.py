"""Cells of a controlled experiment: pattern sets in which one thing is set apart."""

from dataclasses import dataclass, replace
from typing import Any

import numpy as np
from numpy.typing import NDArray

from minidecay.data import PatternSet, PatternSplit, TrainTest
from minidecay.lab.machinery.arms import Data
from minidecay.lab.machinery.scales import Staged


def cell(
    *tiers: tuple[int, int], noise: int = 0, drawn: int = 10, **changes: Any
) -> dict[str, Any]:
    """What an arm changes to train on tiers of (patterns a class, copies of each).

    noise: how many random images besides.
    drawn: classes that the patterns are drawn in.

    >>> made = cell((10, 81), (10, 9), (100, 9), noise=2000)
    >>> made["copies"], made["n_train"], made["noise_fraction"]
    ((81, 9, 9), 20000, 0.1)
    """
    n_train = noise + drawn * sum(patterns * copies for patterns, copies in tiers)
    patterns, copies = zip(*tiers, strict=True)
    own = {"tiers": patterns, "copies": copies, "n_train": n_train, "drawn": drawn}
    return own | {"noise_fraction": noise / n_train} | changes


@dataclass(frozen=True)
class CellSettings(Staged):
    """Pattern sets of given copies, their labels drawn together or apart, their noise repeated.

    Attributes:
        copies: of each pattern, a number for each tier.
        drawn: classes that patterns are drawn in; pattern class y gets the label y modulo
            `classes`, so that 100 drawn classes are put into 10, or 5, with the same images.
        apart: tiers whose labels come after those of the others: y + `drawn`, modulo `classes`.
        repeats: (images, times): so many noise images stand so often in the training set, in
            subsets "noise_<times>". They make up all of the noise.
        pull: the weight of the loss by tier, divided by its mean over the examples.
        averaged: epochs at the end of stage one whose mean stands for it.
    """

    noise_fraction: float = 0.0
    n_test: int = 3_000
    width: int = 64
    copies: tuple[int, ...] = (90, 9)
    drawn: int = 10
    apart: tuple[int, ...] = ()
    repeats: tuple[tuple[int, int], ...] = ()
    pull: tuple[float, ...] = ()
    averaged: int = 3

    def patterns(self, seed: int) -> PatternSet:
        """The patterns as they are drawn."""
        return PatternSet(
            self.n_train,
            self.n_test,
            classes=self.drawn,
            tiers=self.tiers,
            copies=self.copies,
            size=self.size,
            noise_fraction=self.noise_fraction,
            seed=seed,
        )

    def data(self, seed: int) -> TrainTest:
        drawn = self.patterns(seed)
        train, test = self._labelled(drawn.train), self._labelled(drawn.test)
        return TrainTest(repeat_noise(train, self.repeats) if self.repeats else train, test)

    def _labelled(self, split: PatternSplit) -> PatternSplit:
        labels = split.labels + self.drawn * np.isin(split.tier, self.apart)
        return replace(split, labels=labels % self.classes)

    def weights(self, data: Data) -> NDArray[Any] | None:
        if not self.pull:
            return None
        assert isinstance(data.train, PatternSplit)
        weights: NDArray[Any] = np.array(self.pull, np.float64)[data.train.tier]
        weights /= weights.mean()
        return weights


def repeat_noise(split: PatternSplit, repeats: tuple[tuple[int, int], ...]) -> PatternSplit:
    """The split with its noise images repeated: so many images, so many times each.

    The subset "noise" gives way to one for each number of times. ValueError where `repeats` do not
    name as many images as there are.

    >>> split = PatternSet(n_train=100, n_test=2, noise_fraction=0.1).train
    >>> repeat_noise(split, ((7, 1), (3, 20)))
    PatternSplit(157 examples of (8, 8, 3) float32, simple 45, complex 45, noise_1 7, noise_20 60)
    """
    noise = np.flatnonzero(split.tier == -1)
    images = [images for images, _ in repeats]
    if sum(images) != len(noise):
        raise ValueError(
            f"repeat_noise: repeats name {sum(images)} images of {len(noise)}; name all of them"
        )
    groups = np.split(noise, np.cumsum(images)[:-1])
    again = [g.repeat(times) for g, (_, times) in zip(groups, repeats, strict=True)]
    index = np.concatenate([np.flatnonzero(split.tier != -1), *again])
    members = {f"noise_{t}": np.isin(index, g) for g, (_, t) in zip(groups, repeats, strict=True)}
    whole = split.take(index)
    kept = {name: mask for name, mask in whole.subsets.items() if name != "noise"}
    return replace(whole, subsets=kept | members)
