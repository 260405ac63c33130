"""Fates: how the noise is looked for, which number each claim looks at, the whole in miniature."""

import dataclasses
import json

import numpy as np
import pytest
import tiny

from minidecay.files import read_npz, write_npz
from minidecay.lab import fates
from minidecay.lab.fates import ARMS, BECAME, FINDS, SCORES, SUBSETS, FatesSettings, Seed
from minidecay.lab.machinery import arms, command
from minidecay.lab.machinery.arms import Arm, Trained, train_seed
from minidecay.optim import Constant, Steps
from minidecay.training import RunFolderError

TINY = {"n_train": 400, "n_test": 100, "size": 4, "width": 8, "batch_size": 40}
SETTINGS = FatesSettings(scale="smoke", stages=(2, 1, 1), epochs=4, **TINY)


@pytest.mark.parametrize("scale", ["smoke", "demo", "lab", "paper"])
def test_examples_are_followed_under_decay_a_large_rate_forked_from_it_and_a_small_one(scale):
    settings = fates.settings(scale)
    first = settings.stages[0]
    assert settings.per_example and settings.noise_fraction == 0.1
    assert settings.arms() == {
        "decay": Arm(Steps(0.3, settings.decays)),
        "constant_large": Arm(Constant(0.3), fork=("decay", first)),
        "constant_small": Arm(Constant(0.01)),
    }


def test_an_arm_that_forks_has_the_epochs_of_its_parent_before_its_own(tmp_path):
    trained = Trained(SETTINGS, 100, train_seed(SETTINGS, 100, list(ARMS), tmp_path), tmp_path)
    decay, large = trained.arrays("decay"), trained.arrays("constant_large")
    assert decay.keys() == large.keys()
    assert decay["epoch"].tolist() == large["epoch"].tolist() == [1, 2, 3, 4]
    for name in decay:
        assert np.array_equal(decay[name][:2], large[name][:2])
    assert not np.array_equal(decay["train_margins"][2:], large["train_margins"][2:])
    labels = trained.data.train.labels
    for arm in ARMS:  # the rows are those of the records
        right = trained.arrays(arm)["train_predictions"] == labels
        assert right.mean(axis=1).tolist() == [record["train"]["all"] for record in trained[arm]]


@pytest.mark.parametrize("arm", ["decay", "constant_large"])
@pytest.mark.parametrize("harm", ["cut", "lost", "short"])
def test_rows_that_were_lost_are_told_with_the_folder_to_remove(tmp_path, arm, harm):
    trained = made_up(tmp_path, SETTINGS)
    path = tmp_path / arm / "arrays.npz"
    if harm == "cut":
        path.write_bytes(path.read_bytes()[:100])
    elif harm == "lost":
        path.unlink()
    else:
        write_npz(path, {name: rows[1:] for name, rows in read_npz(path).items()})
    with pytest.raises(RunFolderError, match=f"/{arm} has not kept .* remove that folder") as told:
        Seed(trained)
    assert "\n" not in str(told.value)


def made_up(folder, settings, seed=100):
    """A seed's arrays, as if it had been trained: labels now and then, margins and losses."""
    trained = Trained(settings, seed, {}, folder)
    labels, rng = trained.data.train.labels, np.random.default_rng(seed)
    for arm in ARMS:
        shape = settings.epochs, len(labels)
        guess = rng.integers(0, 10, shape)
        rows = {
            "epoch": np.arange(settings.epochs) + 1,
            "train_predictions": np.where(rng.random(shape) < 0.6, labels, guess),
            "train_margins": rng.standard_normal(shape).astype(np.float32),
            "train_losses": rng.random(shape).astype(np.float32),
        }
        shared = settings.arms()[arm].shared
        (folder / arm).mkdir(parents=True)
        write_npz(folder / arm / "arrays.npz", {name: row[shared:] for name, row in rows.items()})
    return trained


def area(scores, noise, others):
    differences = np.subtract.outer(scores[noise], scores[others])
    return (np.sign(differences).mean() + 1) / 2


