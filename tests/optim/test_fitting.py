"""fit with what `optim` has: every optimiser resumes bit for bit, and batch sizes follow time."""

import numpy as np
import pytest

from minidecay import nn
from minidecay.data import Split
from minidecay.optim import (
    SGD,
    SGDW,
    Adam,
    AdamW,
    AutoDecay,
    AveragedModel,
    Constant,
    Cosine,
    Plateau,
    Ramp,
    RMSprop,
    SGDScheduleFree,
    Steps,
    update_bn,
)
from minidecay.random import generator_state, stream
from minidecay.training import RunFolder, evaluate, fit
from minidecay.training.run_folder import Checkpoint

EPOCHS, BATCH = 5, 8
IMAGES = np.random.default_rng(0).standard_normal((50, 6)).astype(np.float32)
TRAIN = Split(IMAGES, (IMAGES[:, 0] > 0).astype(np.int64))
STOPS = AutoDecay(0.1, window=1, tol=0.5, patience=1, smoothing=0)

OPTIMIZERS = {
    "SGD by groups": lambda p: SGD(
        [{"params": p[:2]}, {"params": p[2:], "lr": Cosine(0.2, 4)}], 0.1
    ),
    "SGDW, scheduled decay": lambda p: SGDW(p, 0.1, 0.9, weight_decay=Ramp(0.1, 0, 4)),
    "Adam": lambda p: Adam(p, Cosine(0.01, 5), amsgrad=True),
    "AdamW by AutoDecay": lambda p: AdamW(p, STOPS),
    "RMSprop by Plateau": lambda p: RMSprop(p, Plateau(0.01, patience=0, threshold=0.5)),
    "SGDScheduleFree": lambda p: SGDScheduleFree(p, Ramp(0, 1, 2)),
}


def training(make, **options):
    rng = stream(0, "init")
    model = nn.Sequential(
        nn.Linear(6, 8, rng=rng),
        nn.BatchNorm1d(8),
        nn.ReLU(),
        nn.Dropout(0.2, rng=rng),
        nn.Linear(8, 2, rng=rng),
    )
    optimizer = make([*model.parameters()])
    options = {"epochs": EPOCHS, "batch_size": BATCH, "rng": stream(0, "batches")} | options
    if options.get("average") is not None:
        options["average"] = options["average"](model)
    return model, optimizer, options.get("average"), fit(model, optimizer, TRAIN, **options)


def outcome(model, optimizer, average, records):
    """All that two equal trainings share, bit for bit."""
    parts = {"model": model.state_dict(), "optimizer": optimizer.state_dict()}
    if average is not None:
        parts["average"] = average.state_dict()
    held = {
        f"{part}/{name}": value.tobytes() if isinstance(value, np.ndarray) else value
        for part, state in parts.items()
        for name, value in state.items()
    }
    timed = ("seconds", "examples_per_second")
    return held, [{k: v for k, v in record.items() if k not in timed} for record in records]


def trained(make, **options):
    *parts, epochs = training(make, **options)
    return outcome(*parts, list(epochs))


@pytest.mark.parametrize("make", OPTIMIZERS.values(), ids=[*OPTIMIZERS])
def test_a_run_is_resumed_bit_for_bit_with_every_optimiser(tmp_path, make):
    whole = trained(make)
    for done in (1, 3):
        with RunFolder(tmp_path / str(done), {}) as run:
            trained(make, run=run, epochs=done)
        with RunFolder(tmp_path / str(done), {}, resume=True) as run:
            assert trained(make, run=run) == whole


def test_controllers_have_decayed_in_these_runs():
    for name in ("AdamW by AutoDecay", "RMSprop by Plateau"):
        rates = [record["lr"] for record in trained(OPTIMIZERS[name])[1]]
        assert len({*rates}) > 1


@pytest.mark.parametrize("decay", [None, 0.9])
def test_an_average_is_resumed_bit_for_bit(tmp_path, decay):
    options = {"average": lambda model: AveragedModel(model, decay, start=1)}
    sgd = OPTIMIZERS["SGD by groups"]
    whole = trained(sgd, **options)
    with RunFolder(tmp_path, {}) as run:
        trained(sgd, run=run, epochs=3, **options)
    with RunFolder(tmp_path, {}, resume=True) as run:
        assert trained(sgd, run=run, **options) == whole


def test_an_average_begins_where_a_checkpoint_holds_none(tmp_path):
    sgd = OPTIMIZERS["SGD by groups"]
    with RunFolder(tmp_path, {}) as run:
        trained(sgd, run=run, epochs=3)
        start = run.load_checkpoint()
    *parts, epochs = training(sgd, start=start, average=AveragedModel)
    list(epochs)
    assert parts[2].n_averaged.item() == EPOCHS - 3


