"""AutoDecay beside milestones and Plateau: its arms, decays read off records, and its claims."""

from dataclasses import replace

import pytest
import tiny

from minidecay.lab import auto_decay
from minidecay.lab.auto_decay import EXPERIMENT, AutoSettings, Seed
from minidecay.lab.machinery import arms, command
from minidecay.lab.machinery.arms import train_seed
from minidecay.optim import Steps
from minidecay.optim.controllers import AutoDecay, Plateau

NAMES = ("auto", "hand", "late", "plateau", "patient")


def small_settings(scale="smoke", device="cpu"):
    sizes = {"n_train": 400, "n_test": 100, "size": 4, "width": 8, "batch_size": 40}
    return AutoSettings(scale=scale, device=device, **sizes, stages=(2, 1, 3), epochs=6)


def test_each_rate_is_tried_under_noise_and_without():
    settings = auto_decay.settings("demo")
    every = settings.arms()
    assert list(every) == [*NAMES, *(f"clean_{name}" for name in NAMES)]
    assert [settings.of(arm).noise_fraction for arm in every.values()] == [0.1] * 5 + [0.0] * 5
    assert {name: arm.schedule for name, arm in list(every.items())[:5]} == {
        "auto": AutoDecay(0.3, max_decays=2),
        "hand": Steps(0.3, (10, 15)),
        "late": Steps(0.3, (22, 33)),
        "plateau": Plateau(0.3, patience=2, min_lr=0.003),
        "patient": Plateau(0.3, patience=10, min_lr=0.003),
    }
    assert (every["late"].fork, every["clean_late"].fork) == (("hand", 10), ("clean_hand", 10))
    assert (settings.epochs, settings.width) == (40, 64)


@pytest.mark.parametrize(
    ("scale", "epochs", "late"),
    [("smoke", 40, (22, 33)), ("lab", 24, (13, 20)), ("paper", 60, (33, 50))],
)
def test_a_scale_is_its_epochs_and_all_milestones_lie_within(scale, epochs, late):
    settings = auto_decay.settings(scale)
    assert (settings.epochs, settings.late) == (epochs, late)
    assert settings.stages[0] <= late[0]  # it forks from the hand-set ones before its first


def test_smoke_has_the_arms_that_its_claims_speak_of():
    settings = auto_decay.settings("smoke")
    assert list(settings.arms()) == ["auto", "hand", "clean_auto", "clean_hand"]
    assert [claim.name for claim in auto_decay.claims(settings)] == [f"A{n}" for n in range(1, 7)]


def run(decays, epochs, noise=0.0, clean=0.0):
    """Records with these decays; accuracies grow by .01 an epoch from what is given."""
    rates = [0.3 * 0.1 ** sum(epoch > decay for decay in decays) for epoch in range(1, epochs + 1)]
    return [
        {
            "epoch": epoch,
            "lr": rate,
            "train": {"simple": 1.0, "noise": noise + epoch / 100},
            "test": {"complex": 0.5, "all": clean + epoch / 100},
        }
        for epoch, rate in enumerate(rates, 1)
    ]


RUNS = {
    "auto": ([7, 20], 0.20, 0.55),
    "hand": ([10, 15], 0.10, 0.50),
    "late": ([22, 33], 0.05, 0.45),
    "plateau": ([6, 26], 0.0, 0.0),
    "patient": ([14], 0.0, 0.42),
    "clean_auto": ([8, 21], 0.0, 0.51),
    "clean_hand": ([10, 15], 0.0, 0.50),
    "clean_late": ([22, 33], 0.0, 0.50),
    "clean_plateau": ([6, 12], 0.0, 0.50),
    "clean_patient": ([], 0.0, 0.40),
}  # fmt: skip


def made_up(settings, **other):
    return Seed(
        tiny.trained(settings, {arm: run(d, 40, *at) for arm, (d, *at) in (RUNS | other).items()})
    )


