"""PatternSet: pictures whose pattern complexity is known in bits, with a share of noise.

After the constructed data of "How Does Learning Rate Decay Help Modern Neural Networks?"
(arXiv 1908.01878), as we reconstruct it. The complexity of a pattern is its expected
class-conditional entropy E_y[H(x|y)], here that of the latent template index.
"""

from collections import Counter
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from functools import cached_property
from math import log2
from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray

from minidecay.data.split import Split, check_integer, check_number
from minidecay.random import stream

NOISE_KINDS = ("random_image", "wrong_label")
RENDERED_AT_ONCE = 256  # images: keeps the peak memory near the size of the set itself


@dataclass(frozen=True, eq=False, repr=False, kw_only=True)
class PatternSplit(Split):
    """A split that also carries what each example was drawn from.

    tier: int8 (N,), the index into the set's `tiers`, -1 for noise.
    pattern: int64 (N,), the index within the example's tier and class, -1 for noise.

    >>> train = PatternSet(n_train=200, n_test=20, tiers=(2, 5)).train
    >>> [int((train.tier == k).sum()) for k in (0, 1, -1)], int(train.pattern.max())
    ([90, 90, 20], 4)
    """

    tier: NDArray[np.int8]
    pattern: NDArray[np.int64]


@dataclass(frozen=True)
class PatternSet:
    """Templates plus pixel noise, in tiers of few (simple) to many (complex) patterns a class.

    Every tier k holds `tiers[k]` templates for each class, N(0, 1) in every value. A clean example
    is a template + sigma * N(0, 1). Clean examples are split evenly over the tiers and, within a
    tier, dealt evenly over classes and patterns, then shuffled: two patterns of a tier differ by
    at most one copy, so H(pattern | y, tier) = log2(tiers[k]) exactly wherever the tier's count is
    divisible by classes * tiers[k].

    copies: how often each pattern of tier k is dealt to the training set, for tiers of unlike
        frequency, (81, 9) for two. It fixes the clean training examples at the sum over tiers of
        classes * tiers[k] * copies[k], which `n_train` must leave beside the noise. The test set
        is dealt evenly all the same.
    n_train, n_test: examples; round(n_train * noise_fraction) of the training ones are noise, and
        none of the test ones.
    size, channels: images are float32, NHWC `(n, size, size, channels)`.
    noise: "random_image", N(0, 1) + sigma * N(0, 1) with a label uniform over the classes; or
        "wrong_label", a pattern of any tier and class under the label of another class.

    template_seeds: the seed that each tier's templates are drawn from, `seed` by default: they are
        the templates which that tier has in the set of that seed. Two sets share the patterns and
        labels of a tier, and no example, where its template seeds agree but `seed` does not.

    `train` and `test` are made when first asked for, from streams of `seed` named by their role:
    `test` does not depend on `n_train` or the noise. Sets are equal where their arguments are.
    Raises TypeError or ValueError, in one line, for arguments that give no such set.

    >>> patterns = PatternSet(n_train=2000, n_test=200, noise_fraction=0.1)
    >>> patterns.train
    PatternSplit(2000 examples of (8, 8, 3) float32, simple 900, complex 900, noise 200)
    >>> {name: round(bits, 2) for name, bits in patterns.complexity.items()}
    {'simple': 3.32, 'complex': 6.64}

    Another set with its simple patterns and other complex ones:

    >>> other = PatternSet(n_train=2000, n_test=200, seed=1, template_seeds=(0, 1))
    >>> [np.array_equal(a, b) for a, b in zip(patterns.templates, other.templates)]
    [True, False]
    """

    n_train: int
    n_test: int
    classes: int = 10
    tiers: Sequence[int] = (10, 100)
    size: int = 8
    channels: int = 3
    sigma: float = 0.3
    noise_fraction: float = 0.1
    noise: str = "random_image"
    seed: int = 0
    copies: Sequence[int] | None = None
    template_seeds: Sequence[int] | None = None

    @classmethod
    def ps10(cls, seed: int = 0) -> "PatternSet":
        """The shape of the paper's PS10: 50,000 and 10,000 examples of 32x32x3, 10 % noise."""
        return cls(n_train=50_000, n_test=10_000, size=32, seed=seed)

    def __post_init__(self) -> None:
        minima = {"n_train": 1, "n_test": 1, "classes": 2, "size": 1, "channels": 1, "seed": 0}
        for name, minimum in minima.items():
            value = check_integer(f"PatternSet: {name}", getattr(self, name), minimum)
            object.__setattr__(self, name, value)
        for name in ("sigma", "noise_fraction"):
            object.__setattr__(self, name, check_number(f"PatternSet: {name}", getattr(self, name)))
        object.__setattr__(self, "tiers", _tiers(self.tiers))
        if self.template_seeds is not None:
            seeds = _template_seeds(self.template_seeds, len(self.tiers))
            object.__setattr__(self, "template_seeds", seeds)
        if self.sigma < 0:
            raise ValueError(f"PatternSet: sigma must be at least 0, got {self.sigma}; raise it")
        if not 0 <= self.noise_fraction < 1:
            raise ValueError(
                f"PatternSet: noise_fraction {self.noise_fraction} lies outside [0, 1); "
                "pass a share such as 0.1"
            )
        if self.noise not in NOISE_KINDS:
            choices = " or ".join(map(repr, NOISE_KINDS))
            raise ValueError(f"PatternSet: unknown noise {self.noise!r}; choose {choices}")
        if self.copies is not None:
            object.__setattr__(self, "copies", _copies(self))
        clean = {"n_train": self.n_train - self._n_noise, "n_test": self.n_test}
        for name, count in clean.items():
            if count < len(self.tiers):
                raise ValueError(
                    f"PatternSet: {name}={getattr(self, name)} leaves {count} clean examples for "
                    f"{len(self.tiers)} tiers; raise {name} so that each tier has one"
                )

    @property
    def tier_names(self) -> tuple[str, ...]:
        """The subset name of each tier: "simple" and "complex" for two tiers in that order, else
        "patterns_10", "patterns_30", ..., the second of equal tiers "patterns_10_2"; with `copies`
        "patterns_10_copies_81", ..."""
        names = [f"patterns_{patterns}" for patterns in self.tiers]
        if self.copies is not None:
            names = [f"{name}_copies_{c}" for name, c in zip(names, self.copies, strict=True)]
        elif len(self.tiers) == 2 and self.tiers[0] < self.tiers[1]:
            return "simple", "complex"
        seen: Counter[str] = Counter()
        for place, name in enumerate(names):
            seen[name] += 1
            names[place] += f"_{seen[name]}" if seen[name] > 1 else ""
        return tuple(names)

    @property
    def complexity(self) -> dict[str, float]:
        """Subset name -> E_y[H(pattern|y)] = log2(patterns a class), in bits.

        For a mixture of tiers with weights w the tier is part of the pattern, which makes it
        sum_k w_k log2(tiers[k]) + H(w). Random images have no finite complexity, and no entry.
        """
        return {name: log2(p) for name, p in zip(self.tier_names, self.tiers, strict=True)}

    @property
    def templates(self) -> tuple[NDArray[np.float32], ...]:
        """The templates of each tier, float32 `(classes, patterns, size, size, channels)`."""
        image = (self.size, self.size, self.channels)
        parts = np.split(self._bank, self._first_rows[1:])
        return tuple(part.reshape(self.classes, -1, *image) for part in parts)

    @cached_property
    def train(self) -> PatternSplit:
        """The `n_train` training examples, with the subset "noise" where there is any."""
        return self._split("train", self.n_train, self._n_noise)

    @cached_property
    def test(self) -> PatternSplit:
        """The `n_test` test examples, all clean."""
        return self._split("test", self.n_test, 0)

    def config(self) -> dict[str, Any]:
        """The arguments as plain JSON types; `PatternSet(**config)` is an equal set."""
        arguments = {
            name: list(v) if isinstance(v, tuple) else v for name, v in asdict(self).items()
        }
        left_out = {"copies", "template_seeds"}  # unless they were given
        return {k: v for k, v in arguments.items() if v is not None or k not in left_out}

    @property
    def _n_noise(self) -> int:
        return round(self.n_train * self.noise_fraction)

    @property
    def _counts(self) -> NDArray[np.int64]:
        return np.array(self.tiers, dtype=np.int64)

    @property
    def _first_rows(self) -> NDArray[np.int64]:
        """The row of `_bank` at which each tier begins."""
        return self.classes * (np.cumsum(self._counts) - self._counts)

    @cached_property
    def _bank(self) -> NDArray[np.float32]:
        """All templates, a row each: by tier, then class, then pattern."""
        shape = (self.classes * sum(self.tiers), self.size, self.size, self.channels)
        seeds = self.template_seeds or (self.seed,) * len(self.tiers)
        drawn = {
            seed: np.split(
                stream(seed, "templates").standard_normal(shape, dtype=np.float32),
                self._first_rows[1:],
            )
            for seed in set(seeds)
        }
        return np.concatenate([drawn[seed][tier] for tier, seed in enumerate(seeds)])

    def _split(self, role: str, n: int, n_noise: int) -> PatternSplit:
        turn, tier = self._turns(role, n - n_noise)
        # Classes take turns before patterns do, so that a partial deal is still even over classes.
        pattern, label = np.divmod(turn, self.classes)
        pattern %= self._counts[tier]
        row = self._row(tier, label, pattern)

        noise_label, noise_row = self._deal_noise(stream(self.seed, role, "noise"), n_noise)
        none = np.full(n_noise, -1)
        order = stream(self.seed, role, "shuffle").permutation(n)
        tier, pattern, label, row = (
            np.concatenate(parts)[order]
            for parts in ((tier, none), (pattern, none), (label, noise_label), (row, noise_row))
        )
        subsets = {name: tier == k for k, name in enumerate(self.tier_names)}
        if n_noise:
            subsets["noise"] = tier == -1
        images = self._render(role, row)
        return PatternSplit(images, label, subsets, tier=tier.astype(np.int8), pattern=pattern)

    def _turns(self, role: str, n: int) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
        """Of n clean examples, the turn of each within its tier, and the tier."""
        if self.copies is None or role != "train":
            turn, tier = np.divmod(np.arange(n), len(self.tiers))
            return turn, tier
        counts = self.classes * self._counts * np.array(self.copies)
        return np.concatenate([*map(np.arange, counts)]), np.arange(len(counts)).repeat(counts)

    def _deal_noise(
        self, rng: np.random.Generator, n: int
    ) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
        """Labels of n noise examples, and the template row of each, -1 for a random image."""
        if self.noise == "random_image":
            return rng.integers(self.classes, size=n), np.full(n, -1)
        tier = rng.integers(len(self.tiers), size=n)
        truth = rng.integers(self.classes, size=n)
        pattern = rng.integers(self._counts[tier])
        wrong = (truth + rng.integers(1, self.classes, size=n)) % self.classes
        return wrong, self._row(tier, truth, pattern)

    def _row(
        self, tier: NDArray[np.int64], label: NDArray[np.int64], pattern: NDArray[np.int64]
    ) -> NDArray[np.int64]:
        """The row of `_bank` that holds this pattern of this label and tier."""
        return self._first_rows[tier] + label * self._counts[tier] + pattern

    def _render(self, role: str, row: NDArray[np.int64]) -> NDArray[np.float32]:
        """sigma * N(0, 1) plus a template, or plus another N(0, 1) where `row` is -1."""
        pixels = stream(self.seed, role, "pixels")
        content = stream(self.seed, role, "random images")
        images = np.empty((len(row), self.size, self.size, self.channels), np.float32)
        for start in range(0, len(row), RENDERED_AT_ONCE):
            part = images[start : start + RENDERED_AT_ONCE]
            source = row[start : start + RENDERED_AT_ONCE]
            pictures = self._bank[source]
            random = source == -1
            shape = (int(random.sum()), *part.shape[1:])
            pictures[random] = content.standard_normal(shape, dtype=np.float32)
            pixels.standard_normal(out=part, dtype=np.float32)
            part *= np.float32(self.sigma)
            part += pictures
        return images


