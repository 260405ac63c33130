"""The control: its data sets part what they say they part, and its claims look at those numbers."""

import json
import math
from dataclasses import dataclass, replace

import numpy as np
import pytest
import tiny

from minidecay.lab import complexity_or_frequency as control
from minidecay.lab.control import design
from minidecay.lab.control.design import ControlSettings
from minidecay.lab.control.measures import Seed

DEMO = control.settings("demo")
ARMS = DEMO.arms()
OWN = {name: DEMO.of(arm) for name, arm in ARMS.items()}


# -- the design ----------------------------------------------------------------------------------
def shares(arm):
    """(patterns a class, copies, share of the data, patterns in all, classes) of each tier."""
    own = OWN[arm]
    return [(k, c, c / own.n_train) for k, c in zip(own.tiers, own.copies, strict=True)]


def test_sets_are_about_as_large_as_the_demos():
    alike = [name for name in OWN if not name.startswith(("growth", "zipf"))]
    assert all(17_000 <= OWN[name].n_train <= 25_000 for name in alike)


def test_within_a_data_set_patterns_and_copies_part():
    (_, rare_few, _), (_, often_few, _), (_, rare_many, _), (_, often_many, _) = shares(
        "two_by_two"
    )
    assert (rare_few, often_few) == (rare_many, often_many)
    assert len({k for k, _, _ in shares("equal_copies")}) == 4
    assert len({c for _, c, _ in shares("equal_copies")}) == 1
    assert len({k for k, _, _ in shares("equal_patterns")}) == 1
    (few, seldom, _), (many, often, _) = shares("reversal")
    assert many > few and often > seldom


def test_data_that_grow_keep_copies_in_one_tier_and_the_share_in_another():
    least, middle, most = (shares(f"growth_{n}") for n in DEMO.growth)
    assert least[0][1] == middle[0][1] == most[0][1] == least[1][1]
    assert least[1][2] == pytest.approx(middle[1][2]) == pytest.approx(most[1][2])
    assert [OWN[f"growth_{n}"].n_train for n in DEMO.growth] == [10_000, 20_000, 40_000]


def test_among_other_patterns_those_that_are_compared_stay():
    probes = [shares(f"company_{patterns}")[:3] for patterns in DEMO.company]
    assert all(each == probes[0] for each in probes)


def test_classes_of_few_and_of_many_patterns_are_of_one_size():
    train = replace(OWN["unlike_classes"], size=1).data(100).train
    assert np.bincount(train.labels).tolist() == [2000] * 10
    for label in (0, 7):
        mine = train.labels == label
        patterns = {*zip(train.tier[mine], train.pattern[mine], strict=True)}
        assert len(patterns) == (21 if label < 5 else 200)


def test_the_horizon_is_what_momentum_and_weight_decay_remember():
    assert DEMO.horizon(0.3, 3e-3) == pytest.approx(64 * 0.1 / 9e-4)


# -- what is measured ----------------------------------------------------------------------------
def made(accuracy, settings=DEMO, later=None, noise=None):
    """A seed whose tier accuracies are accuracy(arm, tier) in the first stage."""
    records = {}
    for name, arm in settings.arms().items():
        own = settings.of(arm)
        names = own.patterns(100).tier_names
        records[name] = [
            {
                "epoch": epoch,
                "lr": 0.3,
                "loss": 1.0,
                "test": {
                    tier: accuracy(name, place)
                    if epoch <= settings.stages[0]
                    else (later or accuracy)(name, place)
                    for place, tier in enumerate(names)
                },
                "train": {f"noise_{t}": (noise or {}).get(t, 0.5) for _, t in own.repeats},
            }
            for epoch in range(1, own.epochs + 1)
        ]
    return Seed(tiny.trained(settings, records))


def curve(log_odds, classes=10):
    return 1 / classes + (1 - 1 / classes) / (1 + math.exp(-log_odds))


