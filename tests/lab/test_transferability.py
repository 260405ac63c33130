"""Transferability: sources and targets, gains and ratios, and which number each claim looks at."""

import importlib.util
import re
from dataclasses import replace

import numpy as np
import pytest
import tiny

from minidecay.data import TrainTest, digits, from_arrays
from minidecay.lab import transferability
from minidecay.lab.machinery import command, transfer
from minidecay.lab.machinery.arms import train_seed
from minidecay.lab.machinery.transfer import Half, pattern_sets
from minidecay.lab.transferability import EXPERIMENT, Seed, TransferSettings

SUBSETS = ("simple", "complex", "all")
TARGETS = ("simple_shared", "complex_shared")


def few_digits(test_size, seed):
    """Made-up digits: ten classes of 8x8, each of its own."""
    rng, labels = np.random.default_rng(seed), np.arange(200) % 10
    centres = np.random.default_rng(0).standard_normal((10, 8, 8, 1))
    images = centres[labels] + 0.3 * rng.standard_normal((200, 8, 8, 1))
    half = from_arrays(images[:100], labels[:100]), from_arrays(images[100:], labels[100:])
    return TrainTest(*half)


@pytest.fixture(autouse=True)
def without_scikit_learn(monkeypatch):
    monkeypatch.setattr(transfer, "digits", few_digits)


def small_settings(scale="smoke", device="cpu"):
    sizes = {"n_train": 400, "n_test": 100, "size": 4, "width": 8, "batch_size": 40, "wide": 16}
    return TransferSettings(
        scale=scale, device=device, **sizes, stages=(2, 1, 1), epochs=4, halves=2
    )


def common(a, b):
    """How many images two splits have in common."""
    return len({image.tobytes() for image in a.images} & {image.tobytes() for image in b.images})


def test_a_target_shares_the_patterns_and_labels_of_one_tier_and_no_example():
    sets = small_settings().data(100)
    source, (simple, complex_) = sets.source, sets.targets.values()
    assert list(sets.targets) == list(TARGETS) and sets.train is source.train
    shared = [
        [np.array_equal(a, b) for a, b in zip(source.templates, target.templates, strict=True)]
        for target in (simple, complex_)
    ]
    assert shared == [[True, False], [False, True]]
    for target in (simple, complex_):
        assert common(target.train, source.train) == common(target.test, source.test) == 0


def test_the_targets_of_two_sources_have_nothing_in_common():
    one, other = (pattern_sets(replace(small_settings().data(100).source, seed=s)) for s in (5, 6))
    for a in one.targets.values():
        for b in other.targets.values():
            assert not any(map(np.array_equal, a.templates, b.templates))


@pytest.mark.parametrize("number", [0, 2])
def test_two_halves_of_the_digits_have_all_classes_between_them(number):
    one, other = Half(100, number), Half(100, number + 1)
    whole = few_digits(0.5, 100)
    for part in ("train", "test"):
        halves, every = [getattr(half, part) for half in (one, other)], getattr(whole, part)
        assert [common(half, every) for half in halves] == [50, 50] and common(*halves) == 0
        assert all(set(half.labels) == set(range(5)) for half in halves)


def test_a_half_keeps_its_labels_apart_in_their_order():
    half, whole = Half(100, 0), few_digits(0.5, 100).train
    pairs = whole.images, whole.labels
    of_image = {image.tobytes(): label for image, label in zip(*pairs, strict=True)}
    truth = np.array([of_image[image.tobytes()] for image in half.train.images])
    assert sorted(set(truth)) == [truth[half.train.labels == k][0] for k in range(5)]
    assert not np.array_equal(truth, [of_image[i.tobytes()] for i in Half(100, 2).train.images])


