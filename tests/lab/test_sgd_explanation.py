"""The explanation from SGD's noise: in miniature, what each claim looks at, table and picture."""

import json
from dataclasses import replace
from pathlib import Path

import pytest
import tiny

from minidecay.lab import sgd_explanation as sgd
from minidecay.lab.machinery import arms, command
from minidecay.lab.machinery.arms import Trained
from minidecay.lab.sgd_explanation import NoiseSettings, Seed

SIZES = {"n_train": 400, "n_test": 100, "size": 4, "width": 8, "batch_size": 40}
TINY = NoiseSettings(**SIZES, forks=(1, 4, 6), after=3, epochs=9, small=(0.03,))


def record(epoch, loss, accuracy, metrics=None):
    every = {"simple": accuracy, "complex": accuracy / 2, "noise": accuracy / 4}
    seen = {"train": every, "test": every, "train_loss": {"all": loss}}
    return {"epoch": epoch, "lr": 0.3, "loss": loss, "metrics": metrics or {}, **seen}


def made_up(settings=TINY):
    def inspected(epoch):
        if epoch not in settings.forks:
            return None
        return {"silent": epoch / 10} | {
            name: value for name, value in record(0, 0.7, 0.8).items()
            if name in ("train", "test", "train_loss")
        }  # fmt: skip

    large = [record(e, 1.0 + e / 100, 0.4, inspected(e)) for e in range(1, settings.epochs + 1)]
    decays = {
        f"decay_{fork}": large[:fork]
        + [record(fork + i, 0.5 + fork / 100 - i / 10, 0.9) for i in range(1, settings.after + 1)]
        for fork in settings.forks
    }
    return {"large": large, **decays, "small_0.03": [record(e, 0.2, 1.0) for e in range(1, 10)]}


def test_each_claim_looks_at_its_own_numbers():
    seed = Seed(Trained(TINY, 100, made_up(), Path("nowhere")))
    judged = {claim.name: claim.judge({100: seed}) for claim in sgd.claims(TINY)}
    values = {name: each["value"] for name, each in judged.items()}
    assert values["S1"] == pytest.approx(0.05 - 0.03)  # means of epochs 4 to 6, and 2 to 4
    assert values["S2"] == pytest.approx((1.0 + 0.03) - (0.4 + 0.04))
    assert values["S3"] == pytest.approx(0.02)
    assert values["S4"] == pytest.approx(0.6 - 0.4)
    assert values["S5"] == pytest.approx(0.2 - (0.3 + 0.04))  # against the lower of two late decays
    assert values["S6"] == pytest.approx(0.8 - 0.9)
    assert values["S7"] == pytest.approx((0.9 - 0.8) / 2)
    assert values["S8"] == pytest.approx([(0.8 - 0.4) / 4, (0.9 - 0.8) / 4])


def test_every_scale_has_a_late_decay_to_speak_of_and_room_after_the_last():
    for scale in command.SCALES:
        settings = sgd.settings(scale)
        late = [fork for fork in settings.forks if fork >= settings.plateau]
        assert len(late) >= 2 and late[0] == settings.plateau
        assert settings.epochs == settings.forks[-1] + settings.after


def test_the_experiment_runs_to_its_verdicts_in_miniature(tmp_path, monkeypatch, capsys):
    for module in (command, arms):
        monkeypatch.setattr(module, "run_tasks", tiny.one_after_the_other)
    experiment = replace(sgd.EXPERIMENT, settings=lambda *_, **__: TINY)
    words = ["--first-seed", "100", "--seeds", "1", "--out", str(tmp_path / "run")]
    assert command.main(experiment, words, "tiny") == 0
    out = capsys.readouterr().out
    rows = ("training loss, decay after epoch 6", "accuracy, noise (train), mean of decays from")
    assert all(f"\n{row}" in out for row in (*rows, "training loss, constant 0.03"))
    results = json.loads((tmp_path / "run" / "results.json").read_text())
    names = ["large", "decay_1", "decay_4", "decay_6", "small_0.03"]
    assert list(results["arms"]) == names
    large, early = results["arms"]["large"]["100"], results["arms"]["decay_4"]["100"]
    assert [r["loss"] for r in large[:4]] == [r["loss"] for r in early[:4]] and len(early) == 7
    assert [r["lr"] for r in early] == pytest.approx([0.3] * 4 + [0.03] * 3)
    assert [r["epoch"] for r in large if r["metrics"]] == [1, 4, 6]
    picture = tmp_path / "run" / "sgd-explanation.png"
    assert picture.read_bytes().startswith(b"\x89PNG")