def test_each_score_is_of_its_own_arm_and_epoch(tmp_path):
    settings = dataclasses.replace(SETTINGS, stages=(3, 2, 1), epochs=6, early=2)
    trained = made_up(tmp_path, settings)
    seed, train = Seed(trained), trained.data.train
    decay, small = trained.arrays("decay"), trained.arrays("constant_small")
    right = decay["train_predictions"] == train.labels
    courses = ["".join("01"[int(epoch)] for epoch in example) for example in right.T]
    scores = {
        "low margin": -decay["train_margins"][2],
        "low mean margin": -np.mean(decay["train_margins"][[0, 1, 2]], axis=0),
        "low margin, later": -decay["train_margins"][3],
        "late": np.array([len(course.rstrip("1")) for course in courses]),
        "events": np.array([c.count("10") if "1" in c else 99 for c in courses]),
        "small rate, loss": small["train_losses"][2],
        "small rate, low mean margin": -np.mean(small["train_margins"][[0, 1, 2]], axis=0),
        "small rate, early loss": small["train_losses"][1],
    }
    noise = train.tier == -1
    others = {"AUC": ~noise, "AUC, simple": train.tier == 0, "AUC, complex": train.tier == 1}
    assert scores.keys() == SCORES.keys()
    for name, score in scores.items():
        for what, against in others.items():
            assert seed[name, what] == pytest.approx(area(score, noise, against)), (name, what)
    worst = np.argsort(-scores["low margin"])
    assert seed["low margin", "precision = recall"] == noise[worst[:40]].mean()
    assert seed["low margin", "recall at twice"] == noise[worst[:80]].sum() / 40
    for subset, mask in {"noise": noise, "simple": train.tier == 0}.items():
        of = [course for course, one in zip(courses, mask, strict=True) if one]
        learned = [course for course in of if course.endswith("111")]
        assert seed["decay", subset, "learned"] == pytest.approx(len(learned) / len(of))
        late = [course for course in learned if not course.endswith("1111")]
        assert seed["decay", subset, "learned late"] == pytest.approx(len(late) / len(learned))


class Numbered(dict):
    """A seed whose every number is another one."""

    def __init__(self):
        became = [(arm, subset, what) for arm in ARMS for subset in SUBSETS for what in BECAME]
        found = [(score, what) for score in SCORES for what in FINDS]
        super().__init__({key: n**1.5 for n, key in enumerate([*became, *found])})


def test_each_claim_looks_at_its_own_numbers():
    s = Numbered()
    decay, large, small = ARMS
    auc = {score: s[score, "AUC"] for score in SCORES}
    best = max(area for score, area in auc.items() if "small" not in score)
    precision = "precision = recall"
    expected = {
        "F1": [s[large, "simple", "learned"], s[large, "noise", "learned"]],
        "F2": s[large, "complex", "forgotten"] - s[large, "complex", "learned"],
        "F3": [s[decay, "complex", "learned"], s[decay, "complex", "learned late"]],
        "F4": [
            s[decay, "noise", "never held"],
            s[small, "noise", "learned"] - s[decay, "noise", "learned"],
        ],
        "F5": s[decay, "noise", "learned late"],
        "F6": [
            s[large, "complex", "events later"] - s[decay, "complex", "events later"],
            s[decay, "complex", "events later"],
        ],
        "F7": [
            s[decay, "noise", "events"] - s[decay, "simple", "events"],
            s[decay, "noise", "events"] - s[decay, "complex", "events"],
        ],
        "F8": [auc["low margin"], s["low margin", precision]],
        "F9": [auc["late"] - auc["low margin"], s["late", precision]],
        "F10": s["low margin, later", "AUC, complex"] - s["low margin", "AUC, complex"],
        "F11": [
            auc["low margin"] - auc["small rate, loss"],
            auc["low mean margin"] - auc["small rate, low mean margin"],
        ],
        "F12": auc["small rate, early loss"] - best,
    }
    judged = {c.name: c.judge({100: s}) for c in fates.claims(fates.settings("demo"))}
    assert list(judged) == list(expected)
    for name, verdict in judged.items():
        assert verdict["value"] == pytest.approx(expected[name], rel=1e-12), name
    assert [name for name, verdict in judged.items() if verdict["finding"]] == ["F12"]