def test_a_scale_is_its_arms():
    demo, smoke = transferability.settings("demo"), transferability.settings("smoke")
    halves = [f"digits_{k}" for k in range(4)]
    assert list(demo.arms()) == ["decay", "constant_large", "wide", *halves]
    assert list(smoke.arms()) == ["decay", "constant_large", *halves[:2]]
    assert (demo.width, demo.epochs, demo.noise_fraction, demo.n_train) == (64, 18, 0.0, 20_000)
    assert demo.of(demo.arms()["wide"]).width == 256
    half = demo.of(demo.arms()["digits_3"])
    assert (half.half, half.image, half.width) == (3, (8, 8, 1), 16)
    assert transferability.settings("paper").of(demo.arms()["digits_0"]).image == (8, 8, 1)


def test_records_hold_probes_of_the_network_as_drawn_and_at_the_end_of_each_stage(tmp_path):
    settings = small_settings()
    records = train_seed(settings, 100, ["decay"], tmp_path)["decay"]
    assert [list(record["metrics"]) for record in records] == [
        ["drawn"], ["probe"], ["probe"], ["probe"],
    ]  # fmt: skip
    for record in records:
        for probes in record["metrics"].values():
            assert list(probes) == ["source", *TARGETS]
            assert all(probe.keys() == set(SUBSETS) for probe in probes.values())
    data = settings.data(100)
    assert records[0]["metrics"]["drawn"] == data.probe(settings.network(100), settings.ridge)


def made_up(probes, settings):
    """A seed with these accuracies: arm -> four moments, of source and each target."""
    ends = (1, *settings.ends)

    def records(moments):
        found = [{"metrics": {}} for _ in range(settings.epochs)]
        for place, (end, moment) in enumerate(zip(ends, moments, strict=True)):
            found[end - 1]["metrics"]["probe" if place else "drawn"] = moment
        return found

    return Seed(tiny.trained(settings, {arm: records(each) for arm, each in probes.items()}))


def moments(**accuracies):
    """Four moments, of what four accuracies each are of; complex ones are a tenth of that."""
    return [
        {of: {"all": each[m], "complex": each[m] / 10} for of, each in accuracies.items()}
        for m in range(4)
    ]


PATTERNS = moments(
    source=(0.40, 0.80, 0.90, 0.91),
    simple_shared=(0.40, 0.60, 0.62, 0.70),
    complex_shared=(0.40, 0.48, 0.55, 0.56),
)
FORTH = moments(source=(0.70, 0.90, 0.93, 0.94), other=(0.70, 0.80, 0.81, 0.82))
BACK = moments(source=(0.50, 0.90, 0.93, 0.94), other=(0.50, 0.60, 0.59, 0.62))
WIDE = moments(
    source=(0.6, 0.8, 0.9, 0.9),
    simple_shared=(0.6, 0.5, 0.5, 0.5),
    complex_shared=(0.6, 0.7, 0.7, 0.7),
)
LARGE = moments(
    source=(0.40, 0.80, 0.83, 0.80),
    simple_shared=(0.40, 0.60, 0.60, 0.60),
    complex_shared=(0.4, 0.4, 0.4, 0.4),
)
ALL = {"decay": PATTERNS, "constant_large": LARGE, "wide": WIDE} | {
    "digits_0": FORTH,
    "digits_1": BACK,
}


def test_a_gain_is_what_a_stage_adds_and_a_ratio_what_of_it_the_target_has():
    seed = made_up(ALL, small_settings())
    np.testing.assert_allclose(seed.gain("decay", "source"), [0.4, 0.1, 0.01])
    np.testing.assert_allclose(seed.ratio("decay", "simple_shared")[:2], [0.5, 0.2])
    np.testing.assert_allclose(seed.gain("decay", "simple_shared", "complex")[0], 0.02)


def test_there_is_no_ratio_where_the_source_gains_next_to_nothing():
    seed = made_up(ALL, small_settings())
    assert np.isnan(seed.ratio("decay", "simple_shared")).tolist() == [False, False, True]


def test_digits_are_the_mean_over_halves():
    seed = made_up(ALL, small_settings())
    np.testing.assert_allclose(seed.accuracy("digits", "source"), [0.6, 0.9, 0.93, 0.94])
    np.testing.assert_allclose(seed.ratio("digits", "other")[0], 0.1 / 0.3)


