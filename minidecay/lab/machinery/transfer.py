"""Sources and targets: what a network is trained on, and what its features may be of use for."""

from collections.abc import Mapping
from dataclasses import dataclass, replace
from functools import cached_property

import numpy as np

from minidecay.data import PatternSet, Split, TrainTest, digits
from minidecay.lab.machinery.arms import Data
from minidecay.lab.machinery.probe import linear_probe
from minidecay.nn import Module
from minidecay.random import stream
from minidecay.training import evaluate

UNLIKE = 2**40  # added to a seed, it gives one that no run will have


@dataclass(frozen=True)
class Transfer:
    """The data to train on, `source`, beside which lie the targets by name."""

    source: Data
    targets: Mapping[str, Data]

    @property
    def train(self) -> Split:
        return self.source.train

    @property
    def test(self) -> Split:
        return self.source.test

    def probe(self, network: Module, ridge: float) -> dict[str, dict[str, float]]:
        """Test accuracy, by subset, of a linear probe of the network: on the source and targets."""
        return {
            name: evaluate(linear_probe(network, data.train, ridge), data.test).accuracy()
            for name, data in {"source": self.source, **self.targets}.items()
        }


@dataclass(frozen=True)
class Half:
    """The digits of five classes, numbered from 0; half of each class is held out.

    The seed shuffles the ten classes, once for each pair of numbers: 0 is the first five of the
    first shuffle and 1 its other five, 2 and 3 are those of the second, and so on.
    """

    seed: int
    number: int

    @cached_property
    def split(self) -> TrainTest:
        shuffle, second = divmod(self.number, 2)
        order = stream(self.seed, "halves", str(shuffle)).permutation(10)
        classes = np.sort(order[5 * second :][:5])
        chosen = [part.take(np.isin(part.labels, classes)) for part in digits(0.5, self.seed)]
        return TrainTest(
            *(replace(part, labels=np.searchsorted(classes, part.labels)) for part in chosen)
        )

    @property
    def train(self) -> Split:
        return self.split.train

    @property
    def test(self) -> Split:
        return self.split.test


def digit_halves(seed: int, number: int) -> Transfer:
    """From half of the digits' classes to the other half, see `Half`."""
    return Transfer(Half(seed, number), {"other": Half(seed, number ^ 1)})


def pattern_sets(source: PatternSet) -> Transfer:
    """To sets that share the patterns of one of the source's two tiers, and no example."""
    own, other = source.seed, source.seed + UNLIKE
    return Transfer(
        source,
        {
            "simple_shared": replace(source, seed=other, template_seeds=(own, other)),
            "complex_shared": replace(source, seed=other, template_seeds=(other, own)),
        },
    )
