"""Decay stages: its arms, and which number each claim looks at."""

import dataclasses

import pytest
import tiny

from minidecay.lab import decay_stages as stages

MINIATURE = {"n_train": 600, "n_test": 200, "size": 4, "width": 8, "batch_size": 40}
SETTINGS = stages.StagesSettings.at("smoke", **MINIATURE | {"stages": (3, 1, 1)})


def test_it_runs_to_its_verdicts(tmp_path):
    experiment = dataclasses.replace(stages.EXPERIMENT, settings=lambda scale, device: SETTINGS)
    options = ["--out", str(tmp_path), "--seeds", "2", "--first-seed", "100"]
    assert tiny.without_processes(options, experiment) == 0
    assert (tmp_path / "decay-stages.png").read_bytes().startswith(b"\x89PNG")


def test_its_images_have_no_noise_and_the_arm_of_four_tiers_has_four():
    demo = stages.settings("demo")
    assert (demo.noise_fraction, demo.n_train, demo.width) == (0.0, 20_000, 256)
    assert set(demo.data(100).train.subsets) == {"simple", "complex"}
    dose = demo.of(demo.arms()["dose"])
    assert dose.data(100).tiers == (10, 30, 100, 300)
    assert dose.arms()["decay"].schedule == demo.arms()["decay"].schedule


ARMS = ("decay", "constant_large", "constant_small", "dose")
SUBSETS = ("simple", "complex", "patterns_10", "patterns_30", "patterns_100", "patterns_300")


def number(arm, epoch, subset):
    """A test accuracy that only one place in one record has."""
    return (1000 * ARMS.index(arm) + 10 * epoch + SUBSETS.index(subset)) / 10_000


@pytest.fixture
def seed():
    demo = stages.settings("demo")
    records = {
        arm: [
            {"test": {subset: number(arm, epoch, subset) for subset in SUBSETS}}
            for epoch in range(1, demo.epochs + 1)
        ]
        for arm in ARMS
    }
    return stages.Seed(tiny.trained(demo, records))


def test_each_claim_looks_at_its_own_numbers(seed):
    judged = {c.name: c.judge({100: seed})["value"] for c in stages.claims(SETTINGS)}
    small, decay = number("constant_small", 18, "complex"), number("decay", 18, "complex")
    expected = {
        # At the end of stage one the mean of epochs 8, 9 and 10, here the number of epoch 9.
        "D1": [number("decay", 9, "simple"), number("decay", 9, "complex")],
        "D2": number("decay", 11, "complex") - number("decay", 9, "complex"),
        "D3": [number("decay", 18, "simple"), decay],
        "D4": number("constant_large", 18, "complex"),
        "D5": small - decay,
        "D6": number("dose", 9, "patterns_10") - number("dose", 9, "patterns_30"),
        "D7": number("dose", 11, "patterns_10") - number("dose", 11, "patterns_30"),
    }
    assert list(judged) == list(expected)
    for name, value in expected.items():
        assert judged[name] == pytest.approx(value, abs=1e-12), name


def test_the_fall_from_tier_to_tier_is_the_smallest_of_them(seed):
    seed.dose = [(0.9, 0.9, 0.9), (0.5, 0.8, 0.9), (0.45, 0.2, 0.9), (0.1, 0.1, 0.9)]
    assert seed.fall(stages.STAGE_ONE) == pytest.approx(0.05)
    assert seed.fall(stages.LATER) == pytest.approx(0.1)
    assert seed.fall(stages.END) == 0