def test_each_claim_looks_at_its_own_numbers():
    settings = small_settings()
    seed = made_up(ALL, settings)
    values = {c.name: c.judge({100: seed})["value"] for c in transferability.claims(settings)}
    expected = {
        "T1": [0.4, 0.1],
        "T2": [0.5, 0.5 - 0.2],
        "T3": 0.7 - 0.2,
        "T4": 0.03,
        "T5": 0.03,
        "T6": 0.1 / 0.3,
        "T7": [0.04, 0.02 - 0.1 / 0.3 * 0.04],
        "T8": -0.5,
    }
    assert list(values) == list(expected)
    for name in expected:
        assert values[name] == pytest.approx(expected[name])


def test_a_claim_about_a_ratio_that_does_not_exist_is_undecided():
    settings = small_settings()
    flat = moments(
        source=(0.4, 0.8, 0.81, 0.9),
        simple_shared=(0.4, 0.6, 0.6, 0.6),
        complex_shared=(0.4, 0.4, 0.4, 0.4),
    )
    seeds = {s: made_up(ALL | {"decay": flat}, settings) for s in (100, 101)}
    judged = {c.name: c.judge(seeds) for c in transferability.claims(settings)}
    assert judged["T2"]["verdict"] == judged["T3"]["verdict"] == "undecided"
    assert judged["T2"]["value"] == [pytest.approx(0.5), None]
    table = transferability.summary(seeds, settings)
    row = next(line for line in table.splitlines() if line.startswith("decay, simple shared"))
    assert re.split(r"  +", row)[5:] == ["0.500 ± 0.000", "none", "0.000 ± 0.000"]


def test_it_runs_in_miniature_to_its_verdicts(tmp_path, monkeypatch, capsys):
    small = replace(EXPERIMENT, settings=small_settings, needs=None)
    words = ["--first-seed", "100", "--seeds", "2", "--scale", "smoke", "--out", str(tmp_path)]
    for module in (command, command.train_arms.__globals__):
        place = module if isinstance(module, dict) else vars(module)
        monkeypatch.setitem(place, "run_tasks", tiny.one_after_the_other)
    assert command.main(small, words, "tiny") == 0
    out = capsys.readouterr().out
    assert all(f"T{n}  " in out for n in range(1, 9)) and "digits, other" in out
    assert (tmp_path / "transferability.png").read_bytes().startswith(b"\x89PNG")


def test_without_scikit_learn_it_says_so_before_any_training(tmp_path, monkeypatch, capsys):
    monkeypatch.setitem(__import__("sys").modules, "sklearn.datasets", None)
    assert command.main(EXPERIMENT, ["--out", str(tmp_path / "run")], "tiny") == 2
    out, err = capsys.readouterr()
    assert out == "" and err.count("\n") == 1 and not (tmp_path / "run").exists()
    assert re.match(r'tiny: error: transferability needs .* pip install "minidecay\[digits\]"', err)


def test_of_all_experiments_the_others_run_where_one_lacks_something(tmp_path, monkeypatch, capsys):
    seen = []
    monkeypatch.setattr(command, "run", lambda experiment, *_: seen.append(experiment.name) or 0)
    monkeypatch.setitem(__import__("sys").modules, "sklearn.datasets", None)
    able = replace(EXPERIMENT, name="able", needs=None)
    assert command.main_of_all([EXPERIMENT, able], ["--out", str(tmp_path)], "tiny") == 2
    assert seen == ["able"] and "transferability needs" in capsys.readouterr().err


@pytest.mark.skipif(importlib.util.find_spec("sklearn") is None, reason="needs scikit-learn")
def test_the_real_digits_fall_into_halves(monkeypatch):
    monkeypatch.setattr(transfer, "digits", digits)
    halves = [Half(100, number) for number in (0, 1)]
    assert sum(len(half.train) for half in halves) == 1797 - sum(len(h.test) for h in halves)
    assert all(half.train.images.shape[1:] == (8, 8, 1) for half in halves)
