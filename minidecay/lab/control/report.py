"""What is shown: the table of all tiers, the coefficients, the picture."""

from collections.abc import Iterable, Mapping, Sequence
from itertools import pairwise
from math import isfinite
from pathlib import Path
from statistics import fmean

import numpy as np

from minidecay import plots
from minidecay.lab.control.design import REPEATS, WITHIN, ControlSettings
from minidecay.lab.control.measures import Seed
from minidecay.lab.machinery.arms import Trained
from minidecay.lab.machinery.claims import interval
from minidecay.tables import mean_and_spread, table

COEFFICIENTS = {  # label -> of a seed's regressions: which, and its column
    "within sets: copies": ("within", "copies"),
    "within sets: patterns a class": ("within", "patterns"),
    "between: share of the data": ("between", "share"),
    "between: patterns a class": ("between", "patterns"),
    "between: patterns in all": ("between", "in_all"),
}
SCOPE = """\
Patterns are random templates that share nothing, networks MLPs with batch norm, trained by SGD with
momentum and weight decay. Natural images, whose complex patterns are made of simpler ones, and
other architectures are not covered."""


def summary(seeds: Mapping[int, Seed], settings: ControlSettings) -> str:
    """Each tier at the end of stage one and later; coefficients, thresholds, what it covers."""
    every = list(seeds.values())
    parts = [_tiers(every), _repeated(every), _coefficients(every), _thresholds(every, settings)]
    return "\n\n".join([*parts, *_collapsed(seeds), SCOPE])


def _tiers(seeds: Sequence[Seed]) -> str:
    one, rows = seeds[0], []
    for arm in one.stage_one:
        if arm.endswith("_small") or arm.startswith(("zipf", "lr_")):
            continue
        own = one.own[arm]
        moments = [[s.stage_one[arm] for s in seeds]]
        if arm in WITHIN:
            moments += [[s.later[arm] for s in seeds], [s.end[arm] for s in seeds]]
            moments += [[s.stage_one[f"{arm}_small"] for s in seeds]]
        for tier, share in enumerate(one.share(arm)):
            of = f"{own.tiers[tier]}", f"{own.copies[tier]}", f"{1e4 * share:.1f}"
            seen = [_shown([accuracy[tier] for accuracy in each]) for each in moments]
            seen += [""] * (4 - len(seen))
            rows.append(["" if tier else arm.replace("_", " "), *of, *seen])
    header = "patterns", "copies", "share, 1e-4", "stage one", "one later", "end", "small rate"
    return table(["data set", *header], rows)


def _shown(values: Iterable[float]) -> str:
    """Mean and spread over the seeds that have a number."""
    finite = [float(value) for value in values if isfinite(value)]
    return mean_and_spread(finite) if finite else "no number"


def _repeated(seeds: Sequence[Seed]) -> str:
    seen = [f"{_shown([s.noise[times] for s in seeds])} ({times} an epoch)" for _, times in REPEATS]
    return f"noise images memorized at the end of stage one: {', '.join(seen)}"


def _coefficients(seeds: Sequence[Seed]) -> str:
    rows = [
        [label, f"{value:.2f}", f"[{low:.2f}, {high:.2f}]" if isfinite(low) else "none"]
        for label, (value, low, high) in coefficients(seeds).items()
    ]
    return table(["log odds of having learned, by a doubling of", "mean", "95 %"], rows)


def coefficients(seeds: Sequence[Seed]) -> dict[str, tuple[float, float, float]]:
    """Each coefficient's mean over seeds and its interval."""
    values = {
        label: [getattr(s, which)[column] for s in seeds]
        for label, (which, column) in COEFFICIENTS.items()
    }
    return {label: (fmean(each), *interval(each)) for label, each in values.items()}


def _thresholds(seeds: Sequence[Seed], settings: ControlSettings) -> str:
    rows = []
    for place, (lr, wd) in enumerate(settings.rates):
        halves = [1e4 * s.thresholds[place] for s in seeds]
        horizon = settings.horizon(lr, wd)
        again = [s.thresholds[place] * horizon for s in seeds]
        rows.append([f"{lr:g}", f"{wd:g}", _shown(halves), _shown(again)])
    header = "rate", "weight decay", "half learned at a share, 1e-4", "times in a horizon"
    return table(header, rows, left=2)


def _collapsed(seeds: Mapping[int, Seed]) -> list[str]:
    """A paragraph of what collapsed to chance, if anything did."""
    arms = [f"{arm} (seed {seed})" for seed, s in seeds.items() for arm in s.collapsed]
    if not arms:
        return []
    return [
        f"collapsed to chance in every tier, which says nothing of patterns or copies, and left "
        f"out: {', '.join(arms)}"
    ]


def figure(runs: Mapping[int, Trained], settings: ControlSettings, path: Path) -> None:
    """Accuracy over share of the data, patterns crossed with copies, and what moves thresholds."""
    seeds = [Seed(trained) for trained in runs.values()]
    plots.dose_panels(
        {
            "tiers of five data sets": _by_share(seeds),
            "patterns crossed with copies": _two_by_two(seeds),
            "frequent in other ways": _other_ways(seeds),
            "data that grow": _growing(seeds, settings),
            "the same images in other classes": _relabelled(seeds, settings),
            "the same patterns among others": _among_others(seeds, settings),
            "coefficients": plots.Intervals(
                {label.replace(": ", ":\n"): row for label, row in coefficients(seeds).items()},
                "log odds of having learned, by a doubling",
            ),
            "the threshold": _moving(seeds, settings),
        },
        note=f"mean and range of {len(seeds)} seeds; coefficients with 95 % intervals"
        if len(seeds) > 1
        else "one seed",
        path=path,
    )


