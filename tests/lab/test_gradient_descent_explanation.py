"""The gradient-descent explanation: in miniature, what each claim looks at, table and picture."""

import json
import math
from dataclasses import replace
from pathlib import Path

import pytest
import tiny

from minidecay.lab import gradient_descent_explanation as descent
from minidecay.lab.gradient_descent_explanation import DescentSettings, Seed
from minidecay.lab.machinery import arms, command
from minidecay.lab.machinery.arms import Trained

SIZES = {"n_train": 400, "n_test": 100, "size": 4, "width": 8, "batch_size": 40}
TINY = DescentSettings(
    **SIZES, stages=(4, 1, 1), epochs=6, hessian_of=80, steps=42, early=10, learned=40
)


def record(epoch, rate, loss, sharp=None, **accuracy):
    accuracy = {"complex": 0.0, "noise": 0.0, "all": 0.0} | accuracy
    metrics = {} if sharp is None else {"largest_eigenvalue": sharp}
    places = {"train": accuracy, "test": accuracy, "train_loss": {"all": loss}}
    return {"epoch": epoch, "lr": rate, "loss": loss, "metrics": metrics, **places}


def made_up(settings=TINY):
    """Records whose losses and accuracies can be told from each other."""
    sgd = range(1, settings.epochs + 1)
    full = [
        record(e, 0.3, 1.0 if e < 41 else 2.5, 0.2 * e if e % 20 == 0 else None, complex=0.95,
               noise=0.9)
        for e in range(1, settings.steps + 1)
    ]  # fmt: skip
    return {
        "full_batch": full,
        "full_batch_decay": [record(e, 0.03, 1.5, 1.0) for e in range(1, settings.learned + 1)],
        "decay": [record(e, 0.3, 1.6 - e / 5, e / 10, all=0.9, noise=0.3) for e in sgd],
        "constant_large": [record(e, 0.3, 1.0, 0.5) for e in sgd],
        "constant_0.01": [
            record(e, 0.01, 1.1 - e / 10, 1.0, all=0.95, noise=e / 10) for e in sgd
        ],
        "constant_0.03": [record(e, 0.03, 2.0, 1.0, all=0.7, noise=0.2) for e in sgd],
    }  # fmt: skip


def seed(settings=TINY):
    return Seed(Trained(settings, 100, made_up(settings), Path("nowhere")))


def test_each_claim_looks_at_its_own_numbers():
    judged = {claim.name: claim.judge({100: seed()}) for claim in descent.claims(TINY)}
    values = {name: each["value"] for name, each in judged.items()}
    assert values["G1"] == pytest.approx([0.6 - 0.6, 2.0 - 0.6])  # means of epochs 4, 5, 6
    assert values["G2"] == pytest.approx([0.05, -0.2])
    assert values["G3"] == pytest.approx([0.5 - 0.3, -0.1])
    assert values["G4"] == [pytest.approx(0.5 - 0.3), None]  # 0.03 never comes so low
    assert values["G5"] == pytest.approx(0.3 * 0.4)  # of epochs 1 to 4
    assert values["G6"] == [0.95, 0.9]
    assert values["G7"] == pytest.approx(0.5)
    # 0.3 * 4 = 1.2 at step 20 and 2.4 at 40: it never crosses 3.8.
    assert values["G8"] == [None, None]
    assert all(each["passed"] for each in judged.values()) is False


def test_noise_at_equal_loss_is_interpolated_between_epochs():
    run = made_up()
    run["constant_0.01"] = [record(1, 0.01, 1.0, noise=0.1), record(2, 0.01, 0.2, noise=0.5)]
    at = Seed(Trained(TINY, 100, run, Path("nowhere"))).noise_at_equal_loss("constant_0.01")
    assert at == pytest.approx(0.1 + 0.4 * (1.0 - 0.6) / 0.8 - 0.3)


@pytest.mark.parametrize(
    ("sharp", "jump", "delay"),
    [
        ((10, 3.8 / 0.3), 41, 41 - 40),  # crosses just at the second measurement
        ((10, 2 * 3.8 / 0.3 - 10), 41, 41 - 30),  # half-way between the two
        ((10, 100), 25, 25 - 20 - 20 * (0.8 / 27)),
        ((10, 11), 41, math.nan),
        ((10, 100), None, math.nan),
    ],
)
def test_the_delay_is_from_the_crossing_of_the_threshold_to_a_doubled_loss(sharp, jump, delay):
    run = made_up()
    run["full_batch"] = [
        record(e, 0.3, 2.1 if e == jump else 1.0, dict(zip((20, 40), sharp, strict=True)).get(e))
        for e in range(1, 43)
    ]
    assert Seed(Trained(TINY, 100, run, Path("nowhere"))).delay() == pytest.approx(
        delay, nan_ok=True
    )


def test_at_smoke_scale_full_batch_descent_ends_before_it_could_be_unstable():
    smoke, demo = map(descent.settings, ("smoke", "demo"))
    assert [claim.name for claim in descent.claims(smoke)] == [f"G{n}" for n in range(1, 8)]
    assert [claim.name for claim in descent.claims(demo)] == [f"G{n}" for n in range(1, 9)]


def test_the_threshold_is_that_of_gradient_descent_with_momentum():
    """On a parabola of curvature 1 it settles just below 2 (1 + momentum), and not just above."""

    def ends(rate):
        w, v = 1.0, 0.0
        for _ in range(4000):
            v = 0.9 * v + w
            w -= rate * v
        return abs(w)

    assert ends(0.99 * descent.STABLE) < 1e-6 and ends(1.01 * descent.STABLE) > 1e6


def test_the_experiment_runs_to_its_verdicts_in_miniature(tmp_path, monkeypatch, capsys):
    for module in (command, arms):
        monkeypatch.setattr(module, "run_tasks", tiny.one_after_the_other)
    experiment = replace(descent.EXPERIMENT, settings=lambda *_, **__: TINY)
    words = ["--first-seed", "100", "--seeds", "1", "--out", str(tmp_path / "run")]
    assert command.main(experiment, words, "tiny") == 0
    out = capsys.readouterr().out
    rows = ("full batch, step 40", "decay, end", "constant large, end", "constant 0.03, end")
    assert all(f"\n{row}" in out for row in rows) and "G8" in out
    results = json.loads((tmp_path / "run" / "results.json").read_text())
    full, decayed = (results["arms"][f"full_batch{a}"]["100"] for a in ("", "_decay"))
    assert full[:10] == decayed[:10] and full[10] != decayed[10]  # it forks
    assert [r["epoch"] for r in full if r["metrics"]] == [20, 40]
    assert all(r["metrics"]["largest_eigenvalue"] > 0 for r in results["arms"]["decay"]["100"])
    picture = tmp_path / "run" / "gradient-descent-explanation.png"
    assert picture.read_bytes().startswith(b"\x89PNG")


def test_the_time_of_a_full_batch_is_told_from_smaller_ones(monkeypatch):
    def seen(network, optimizer, some, **options):
        taken.append((len(some), options["batch_size"]))
        return fit(network, optimizer, some, **options)

    taken, fit = [], arms.fit
    monkeypatch.setattr(arms, "fit", seen)
    assert arms.seconds_an_epoch(replace(TINY, n_train=10**8, batch_size=10**8)) > 0
    assert taken == [(4000, 2000)]