def estimate_complexity(x: ArrayLike, labels: ArrayLike) -> float:
    """The plug-in estimate of E_y[H(x|y)] in bits, classes weighted by their frequency.

    x: what is counted, (N,) pattern indices, or images (N, ...) that are one pattern only where
        they agree in every byte (without pixel noise the estimate is that of the images
        themselves).
    labels: (N,) integers.
    It counts what is there, so it falls short of the truth where examples are few a pattern.
    Raises TypeError for anything but numbers, ValueError for unequal lengths, no examples, or NaN.

    >>> estimate_complexity([0, 1, 0, 1], [0, 0, 1, 1])
    1.0
    """
    x, labels = np.asarray(x), np.asarray(labels)
    if x.ndim == 0 or x.size == 0 or labels.shape != x.shape[:1]:
        raise ValueError(
            f"estimate_complexity: x {x.shape} and labels {labels.shape} do not match; "
            "pass (N, ...) and (N,) with N of 1 or more"
        )
    if not np.issubdtype(x.dtype, np.number) or not np.issubdtype(labels.dtype, np.integer):
        raise TypeError(
            f"estimate_complexity: got x {x.dtype} and labels {labels.dtype}; "
            "pass numbers and integer labels"
        )
    if np.isnan(x).any():
        raise ValueError("estimate_complexity: x holds NaN; repair or remove those examples")
    rows = np.ascontiguousarray(x).reshape(len(x), -1)
    rows = rows.view(np.dtype((np.void, rows.dtype.itemsize * rows.shape[1])))[:, 0]
    ids = np.unique(rows, return_inverse=True)[1]
    classes = np.unique(labels, return_inverse=True)[1]
    # The chain rule: E_y[H(x|y)] = H(x, y) - H(y).
    return max(0.0, _entropy(classes * len(x) + ids) - _entropy(classes))