SHARE, STAGE_ONE = "times in 10,000 examples", "test accuracy, end of stage one"
LEARNED = "share learned beyond guessing"


def _by_share(seeds: Sequence[Seed]) -> plots.Lines:
    """The tiers of WITHIN, by patterns a class; those of a data set hang on a thread."""
    one = seeds[0]
    tiers = [(arm, tier) for arm in WITHIN for tier in range(len(one.own[arm].tiers))]
    lines = {}
    for patterns in sorted({one.own[arm].tiers[tier] for arm, tier in tiers}):
        mine = [(arm, tier) for arm, tier in tiers if one.own[arm].tiers[tier] == patterns]
        at = [1e4 * one.share(arm)[tier] for arm, tier in mine]
        lines[f"{patterns} a class"] = at, [[s.stage_one[a][t] for a, t in mine] for s in seeds]
    threads = []
    for arm in WITHIN:
        mean = np.mean([s.stage_one[arm] for s in seeds], axis=0)
        order = np.argsort(one.share(arm))
        threads.append((1e4 * one.share(arm)[order], mean[order]))
    return plots.Lines(lines, SHARE, STAGE_ONE, chance=0.1, joined=False, threads=threads)


def _two_by_two(seeds: Sequence[Seed]) -> plots.Lines:
    own = seeds[0].own["two_by_two"]
    lines = {
        f"{own.tiers[place]} patterns a class": (
            own.copies[place : place + 2],
            [s.stage_one["two_by_two"][place : place + 2] for s in seeds],
        )
        for place in (0, 2)
    }
    return plots.Lines(lines, "copies of a pattern", STAGE_ONE, chance=0.1)


def _other_ways(seeds: Sequence[Seed]) -> plots.Lines:
    one, ranks = seeds[0], 2 ** np.arange(7) - 1
    octaves = [slice(*each) for each in pairwise(ranks)]
    zipf = 1e4 * one.share("zipf")
    weights = np.array(one.own["weights"].pull) * 1e4 * one.share("weights")
    n = one.own["repeated_noise"].n_train + sum(i * (t - 1) for i, t in REPEATS)
    return plots.Lines(
        {
            "copies": (
                1e4 * one.share("equal_patterns"), [s.stage_one["equal_patterns"] for s in seeds]
            ),
            "loss weight x copies": (
                weights / np.mean(one.own["weights"].pull), [s.stage_one["weights"] for s in seeds]
            ),
            "ranks under Zipf's law": (
                [zipf[o].mean() for o in octaves],
                [[s.stage_one["zipf"][o].mean() for o in octaves] for s in seeds],
            ),
            "noise images (training set)": (
                [1e4 * times / n for _, times in REPEATS],
                [[s.noise[times] for _, times in REPEATS] for s in seeds],
            ),
        },
        SHARE, "accuracy, end of stage one", chance=0.1,
    )  # fmt: skip


def _growing(seeds: Sequence[Seed], settings: ControlSettings) -> plots.Lines:
    sizes = [seeds[0].own[f"growth_{n}"].n_train for n in settings.growth]
    lines = {
        label: (sizes, [s.growth[:, tier] for s in seeds])
        for tier, label in enumerate(("9 copies", "9 in 10,000", "the rest"))
    }
    return plots.Lines(lines, "training examples", STAGE_ONE, chance=0.1)


def _relabelled(seeds: Sequence[Seed], settings: ControlSettings) -> plots.Lines:
    classes, one = settings.relabelled, seeds[0]
    a_class = [one.patterns_in_all(f"classes_{c}") / c for c in classes]
    label = f"{classes[-1]} to {classes[0]} classes of 1,000 patterns"
    lines = {label: (a_class, [[s.of_classes[c] for c in classes] for s in seeds])}
    return plots.Lines(lines, "patterns a class", LEARNED, chance=0)


def _among_others(seeds: Sequence[Seed], settings: ControlSettings) -> plots.Lines:
    arms = [f"company_{patterns}" for patterns in settings.company]
    in_all = [seeds[0].patterns_in_all(arm) for arm in arms]
    lines = {
        f"{copies} copies": (in_all, [[s.learned(arm)[probe] for arm in arms] for s in seeds])
        for probe, copies in enumerate(seeds[0].own[arms[0]].copies[:3])
    }
    return plots.Lines(lines, "patterns in all", LEARNED, chance=0)


def _moving(seeds: Sequence[Seed], settings: ControlSettings) -> plots.Lines:
    lines = {}
    for place, (lr, wd) in enumerate(settings.rates):
        lines[f"{lr:g} x {wd:g}"] = [1e3 * lr * wd], [[1e4 * s.thresholds[place]] for s in seeds]
    return plots.Lines(
        lines, "rate x weight decay, 1e-3", "times in 10,000 where half is learned",
        logarithmic="xy", joined=False, slope=1,
    )  # fmt: skip
