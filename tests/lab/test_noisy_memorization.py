"""Noisy memorization: its scales, its arms, and which number each claim looks at."""

import math
from dataclasses import dataclass, replace

import numpy as np
import pytest
import tiny

from minidecay.lab import noisy_memorization as noisy
from minidecay.lab.machinery.arms import Arm, brief, seconds_an_epoch, train_seed
from minidecay.lab.noisy_memorization import NoisySettings, Seed
from minidecay.optim import Constant, Steps

SUBSETS = {"train": ("simple", "complex", "noise", "all"), "test": ("simple", "complex", "all")}


def timeless(arms):
    untold = "seconds", "examples_per_second"
    return {
        name: [{k: v for k, v in record.items() if k not in untold} for record in records]
        for name, records in arms.items()
    }


@pytest.mark.parametrize(
    ("scale", "n_train", "n_test", "size", "width", "stages"),
    [
        ("smoke", 20_000, 2_000, 8, 64, (10, 5, 3)),
        ("demo", 20_000, 2_000, 8, 256, (10, 5, 3)),
        ("lab", 50_000, 2_000, 8, 256, (6, 3, 2)),
        ("paper", 50_000, 10_000, 32, 256, (15, 9, 6)),
    ],
)
def test_a_scale_is_its_data_its_width_and_its_stages(scale, n_train, n_test, size, width, stages):
    settings = noisy.settings(scale)
    assert (settings.n_train, settings.n_test, settings.size) == (n_train, n_test, size)
    assert (settings.width, settings.stages, settings.epochs) == (width, stages, sum(stages))
    assert (settings.batch_size, settings.large, settings.averaged) == (64, 0.3, 1)
    patterns = settings.data(100)
    assert (patterns.seed, patterns.tiers, patterns.noise_fraction) == (100, (10, 100), 0.1)


def test_smoke_on_emulated_kernels_is_cut_to_half_the_epochs_and_one_small_rate():
    settings = noisy.settings("smoke", device="emulated")
    assert (settings.stages, settings.epochs) == ((6, 2, 1), 9)
    assert list(settings.arms()) == ["decay", "constant_large", "constant_small"]
    assert settings.n_train == noisy.settings("smoke").n_train
    assert noisy.settings("demo", device="emulated").stages == noisy.settings("demo").stages


def test_the_convolutional_network_wants_a_smaller_rate_and_a_mean_over_three_epochs():
    settings = noisy.settings("demo", "cnn")
    assert (settings.large, settings.averaged, settings.epochs) == (0.2, 3, 18)


@pytest.mark.parametrize(
    ("scale", "wrn", "n_train", "stages"),
    [
        ("smoke", (10, 1), 10_000, (7, 3, 2)),
        ("demo", (10, 1), 10_000, (14, 6, 4)),
        ("lab", (10, 1), 50_000, (6, 3, 2)),
        ("paper", (16, 4), 50_000, (15, 9, 6)),
    ],
)
def test_the_wide_residual_network_has_sizes_and_stages_of_its_own(scale, wrn, n_train, stages):
    settings = noisy.settings(scale, "wrn")
    assert (settings.wrn, settings.n_train, settings.stages) == (wrn, n_train, stages)
    assert (settings.large, settings.averaged, settings.epochs) == (0.3, 3, sum(stages))


def test_the_network_of_paper_scale_is_wrn_16_4():
    network = noisy.settings("paper", "wrn").network(100)
    assert sum(p.size for p in network.parameters()) == 2_748_890


def test_decay_is_compared_with_the_large_rate_from_its_own_first_stage_and_with_small_rates():
    assert noisy.settings("demo").arms() == {
        "decay": Arm(Steps(0.3, (10, 15)), momentum=0.9, weight_decay=3e-3),
        "constant_large": Arm(Constant(0.3), fork=("decay", 10)),
        "constant_small": Arm(Constant(0.01)),
        "constant_small_0.03": Arm(Constant(0.03), every_seed=False),
        "constant_small_0.003": Arm(Constant(0.003), every_seed=False),
    }


@pytest.mark.parametrize("model", ["mlp", "cnn", "wrn"])
def test_every_arm_of_a_seed_begins_with_the_same_weights_and_another_seed_with_others(model):
    settings = tiny.settings(model=model)
    one, same, other = (settings.network(seed).state_dict() for seed in (100, 100, 101))
    assert all(np.array_equal(one[name], same[name]) for name in one)
    assert not np.array_equal(one[next(iter(one))], other[next(iter(one))])