def _entropy(values: NDArray[Any]) -> float:
    share = np.unique(values, return_counts=True)[1] / len(values)
    return float(-(share * np.log2(share)).sum())


def _tiers(tiers: object) -> tuple[int, ...]:
    if not isinstance(tiers, (tuple, list)):
        raise TypeError(f"PatternSet: tiers must be a tuple, got {tiers!r}; pass e.g. (10, 100)")
    if not 1 <= len(tiers) <= 127:
        raise ValueError(f"PatternSet: {len(tiers)} tiers; pass 1 to 127, such as (10, 100)")
    return tuple(check_integer("PatternSet: a tier", patterns, 1) for patterns in tiers)


def _copies(patterns: PatternSet) -> tuple[int, ...]:
    """The copies of each tier, checked against the tiers and `n_train`."""
    copies, tiers = patterns.copies, patterns.tiers
    if not isinstance(copies, (tuple, list)) or len(copies) != len(tiers):
        raise ValueError(
            f"PatternSet: copies must be a tuple with a number for each of {len(tiers)} tiers, "
            f"got {copies!r}"
        )
    checked = tuple(check_integer("PatternSet: copies of a pattern", each, 1) for each in copies)
    dealt = patterns.classes * sum(p * c for p, c in zip(tiers, checked, strict=True))
    clean = patterns.n_train - patterns._n_noise
    if dealt != clean:
        raise ValueError(
            f"PatternSet: copies make {dealt} clean training examples, but n_train="
            f"{patterns.n_train} leaves {clean} beside the noise; let them agree"
        )
    return checked


def _template_seeds(seeds: object, tiers: int) -> tuple[int, ...]:
    if not isinstance(seeds, (tuple, list)):
        raise TypeError(
            f"PatternSet: template_seeds must be a tuple, got {seeds!r}; pass e.g. (0, 1)"
        )
    if len(seeds) != tiers:
        raise ValueError(
            f"PatternSet: {len(seeds)} template_seeds for {tiers} tiers; pass one for each"
        )
    return tuple(check_integer("PatternSet: a template seed", seed, 0) for seed in seeds)