def learned(arm, tier):
    """By known coefficients: 0.9 and 0.1 within, 1.1, 0.2 and -0.4 between, 1.5 and 0.8 moving."""
    own = OWN[arm]
    copies, patterns = own.copies[tier], own.tiers[tier]
    share, in_all = copies / own.n_train, own.drawn * sum(own.tiers)
    if arm.startswith("lr_"):
        _, lr, _, wd = arm.split("_")
        half = 3e-4 * (float(lr) / 0.3) ** 1.5 * (float(wd) / 3e-3) ** 0.8
        return curve(1.3 * math.log2(share / half))
    if arm.startswith(("classes_", "company_")):
        a_class = in_all / own.classes
        log_odds = 14 + 1.1 * math.log2(share) + 0.2 * math.log2(a_class)
        return curve(log_odds - 0.4 * math.log2(in_all), own.classes)
    return curve(-3 + 0.9 * math.log2(copies) + 0.1 * math.log2(patterns))


def test_regressions_find_what_made_the_accuracies():
    seed = made(learned)
    within = {name: seed.within[name] for name in ("copies", "patterns")}
    assert within == pytest.approx({"copies": 0.9, "patterns": 0.1}, abs=1e-4)
    between = {name: seed.between[name] for name in ("share", "patterns", "in_all")}
    assert between == pytest.approx({"share": 1.1, "patterns": 0.2, "in_all": -0.4}, abs=1e-4)
    assert seed.moves == pytest.approx([1.5, 0.8], abs=1e-4)
    assert seed.thresholds[0] == pytest.approx(3e-4, rel=1e-4)
    assert seed.collapsed == []


def judged(seed):
    return {claim.name: claim.judge({100: seed}) for claim in control.claims(DEMO)}


def number(arm, tier):
    """Another one for each arm and tier."""
    place = list(ARMS).index(arm)
    return 0.6 + 0.3 * ((37 * place + 11 * tier) % 101) / 101


def test_each_claim_looks_at_its_own_numbers():
    seed = made(number, later=lambda a, t: number(a, t) + 0.05, noise={1: 0.1, 9: 0.4, 90: 0.95})
    values = {name: verdict["value"] for name, verdict in judged(seed).items()}

    def gap(arm, better, worse):
        return number(arm, better) - number(arm, worse)

    learned_in = [(number(f"classes_{c}", 0) - 1 / c) / (1 - 1 / c) for c in DEMO.relabelled]
    slope = np.polyfit(np.log2(1000 / np.array(DEMO.relabelled)), learned_in, 1)[0]
    small = min(
        number(f"{arm}_small", t) for arm in design.WITHIN for t in range(len(OWN[arm].tiers))
    )
    zipf = [number("zipf", rank) for rank in range(64)]
    equal, share = (number("growth_1000", tier) - number("growth_4000", tier) for tier in (0, 1))
    cross = [gap("two_by_two", *pair) for pair in ((1, 0), (3, 2), (0, 2), (1, 3))]
    part = (cross[2] + cross[3]) / 2
    weights, copies = gap("weights", 2, 0), gap("equal_patterns", 2, 0)
    end = min(number(arm, t) + 0.05 for arm in design.WITHIN for t in range(len(OWN[arm].tiers)))
    expected = {
        "P1": [gap("three_tiers", 1, 2), gap("equal_copies", 0, 3)],
        "P2": slope,
        "P3": gap("unlike_classes", 0, 1),
        "F1": [gap("three_tiers", 0, 1), copies, gap("wide", 0, 1)],
        "F2": [(cross[0] + cross[1]) / 2, part, -part],
        "F3": gap("reversal", 1, 0),
        "F4": [slope, slope],
        "F5": [0.1, 0.3, 0.95],
        "F6": [weights, weights / copies],
        "F7": np.mean(zipf[:4]) - np.mean(zipf[32:]),
        "F8": [equal, share, -share],
        "B2": -gap("unlike_classes", 0, 1),
        "B3": [0.05, 0.05, end],
        "B4": small,
    }
    for name, value in expected.items():
        assert values[name] == pytest.approx(value), name
    within, between = seed.within, seed.between
    part = within["patterns"] / within["copies"]
    assert values["F9"] == pytest.approx([within["copies"], part, part])
    whole = values["V"]
    assert whole[:2] == pytest.approx([gap("reversal", 1, 0), abs(part)])
    assert whole[3:] == pytest.approx([values["B1"], min(seed.moves)])
    part = between["patterns"] / between["share"]
    assert whole[2] == pytest.approx(abs(part))
    assert values["T1"] == pytest.approx(list(seed.moves))
    assert values["T2"] == pytest.approx([seed.moves[0] - seed.moves[1], np.diff(seed.moves)[0]])
    assert values["F10"] == pytest.approx([between["share"], part, part])
    assert values["B1"] == pytest.approx(between["in_all"] / between["share"])