@dataclass(frozen=True)
class NotForked(NoisySettings):
    def arms(self):
        return {name: replace(arm, fork=None) for name, arm in super().arms().items()}


@pytest.mark.parametrize("model", ["mlp", "cnn", "wrn"])
def test_an_arm_that_forks_has_the_numbers_of_one_trained_straight_through(tmp_path, model):
    settings = tiny.settings(model=model)
    straight = NotForked(**vars(settings))
    names = ["decay", "constant_large"]
    forked = timeless(train_seed(settings, 100, names, tmp_path / "forked"))
    assert forked == timeless(train_seed(straight, 100, names, tmp_path / "straight"))
    assert forked["decay"][:2] == forked["constant_large"][:2]
    assert forked["decay"][2:] != forked["constant_large"][2:]


def test_an_arm_does_not_depend_on_those_trained_beside_it(tmp_path):
    settings, small = tiny.settings(), ["constant_small"]
    alone = train_seed(settings, 100, small, tmp_path / "alone")
    beside = train_seed(settings, 100, ["decay", *small], tmp_path / "beside")
    assert timeless(alone)["constant_small"] == timeless(beside)["constant_small"]


def test_results_keep_of_a_record_what_the_claims_need():
    (record, *_) = numbered("decay", 1)
    kept = brief(record | {"grad_norm": 1.0, "seconds": 2.0})
    assert kept == {
        "epoch": 1,
        "lr": 0.3,
        "loss": 1.0,
        "train": {k: record["train"][k] for k in ("simple", "complex", "noise")},
        "test": record["test"],
    }


def test_an_epoch_takes_time():
    assert 0 < seconds_an_epoch(tiny.settings()) < math.inf


ARMS = ("decay", "constant_large", "constant_small")


def number(arm, epoch, split, subset):
    """An accuracy that only one place in one record has, of three digits."""
    place = 4 * (split == "test") + SUBSETS[split].index(subset)
    return (300 * ARMS.index(arm) + 16 * epoch + place) / 1000


def numbered(arm, epochs):
    return [
        {"epoch": epoch, "lr": 0.3, "loss": 1.0}
        | {split: {s: number(arm, epoch, split, s) for s in SUBSETS[split]} for split in SUBSETS}
        for epoch in range(1, epochs + 1)
    ]


def judged(settings):
    arms = {arm: numbered(arm, settings.epochs) for arm in ARMS}
    seed = Seed(tiny.trained(settings, arms))
    return {claim.name: claim.judge({100: seed}) for claim in noisy.claims(settings)}


def test_each_claim_looks_at_its_own_numbers():
    decay, large, small = ARMS

    def at(arm, epoch, *place):
        return number(arm, epoch, *place)

    simple, complex_, noise, clean = (
        ("train", "simple"),
        ("test", "complex"),
        ("train", "noise"),
        ("test", "all"),
    )
    values = {name: verdict["value"] for name, verdict in judged(noisy.settings("demo")).items()}
    expected = {
        "C1": at(decay, 10, *simple),
        "C2": at(decay, 10, *complex_),
        "C3": at(decay, 10, *noise),
        "C4": at(decay, 11, *complex_) - at(decay, 10, *complex_),
        "C5": at(decay, 18, *complex_),
        "C6": [at(large, 18, *complex_), at(large, 18, *noise)],
        "C7": [at(small, 10, *noise), at(small, 10, *complex_)],
        "C8": [at(decay, 18, *noise), at(small, 18, *noise) - at(decay, 18, *noise)],
        "C9": at(decay, 18, *noise),
        "C10": at(small, 18, *clean) - at(decay, 18, *clean),
    }
    assert list(values) == list(expected)
    for name in expected:
        assert values[name] == pytest.approx(expected[name], rel=1e-12)


def test_where_single_epochs_wobble_the_last_three_stand_for_stage_one():
    verdict = judged(noisy.settings("demo", "cnn"))["C3"]
    last = [number("decay", epoch, "train", "noise") for epoch in (8, 9, 10)]
    assert verdict["value"] == pytest.approx(np.mean(last), rel=1e-12)