def test_a_decay_is_the_epoch_after_which_the_rate_falls():
    seed = made_up(auto_decay.settings("demo"))
    assert {arm: seed.decays(arm) for arm in RUNS} == {arm: RUNS[arm][0] for arm in RUNS}
    assert seed.decay("patient", auto_decay.SECOND) == 40  # one that never comes: the last epoch


class Eager(AutoSettings):
    """A controller that calls any progress too slow."""

    def rates(self):
        return super().rates() | {"auto": AutoDecay(0.3, tol=1.0, max_decays=2)}


def test_the_records_of_a_controller_show_when_it_decayed(tmp_path):
    settings = Eager(**vars(small_settings()) | {"epochs": 12})
    records = train_seed(settings, 100, ["auto"], tmp_path)
    controller = settings.rates()["auto"]
    state = controller.start()
    for record in records["auto"]:
        assert record["lr"] == pytest.approx(state["lr"])
        state = controller.update(state, record["loss"])
    seen = Seed(tiny.trained(settings, records)).decays("auto")
    assert seen == state["decayed_at"] == [5, 10]


def test_the_end_is_the_mean_of_three_epochs_and_the_stop_lies_three_after_the_last_decay():
    seed = made_up(auto_decay.settings("demo"))
    assert seed.end("auto", "train", "noise") == pytest.approx(0.20 + 0.39)
    assert seed.stop("auto", "train", "noise") == pytest.approx(0.20 + 0.23)
    assert seed.stop("patient", "test", "all") == pytest.approx(0.42 + 0.40)


def test_each_claim_looks_at_its_own_numbers():
    settings = auto_decay.settings("demo")
    seed = made_up(settings)
    values = {c.name: c.judge({100: seed})["value"] for c in auto_decay.claims(settings)}
    expected = {
        "A1": [0.05, 0.01],
        "A2": [2, 2],
        "A3": [3, 2],
        "A4": [8, 8],
        "A5": 0.10,
        "A6": [0.43 - 0.49, 0.55 + 0.23 - 0.89],
        "A7": 6,
        "A8": 0.13,
        "A9": [0.15, 0.10],
    }
    assert list(values) == list(expected)
    for name in expected:
        assert values[name] == pytest.approx(expected[name])


def test_claims_can_fail():
    settings = auto_decay.settings("demo")
    bad = {"auto": ([20], 0.5, 0.3), "clean_auto": ([], 0.0, 0.2), "late": ([22, 33], 0.5, 0.6)}
    bad |= {"plateau": ([5, 9], 0.0, 0.0), "patient": ([14], 0.0, 0.6)}
    seeds = {seed: made_up(settings, **bad) for seed in (100, 101)}
    verdicts = {c.name: c.judge(seeds)["verdict"] for c in auto_decay.claims(settings)}
    assert verdicts == {f"A{n}": "fails" for n in range(1, 10)}


def test_the_table_says_when_each_decays():
    settings = auto_decay.settings("demo")
    seeds = {100: made_up(settings), 101: made_up(settings, auto=([9, 20], 0.2, 0.5))}
    lines = auto_decay.summary(seeds, settings).splitlines()
    of = {line.split("  ")[0]: line for line in lines}
    assert "7 to 9" in of["AutoDecay"] and "0.590 ± 0.000" in of["AutoDecay"]
    assert "none in 2/2" in of["Plateau, patience 10"]
    assert "0.430 ± 0.000" in of["AutoDecay, 3 epochs after"]
    assert "milestones 22 and 33, no noise" in of and len(lines) == 2 + 10 + 2


def test_it_runs_in_miniature_to_its_verdicts(tmp_path, monkeypatch, capsys):
    for module in (command, arms):
        monkeypatch.setattr(module, "run_tasks", tiny.one_after_the_other)
    words = ["--first-seed", "100", "--seeds", "1", "--scale", "smoke", "--out", str(tmp_path)]
    assert command.main(replace(EXPERIMENT, settings=small_settings), words, "tiny") == 0
    out = capsys.readouterr().out
    assert all(f"A{n}  " in out for n in range(1, 10)) and "Plateau, patience 2" in out
    assert (tmp_path / "auto-decay.png").read_bytes().startswith(b"\x89PNG")