BOUNDS = {
    "F1": ["simple learned >= 0.85", "noise memorized <= 0.1"],
    "F2": ["forgotten less learned >= 0.1"],
    "F3": ["learned >= 0.9", "of these late >= 0.5"],
    "F4": ["never held >= 0.5", "memorized, the small rate's less decay's >= 0.1"],
    "F5": ["of the memorized >= 0.8"],
    "F6": ["events an epoch, the large rate's less decay's >= 0.1", "decay's own <= 0.05"],
    "F7": [
        "events an epoch in stage one, noise less simple >= 0.02",
        "noise less complex >= 0.02",
    ],
    "F8": ["AUC >= 0.75", "precision >= 0.25"],
    "F9": ["AUC, less the low margin's >= 0.05", "precision >= 0.5"],
    "F10": ["rise of the margin's AUC >= 0.05"],
    "F11": [
        "AUC, low margin less the small rate's loss >= 0",
        "low mean margin less the small rate's >= 0",
    ],
    "F12": ["AUC, the early loss less the best of decay >= 0.01"],
}


def test_thresholds_are_those_that_were_set_before_any_seed_that_counts():
    claims = fates.claims(fates.settings("demo"))
    assert {claim.name: list(map(str, claim.bounds)) for claim in claims} == BOUNDS


def test_the_tables_have_every_subset_of_every_arm_every_score_and_chance():
    lines = fates.summary({100: Numbered()}, fates.settings("demo")).splitlines()
    first = [line.split("  ")[0].strip() for line in lines]
    subsets = [f"{title}, {subset}" for title in ARMS.values() for subset in SUBSETS]
    scores = [*list(SCORES.values())[:-1], "small rate: loss at epoch 3", "chance"]
    assert [name for name in first if name in (*subsets, *scores)] == [*subsets, *scores]
    assert lines[-1].split()[1:] == ["0.500", "0.500", "0.500", "0.100", "0.200"]


def test_the_picture_sorts_each_subset_by_when_it_was_learned(tmp_path, monkeypatch):
    drawn = []
    monkeypatch.setattr(fates.plots, "example_margins", lambda *a, **k: drawn.append((a, k)))
    runs = {seed: made_up(tmp_path / str(seed), SETTINGS, seed) for seed in (100, 101)}
    fates.figure(runs, SETTINGS, tmp_path / "picture.png")
    (((panels, lines), options),) = drawn
    assert list(panels) == list(ARMS.values())
    train, decay = runs[100].data.train, runs[100].arrays("decay")
    assert {name: rows.shape for name, rows in panels["learning-rate decay"].items()} == {
        "simple": (4, 180), "complex": (4, 180), "noise": (4, 40)
    }  # fmt: skip
    noise = panels["learning-rate decay"]["noise"]
    where = [int(np.argmin(np.abs(decay["train_margins"][0] - margin))) for margin in noise[0]]
    right = (decay["train_predictions"] == train.labels)[:, where]
    learned = [len("".join("01"[int(e)] for e in example).rstrip("1")) for example in right.T]
    assert learned == sorted(learned) and (train.tier[where] == -1).all()
    areas = lines["learning-rate decay"]["noise against complex"]
    assert areas[0][1] == pytest.approx(Seed(runs[100])["low margin", "AUC, complex"])
    assert np.shape(areas) == (2, 4)
    assert options["marks"] == {"learning-rate decay": (2, 3)}
    assert "seed 100" in options["note"] and options["path"] == tmp_path / "picture.png"


def test_in_miniature_it_runs_to_its_verdicts_and_a_picture(tmp_path, monkeypatch, capsys):
    for module in (command, arms):
        monkeypatch.setattr(module, "run_tasks", tiny.one_after_the_other)
    small = dataclasses.replace(fates.EXPERIMENT, settings=lambda scale, device="cpu": SETTINGS)
    words = f"--scale smoke --seeds 2 --first-seed 100 --workers 1 --out {tmp_path}"
    assert command.main(small, words.split(), "fates") == 0
    out = capsys.readouterr().out
    assert "Shares, forgetting events and how well noise is found, mean ± standard" in out
    results = json.loads((tmp_path / "results.json").read_text())
    assert [claim["name"] for claim in results["claims"]] == list(BOUNDS)
    assert (tmp_path / "fates.png").read_bytes().startswith(b"\x89PNG")