DEMO = {
    "C1": ["train simple at the end of stage one >= 0.93"],
    "C2": ["test complex at the end of stage one <= 0.62"],
    "C3": ["noise at the end of stage one <= 0.2"],
    "C4": ["rise of test complex >= 0.2"],
    "C5": ["test complex at the end >= 0.94"],
    "C6": ["test complex at the end <= 0.6", "noise at the end <= 0.2"],
    "C7": ["noise >= 0.9", "test complex >= 0.97"],
    "C8": ["noise at the end <= 0.55", "the small rate's less decay's >= 0.35"],
    "C9": ["noise at the end >= 0.25"],
    "C10": ["the small rate's less decay's >= -0.02"],
}
SMOKE = DEMO | {
    "C1": ["train simple at the end of stage one >= 0.9"],
    "C5": ["test complex at the end >= 0.9"],
    "C7": ["noise >= 0.5", "test complex >= 0.95"],
    "C8": ["noise at the end <= 0.55", "the small rate's less decay's >= 0.18"],
}
SHORT = SMOKE | {
    "C5": ["test complex at the end >= 0.85"],
    "C7": ["noise >= 0.4", "test complex >= 0.94"],
    "C9": ["noise at the end >= 0.2"],
}


@pytest.mark.parametrize(
    ("scale", "device", "bounds"),
    [
        ("smoke", "cpu", SMOKE),
        ("smoke", "emulated", SHORT),
        ("demo", "cpu", DEMO),
        ("demo", "cuda", DEMO),
        ("lab", "cpu", DEMO),
        ("paper", "cpu", DEMO),
    ],
)
def test_thresholds_are_those_that_were_set_before_any_seed_that_counts(scale, device, bounds):
    claims = noisy.claims(noisy.settings(scale, device=device))
    assert {claim.name: list(map(str, claim.bounds)) for claim in claims} == bounds
    assert [claim.name for claim in claims if claim.finding] == ["C9", "C10"]


def whole(settings):
    """A seed with records for every arm, as if they had been trained."""
    return tiny.trained(
        settings,
        {
            name: [
                record | {"lr": arm.schedule(record["epoch"] - 1)}
                for record in numbered("decay", settings.epochs)
            ]
            for name, arm in settings.arms().items()
        },
    )


AT = ("epoch 10", "end")


def test_the_table_has_a_row_for_each_arm_and_moment_that_is_spoken_of():
    settings = noisy.settings("demo")
    lines = noisy.summary({100: Seed(whole(settings))}, settings).splitlines()
    cells = [line.split("  ") for line in lines]
    assert [line[0].strip() for line in cells[2:]] == [
        "decay, end of stage one",
        "decay, one epoch later",
        "decay, end",
        "constant 0.3, end",
        "constant 0.01, epoch 10",
        "constant 0.01, end",
        *(f"constant {rate}, {at} (seed 100)" for rate in (0.03, 0.003) for at in AT),
    ]
    places = ("train", "simple"), ("test", "complex"), ("train", "noise"), ("test", "all")
    for row, epoch in ((2, 10), (3, 11), (4, 18)):
        shown = [f"{number('decay', epoch, *place):.3f}" for place in places]
        assert [cell.strip() for cell in cells[row][1:] if cell] == shown


def test_the_picture_is_of_three_schedules_over_all_seeds(tmp_path, monkeypatch):
    settings, drawn = noisy.settings("smoke"), []
    monkeypatch.setattr(noisy.plots, "subset_accuracy", lambda *a, **k: drawn.append((a, k)))
    runs = {100: whole(settings), 101: whole(settings)}
    noisy.figure(runs, settings, tmp_path / "picture.png")
    (((panels, lines), options),) = drawn
    assert list(panels) == [
        "learning-rate decay",
        "constant large rate, 0.3",
        "constant small rate, 0.01",
    ]
    assert panels["constant small rate, 0.01"] == [seed["constant_small"] for seed in runs.values()]
    assert list(lines.values()) == [("train", "simple"), ("test", "complex"), ("train", "noise")]
    assert options["marks"] == {"learning-rate decay": (10, 15)}
    assert options["path"] == tmp_path / "picture.png"


def test_the_picture_is_a_file(tmp_path):
    settings = tiny.settings()
    noisy.figure({100: whole(settings)}, settings, tmp_path / "picture.png")
    assert (tmp_path / "picture.png").read_bytes().startswith(b"\x89PNG")