def test_cells_that_collapsed_to_chance_say_nothing_and_are_named():
    def collapsed(arm, tier):
        return 0.12 if arm in ("two_by_two", "lr_0.6_wd_0.003") else learned(arm, tier)

    seed = made(collapsed)
    assert seed.collapsed == ["two_by_two", "lr_0.6_wd_0.003"]
    verdicts = judged(seed)
    assert verdicts["F2"]["value"] == [None] * 3 and verdicts["F2"]["verdict"] == "undecided"
    assert verdicts["F9"]["value"][0] is None and verdicts["T1"]["value"] == [None, None]
    assert verdicts["F3"]["value"] is not None
    text = control.summary({100: seed}, DEMO)
    assert "out: two_by_two (seed 100), lr_0.6_wd_0.003 (seed 100)" in text
    assert "left out" not in control.summary({100: made(learned)}, DEMO)


@pytest.mark.parametrize("flat", [0.3, 0.55, 0.9])
def test_a_threshold_that_no_share_reaches_is_no_number(flat):
    seed = made(lambda arm, tier: flat if arm == "lr_0.6_wd_0.003" else learned(arm, tier))
    assert not np.isfinite(seed.moves).any()
    assert judged(seed)["T1"]["value"] == [None, None]
    assert "no number" in control.summary({100: seed}, DEMO) or math.isfinite(seed.thresholds[2])


def test_one_tier_at_chance_is_no_collapse():
    assert made(lambda arm, tier: 0.1 if tier else 0.9).collapsed == []


# -- the whole of it in miniature ----------------------------------------------------------------
@dataclass(frozen=True)
class Miniature(ControlSettings):
    """The same arms with a twentieth of the copies."""

    def of(self, arm):
        own = super().of(arm)
        copies = tuple(max(1, each // 20) for each in own.copies)
        clean = own.drawn * sum(k * c for k, c in zip(own.tiers, copies, strict=True))
        repeats = tuple((images // 10, times) for images, times in own.repeats)
        noise = sum(images for images, _ in repeats)
        return replace(
            own, copies=copies, repeats=repeats, n_train=clean + noise,
            noise_fraction=noise / (clean + noise),
        )  # fmt: skip


def miniature(scale, device="cpu"):
    return Miniature(
        n_test=128, size=2, width=8, batch_size=40, stages=(1, 1, 1), epochs=3, averaged=1,
        relabelled=(2, 5), company=(1, 5), rates=((0.3, 3e-3), (0.15, 3e-3), (0.3, 1.5e-3)),
    )  # fmt: skip


def test_in_miniature_it_runs_to_its_verdicts_and_its_picture(tmp_path, monkeypatch, capsys):
    words = ["--seeds", "2", "--first-seed", "100", "--out", str(tmp_path)]
    experiment = replace(control.EXPERIMENT, settings=miniature)
    assert tiny.without_processes(words, experiment) == 0
    out = capsys.readouterr().out
    assert "three tiers" in out and "log odds of having learned" in out
    assert "Natural images" in out and "verdict  " in out
    results = json.loads((tmp_path / "results.json").read_text())
    names = [claim.name for claim in control.claims(DEMO)]
    assert [claim["name"] for claim in results["claims"]] == names
    picture = tmp_path / "complexity-or-frequency.png"
    assert picture.read_bytes().startswith(b"\x89PNG")


def test_a_single_seed_has_coefficients_and_no_intervals():
    text = control.summary({100: made(learned)}, DEMO)
    (line,) = (line for line in text.splitlines() if line.startswith("within sets: copies"))
    assert line.split()[-2:] == ["0.90", "none"] and "nan" not in text