def test_a_checkpoint_from_before_there_were_other_optimisers_is_resumed(tmp_path):
    def make(params):
        return SGD(params, Steps(0.1, (2, 4)), momentum=0.9)

    whole = trained(make)
    model, optimizer, _, epochs = training(make, epochs=2)
    rng = stream(0, "batches")
    list(epochs)
    for _ in range(2):
        rng.permutation(len(TRAIN))
    arrays = {f"model/{name}": value for name, value in model.state_dict().items()}
    arrays["optimizer/velocity"] = optimizer.state_dict()["velocity"]
    state = {"step_count": 2 * (50 // BATCH), "rng": generator_state(rng)}
    Checkpoint(2, arrays, state).write(tmp_path / "old.npz")
    resumed = trained(make, start=Checkpoint.read(tmp_path / "old.npz"))
    assert resumed == (whole[0], whole[1][2:])


def test_after_each_epoch_the_averaged_weights_are_in_place_with_statistics_of_their_own():
    model, optimizer, _, epochs = training(lambda p: SGDScheduleFree(p, 0.5))
    for record in epochs:
        assert evaluate(model, TRAIN).accuracy() == record["train"]
        weights = model.state_dict()
        update_bn([IMAGES[start : start + BATCH] for start in range(0, 48, BATCH)], model)
        for name in ("1.running_mean", "1.running_var"):
            # Dropout comes after batch norm here, so another pass has the same statistics.
            np.testing.assert_array_equal(model.state_dict()[name], weights[name])
        optimizer.train()
        assert not np.array_equal(model.state_dict()["0.weight"], weights["0.weight"])
        optimizer.eval()
    assert record["train"]["all"] > 0.8


def test_gradients_are_clipped_and_the_record_says_how_large_they_were():
    plain = trained(lambda p: SGD(p, 0.1))[1]
    loose = trained(lambda p: SGD(p, 0.1), max_grad_norm=1e6)[1]
    tight = trained(lambda p: SGD(p, 1.0), max_grad_norm=1e-3)
    assert [r["loss"] for r in loose] == [r["loss"] for r in plain]
    assert [r["grad_norm"] for r in loose] == pytest.approx([r["grad_norm"] for r in plain])
    assert tight[1][0]["grad_norm"] > 0.1
    start = training(lambda p: SGD(p, 1.0))[0].state_dict()["0.weight"]
    moved = np.frombuffer(tight[0]["model/0.weight"], np.float32).reshape(start.shape) - start
    assert 0 < np.linalg.norm(moved) <= EPOCHS * (50 // BATCH) * 1e-3


# Batch sizes over time


GROWING = Steps(4, (1, 3), gamma=3)


def test_a_batch_size_may_be_a_schedule():
    seen = []
    *_, epochs = training(lambda p: SGD(p, lambda t: seen.append(t) or 0.1), batch_size=GROWING)
    records = list(epochs)
    assert [record["batch_size"] for record in records] == [4, 12, 12, 36, 36]
    steps = [50 // 4, 50 // 12, 50 // 12, 1, 1]
    expected = [epoch + k / n for epoch, n in enumerate(steps) for k in range(n)]
    assert sorted({*seen}) == expected


def test_a_constant_schedule_of_batch_sizes_is_that_number():
    plain, scheduled = (
        trained(lambda p: SGD(p, Cosine(0.1, 5)), batch_size=size) for size in (8, Constant(8))
    )
    for record in scheduled[1]:
        assert record.pop("batch_size") == 8
        assert record.pop("lr") == pytest.approx(plain[1][record["epoch"] - 1].pop("lr"))
    assert [r["loss"] for r in scheduled[1]] == pytest.approx([r["loss"] for r in plain[1]])


def test_a_run_whose_batch_size_changes_is_resumed_bit_for_bit(tmp_path):
    def make(params):
        return SGD(params, Cosine(0.1, 5), 0.9)

    whole = trained(make, batch_size=GROWING)
    for done in (1, 2, 3, 4):
        with RunFolder(tmp_path / str(done), {}) as run:
            trained(make, run=run, epochs=done, batch_size=GROWING)
        with RunFolder(tmp_path / str(done), {}, resume=True) as run:
            assert trained(make, run=run, batch_size=GROWING) == whole


@pytest.mark.parametrize(
    ("size", "error", "message"),
    [
        (Ramp(8, 0, 4), ValueError, "fit: batch_size in epoch 5 is 0; keep it at 1 or more"),
        (Steps(8, (4,), gamma=10), ValueError, "batch_size 80 exceeds 50 examples; lower it"),
        (8.0, TypeError, "fit: batch_size must be an integer, got 8.0"),
    ],
)
def test_a_batch_size_that_cannot_be_is_refused_before_any_training(size, error, message):
    _, optimizer, _, epochs = training(lambda p: SGD(p, 0.1), batch_size=size)
    with pytest.raises(error, match=message):
        list(epochs)
    assert optimizer.step_count == 0
