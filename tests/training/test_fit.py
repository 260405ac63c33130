"""The training loop: what a record says, and that no interruption can be seen in the outcome."""

import os
import pickle
import subprocess
import sys

import numpy as np
import pytest

from minidecay import functions as F
from minidecay import nn
from minidecay.autograd import tensor
from minidecay.data import Compose, Normalize, RandomCrop, RandomHorizontalFlip, Split, batches
from minidecay.optim import SGD, Ramp, Steps
from minidecay.random import stream
from minidecay.training import Diverged, RunFolder, evaluate, fit
from minidecay.training.run_folder import Checkpoint

EPOCHS, BATCH, STEPS = 4, 8, 6  # 50 examples: an epoch drops its last two


def split(role, n):
    rng = stream(0, role)
    images = rng.standard_normal((n, 4, 4, 1), dtype=np.float32)
    every = np.arange(n)
    return Split(images, rng.integers(3, size=n), {"even": every % 2 == 0, "first": every < 7})


TRAIN, TEST = split("train", 50), split("test", 20)


def half_used():
    """A generator that holds half of a word it has drawn."""
    rng = stream(0, "batches")
    rng.integers(10, size=3, dtype=np.uint32)
    assert rng.bit_generator.state["has_uint32"]
    return rng


def training(lr=None, **options):
    """A network with all that a checkpoint must hold, its optimiser, and the epochs to come."""
    rng = stream(0, "init")
    network = nn.Sequential(
        nn.Flatten(),
        nn.Linear(16, 8, rng=rng),
        nn.BatchNorm1d(8),
        nn.ReLU(),
        nn.Dropout(0.3, rng=rng),
        nn.Linear(8, 3, rng=rng),
    )
    schedule = Steps(0.3, (2, 3)) if lr is None else lr
    optimizer = SGD(network.parameters(), schedule, momentum=0.9, weight_decay=1e-3)
    options = {"epochs": EPOCHS, "batch_size": BATCH, "test": TEST, "rng": half_used()} | options
    return network, optimizer, fit(network, optimizer, options.pop("train", TRAIN), **options)


def timeless(records):
    return [
        {k: v for k, v in record.items() if k not in ("seconds", "examples_per_second")}
        for record in records
    ]


def outcome(network, optimizer, records):
    """All that two equal trainings must share, bit for bit."""
    moving = optimizer.state_dict()
    arrays = {**network.state_dict(), "velocity": moving["velocity"]}
    return (
        {name: array.tobytes() for name, array in arrays.items()},
        moving["step_count"],
        timeless(records),
    )


def trained(*, lr=None, **options):
    network, optimizer, epochs = training(lr, **options)
    return outcome(network, optimizer, list(epochs))


def test_a_record_holds_the_epoch_as_a_loop_written_by_hand_sees_it():
    schedule = Ramp(0.01, 0.2, 3)
    network, _, epochs = training(schedule)
    twin, twins_optimizer, _ = training(schedule)
    twins_optimizer.steps_per_epoch = STEPS
    rng = half_used()
    for epoch, record in enumerate(epochs, 1):
        losses, norms = [], []
        twin.train()
        for images, labels in batches(TRAIN, BATCH, rng):
            twins_optimizer.zero_grad()
            loss = F.cross_entropy(twin(tensor(images)), labels)
            loss.backward()
            twins_optimizer.step()
            losses.append(loss.item())
            gradients = np.concatenate([p.grad.numpy().ravel() for p in twin.parameters()])
            norms.append(np.linalg.norm(gradients.astype(np.float64)))
        weights = np.concatenate([p.numpy().ravel() for p in twin.parameters()])
        assert len(losses) == STEPS
        assert record["epoch"] == epoch
        assert record["lr"] == schedule((STEPS * epoch - 1) / STEPS)  # of its last update
        assert record["loss"] == pytest.approx(np.mean(losses), rel=1e-9)
        assert record["grad_norm"] == pytest.approx(np.mean(norms), rel=1e-5)
        assert record["weight_norm"] == pytest.approx(np.linalg.norm(weights), rel=1e-5)
        twin.eval()
        for name, data in (("train", TRAIN), ("test", TEST)):
            logits = twin(tensor(data.images))
            right = logits.numpy().argmax(axis=1) == data.labels
            losses = F.cross_entropy(logits, data.labels, reduction="none").numpy()
            parts = {**data.subsets, "all": np.ones(len(data), bool)}
            assert record[name] == {k: right[mask].mean() for k, mask in parts.items()}
            means = {k: losses[mask].mean() for k, mask in parts.items()}
            assert record[f"{name}_loss"] == pytest.approx(means, rel=1e-5)
    assert epoch == EPOCHS
    assert network.state_dict()["1.weight"].tobytes() == twin.state_dict()["1.weight"].tobytes()


def test_a_record_tells_how_long_an_epoch_took_and_how_fast_it_trained():
    record = next(training()[2])
    trained = STEPS * BATCH / record["examples_per_second"]  # seconds, without the evaluation
    assert 0 < trained < record["seconds"]


def test_records_are_plain_numbers():
    for record in training()[2]:
        numbers = [record.pop(name) for name in ("train", "train_loss", "test", "test_loss")]
        for number in (*record.values(), *(n for part in numbers for n in part.values())):
            assert type(number) in (int, float)


def test_without_a_test_set_records_hold_none_and_training_is_the_same():
    with_test, without = (list(training(test=test)[2]) for test in (TEST, None))
    for record in with_test:
        del record["test"], record["test_loss"]
    assert timeless(with_test) == timeless(without)


def test_training_repeats_bit_for_bit():
    assert trained() == trained()


def interrupt(optimizer, step):
    """Have the optimiser meet a Ctrl-C at its `step`-th update from now."""
    update, left = optimizer.update, iter(range(step))

    def interrupted(*args):
        if next(left, None) is None:
            raise KeyboardInterrupt
        update(*args)

    optimizer.update = interrupted  # which a replayed step calls, too


@pytest.mark.parametrize("step", range(0, EPOCHS * STEPS, 3))
def test_a_run_interrupted_at_any_step_ends_as_one_that_was_not(tmp_path, step):
    whole = trained()
    with RunFolder(tmp_path, {}) as run:
        _, optimizer, epochs = training(run=run)
        interrupt(optimizer, step)
        with pytest.raises(KeyboardInterrupt):
            list(epochs)
    with RunFolder(tmp_path, {}, resume=True) as run:
        assert [record["epoch"] for record in run.records()] == [*range(1, step // STEPS + 1)]
        assert trained(run=run) == whole
        assert timeless(run.records()) == whole[2]


@pytest.mark.parametrize("before", ["append", "save_checkpoint"])
def test_a_run_interrupted_as_it_writes_an_epoch_down_loses_that_epoch_alone(
    tmp_path, monkeypatch, before
):
    with RunFolder(tmp_path, {}) as run:
        *_, epochs = training(run=run)
        next(epochs)
        with monkeypatch.context() as patch, pytest.raises(KeyboardInterrupt):
            patch.setattr(run, before, interrupted)
            next(epochs)
    with RunFolder(tmp_path, {}, resume=True) as run:
        assert len(run.records()) == run.load_checkpoint().epoch == 1
        assert trained(run=run) == trained()


def interrupted(*_, **__):
    raise KeyboardInterrupt


def train_in(path, epochs):
    """What another process does to a run, whose setting is not the same."""
    with RunFolder(path, {}, resume=True) as run:
        list(training(run=run, epochs=epochs)[2])


def test_a_run_goes_on_in_another_process(tmp_path):
    train_in(tmp_path, 2)
    subprocess.run(
        [sys.executable, "-c", f"import test_fit; test_fit.train_in({str(tmp_path)!r}, 3)"],
        env=os.environ | {"PYTHONPATH": os.pathsep.join(sys.path)},
        check=True,
    )
    with RunFolder(tmp_path, {}, resume=True) as run:
        assert [record["epoch"] for record in run.records()] == [1, 2, 3]
        assert trained(run=run) == trained()


def test_a_run_at_its_end_yields_its_records_restores_its_network_and_trains_no_more(tmp_path):
    with RunFolder(tmp_path, {}) as run:
        whole = trained(run=run)
        network, optimizer, epochs = training(run=run)
        interrupt(optimizer, 0)
        assert outcome(network, optimizer, list(epochs)) == whole
        assert timeless(run.records()) == whole[2]


def test_a_run_that_forks_from_a_kept_checkpoint_ends_as_if_trained_straight_through(tmp_path):
    whole = trained()
    with RunFolder(tmp_path / "parent", {}) as parent:
        assert trained(run=parent, keep={1, 3}) == whole
        start = parent.load_checkpoint("epoch-1")
        assert parent.load_checkpoint("epoch-3").epoch == 3
        assert parent.load_checkpoint("epoch-2") is None
    assert start.epoch == 1
    assert trained(start=start)[2] == whole[2][1:]
    with RunFolder(tmp_path / "child", {}) as child:
        _, optimizer, epochs = training(run=child, start=start)
        interrupt(optimizer, 2 * STEPS)
        with pytest.raises(KeyboardInterrupt):
            list(epochs)
        assert child.load_checkpoint().epoch == 3
        assert trained(run=child, start=start)[:2] == whole[:2]


def test_a_fork_yields_the_records_it_was_given_before_its_own(tmp_path):
    with RunFolder(tmp_path / "parent", {}) as parent:
        first = list(training(run=parent, keep=[2])[2])[:2]
        start = parent.load_checkpoint("epoch-2")
    with RunFolder(tmp_path / "child", {}) as child:
        for record in first:
            child.append(record)
        records = list(training(0.5, run=child, start=start)[2])
    assert records[:2] == first
    assert [record["lr"] for record in records] == [0.3, 0.3, 0.5, 0.5]


def test_predictions_margins_and_losses_of_every_epoch_are_kept_where_asked(tmp_path):
    with RunFolder(tmp_path, {}) as run:
        network, _, epochs = training(run=run, per_example=True)
        records = list(epochs)
        arrays = run.load_arrays()
    assert arrays.pop("epoch").tolist() == [1, 2, 3, 4]
    assert {name: (array.dtype.name, array.shape) for name, array in arrays.items()} == {
        "train_predictions": ("int16", (EPOCHS, 50)),
        "train_margins": ("float32", (EPOCHS, 50)),
        "train_losses": ("float32", (EPOCHS, 50)),
        "test_predictions": ("int16", (EPOCHS, 20)),
        "test_margins": ("float32", (EPOCHS, 20)),
        "test_losses": ("float32", (EPOCHS, 20)),
    }
    for name, data in (("train", TRAIN), ("test", TEST)):
        right = arrays[f"{name}_predictions"] == data.labels
        assert right.mean(axis=1).tolist() == [record[name]["all"] for record in records]
        assert np.array_equal(right, arrays[f"{name}_margins"] > 0)
        last = evaluate(network, data)
        assert np.array_equal(last.margins, arrays[f"{name}_margins"][-1])
        assert np.array_equal(last.losses, arrays[f"{name}_losses"][-1])


@pytest.mark.parametrize("torn", ["save_arrays", "append", "save_checkpoint"])
@pytest.mark.parametrize("forked", [False, True])
def test_what_is_kept_of_examples_goes_on_after_an_interruption(
    tmp_path, monkeypatch, torn, forked
):
    start = None
    if forked:
        with RunFolder(tmp_path / "parent", {}) as parent:
            list(training(run=parent, keep=[1])[2])
            start = parent.load_checkpoint("epoch-1")
    with RunFolder(tmp_path / "whole", {}) as run:
        list(training(run=run, start=start, per_example=True)[2])
        whole = run.load_arrays()
    with RunFolder(tmp_path / "torn", {}) as run:
        *_, epochs = training(run=run, start=start, per_example=True)
        next(epochs)
        with monkeypatch.context() as patch, pytest.raises(KeyboardInterrupt):
            patch.setattr(run, torn, interrupted)
            next(epochs)
    with RunFolder(tmp_path / "torn", {}, resume=True) as run:
        list(training(run=run, start=start, per_example=True)[2])
        arrays = run.load_arrays()
    assert arrays.keys() == whole.keys()
    assert all(np.array_equal(arrays[name], whole[name]) for name in whole)


AUGMENT = Compose([RandomCrop(4, padding=1), RandomHorizontalFlip(), Normalize([0.1], [2.0])])


@pytest.mark.parametrize("step", [0, 2, STEPS, 2 * STEPS + 3])
def test_a_run_with_random_transforms_goes_on_bit_for_bit(tmp_path, step):
    whole = trained(transform=AUGMENT)
    assert whole == trained(transform=AUGMENT) != trained()
    with RunFolder(tmp_path, {}) as run:
        _, optimizer, epochs = training(run=run, transform=AUGMENT)
        interrupt(optimizer, step)
        with pytest.raises(KeyboardInterrupt):
            list(epochs)
    with RunFolder(tmp_path, {}, resume=True) as run:
        assert trained(run=run, transform=AUGMENT) == whole


def test_chance_is_for_training_and_what_is_not_random_for_evaluation_too():
    seen = []

    def watched(images, rng):
        seen.append((rng is not None, len(images)))
        return AUGMENT(images, rng)

    network, _, epochs = training(transform=watched)
    record = next(epochs)
    assert seen == [(True, BATCH)] * STEPS + [(False, len(TRAIN)), (False, len(TEST))]
    normal = Split(Normalize([0.1], [2.0])(TEST.images), TEST.labels, TEST.subsets)
    assert record["test_loss"] == evaluate(network, normal).loss()


def test_a_loss_that_is_not_finite_ends_training_and_keeps_the_record(tmp_path):
    with RunFolder(tmp_path, {}) as run:
        rates = Steps(0.1, (1,), gamma=1e30)
        *_, epochs = training(rates, run=run, label="seed 3, decay")
        with pytest.raises(Diverged) as told:
            list(epochs)
        assert [record["epoch"] for record in run.records()] == [1]
        assert run.load_checkpoint().epoch == 1
    record = told.value.record
    assert (record["epoch"], record["lr"]) == (2, pytest.approx(1e29))
    assert 1 <= record["step"] < STEPS and not np.isfinite(record["loss"])
    message = str(told.value)
    assert message.startswith(f"seed 3, decay: the loss became {record['loss']} in epoch 2, step ")
    assert "at lr 1e+29; lower the rate" in message and "\n" not in message


def test_an_error_without_a_label_names_the_operation():
    with pytest.raises(Diverged, match=r"^fit: the loss became"):
        list(training(1e30)[2])


def test_weights_that_the_last_step_broke_are_not_passed_for_a_trained_network(tmp_path):
    one_step = {"batch_size": 50, "epochs": 1}
    with RunFolder(tmp_path, {}) as run, pytest.raises(Diverged) as told:
        list(training(1e30, run=run, **one_step)[2])
    assert (told.value.record["epoch"], told.value.record["step"]) == (1, 1)
    assert run.records() == [] and run.load_checkpoint() is None


def test_divergence_survives_the_way_out_of_a_worker_process():
    told = Diverged({"epoch": 2, "step": 5, "lr": 0.3, "loss": float("inf")}, "seed 1")
    back = pickle.loads(pickle.dumps(told))
    assert (str(back), back.record, back.label) == (str(told), told.record, "seed 1")


@pytest.mark.parametrize(
    ("options", "error", "message"),
    [
        ({"epochs": 0}, ValueError, "fit: epochs must be at least 1, got 0"),
        ({"epochs": 2.5}, TypeError, "fit: epochs must be an integer, got 2.5"),
        ({"batch_size": 0}, ValueError, "fit: batch_size must be at least 1, got 0"),
        ({"batch_size": 51}, ValueError, "fit: batch_size 51 exceeds 50 examples; lower it"),
        ({"per_example": True}, ValueError, "keep and per_example want a folder .*; pass run"),
        ({"keep": {2}}, ValueError, "keep and per_example want a folder .*; pass run"),
        ({"rng": 0}, TypeError, r"rng must be a numpy.random.Generator, got int; pass"),
    ],
)
def test_wrong_arguments_are_refused_in_a_line(options, error, message):
    with pytest.raises(error, match=message) as told:
        list(training(**options)[2])
    assert "\n" not in str(told.value)


def test_an_optimiser_that_counts_other_epochs_is_refused():
    _, optimizer, epochs = training()
    optimizer.steps_per_epoch = 5
    with pytest.raises(ValueError, match=r"has 6 steps \(50 // 8\), but the optimiser counts 5;"):
        list(epochs)


def test_an_optimiser_of_another_network_is_refused():
    (network, _, _), (_, other, _) = training(), training()
    epochs = fit(network, other, TRAIN, epochs=1, batch_size=BATCH, rng=half_used())
    with pytest.raises(ValueError, match="holds no parameter of the model; give it those"):
        next(epochs)


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"train": (TRAIN.images, TRAIN.labels)}, r"fit: train is of type tuple; make it data.Spl"),
        ({"test": (TRAIN.images, TRAIN.labels)}, r"fit: test is of type tuple; make it data.Split"),
        ({"run": "runs/first"}, r"fit: run is of type str; open a RunFolder\(path, config\)"),
    ],
)
def test_what_is_no_split_or_run_is_refused_in_a_line(options, message):
    with pytest.raises(TypeError, match=message):
        next(training(**options)[2])


def test_a_generator_that_no_checkpoint_can_hold_is_refused_before_any_training(tmp_path):
    twister = np.random.Generator(np.random.MT19937(0))
    with RunFolder(tmp_path, {}) as run:
        _, optimizer, epochs = training(run=run, rng=twister)
        with pytest.raises(ValueError, match="unknown bit generator 'MT19937'; choose one of"):
            list(epochs)
        assert optimizer.step_count == 0
    assert len(list(training(rng=twister)[2])) == EPOCHS


@pytest.mark.parametrize(
    ("images", "labels", "error", "message"),
    [
        (TRAIN.images[:, :3], TRAIN.labels, ValueError, r"has 12 features, .* expects 16"),
        (TRAIN.images, TRAIN.labels + 1, ValueError, "labels run from 1 to 3, outside of 0 to 2"),
        (TRAIN.images.astype(float), TRAIN.labels, TypeError, "float64 and float32 differ"),
    ],
)
def test_data_that_the_network_cannot_take_is_refused_in_a_line(images, labels, error, message):
    with pytest.raises(error, match=message) as told:
        list(training(train=Split(images, labels), batch_size=50)[2])
    assert "\n" not in str(told.value)


def test_images_with_nan_never_get_as_far_as_training():
    images = TRAIN.images.copy()
    images[4, 0, 0, 0] = np.nan
    with pytest.raises(ValueError, match="image 4 holds NaN or infinity; repair or remove it"):
        Split(images, TRAIN.labels)


def test_a_checkpoint_of_another_network_is_refused(tmp_path):
    Checkpoint(1, {"optimizer/velocity": np.zeros(3)}, {"step_count": 6}).write(tmp_path / "c.npz")
    with pytest.raises(ValueError, match=r"load_state_dict: missing 1\.bias"):
        list(training(start=Checkpoint.read(tmp_path / "c.npz"))[2])


@pytest.mark.parametrize("progress", [None, False])
def test_no_bar_is_drawn_where_standard_error_is_no_terminal_or_none_is_wanted(capsys, progress):
    list(training(progress=progress)[2])
    assert capsys.readouterr() == ("", "")


def test_a_bar_is_drawn_where_it_is_asked_for_and_counts_steps_from_where_the_run_stands(
    tmp_path, capsys
):
    with RunFolder(tmp_path, {}) as run:
        list(training(run=run, epochs=3)[2])
        list(training(run=run, progress=True, label="decay")[2])
    shown = capsys.readouterr().err
    assert "decay:  75%" in shown and f"{3 * STEPS}/{EPOCHS * STEPS}" in shown


def weighted(weights, **options):
    network, _, records = training(weights=weights, **options)
    return timeless(records), network.state_dict()


def test_weights_of_one_change_nothing_but_the_rounding():
    (plain, before), (same, after) = weighted(None), weighted(np.ones(len(TRAIN)))
    for name, values in before.items():
        np.testing.assert_allclose(after[name], values, rtol=2e-3, atol=2e-5)
    assert [r["loss"] for r in same] == pytest.approx([r["loss"] for r in plain], rel=1e-4)


def test_an_example_of_weight_nought_is_not_learned_from():
    wrong = Split(TRAIN.images, np.where(np.arange(50) < 25, TRAIN.labels, 2))
    right = np.where(np.arange(50) < 25, 1.0, 0.0)
    other = Split(TRAIN.images, np.where(np.arange(50) < 25, TRAIN.labels, 0))
    first, second = (weighted(right, train=split)[1] for split in (wrong, other))
    np.testing.assert_equal(first, second)


def test_a_weighted_run_that_was_cut_goes_on_bit_for_bit(tmp_path):
    weights = np.linspace(0, 2, len(TRAIN))
    with RunFolder(tmp_path / "cut", {}) as run:
        weighted(weights, run=run, epochs=2)
    outcomes = []
    for folder in ("cut", "whole"):
        with RunFolder(tmp_path / folder, {}, resume=True) as run:
            outcomes.append(weighted(weights, run=run))
    np.testing.assert_equal(outcomes[0], outcomes[1])


def test_weights_are_those_of_torch():
    torch = pytest.importorskip("torch")
    rng = stream(0, "init")
    network = nn.Sequential(nn.Flatten(), nn.Linear(16, 3, rng=rng))
    theirs = torch.nn.Linear(16, 3)
    with torch.no_grad():
        for mine, other in zip(network.parameters(), theirs.parameters(), strict=True):
            values = torch.from_numpy(mine.numpy().copy())
            other.copy_(values if values.shape == other.shape else values.T)
    weights = np.linspace(0.1, 3, len(TRAIN)).astype(np.float32)
    optimizer = SGD(network.parameters(), 0.1, momentum=0.9, weight_decay=1e-2)
    records = list(
        fit(
            *(network, optimizer, TRAIN),
            epochs=3,
            batch_size=8,
            weights=weights,
            rng=stream(0, "batches"),
        )
    )
    their = torch.optim.SGD(theirs.parameters(), 0.1, momentum=0.9, weight_decay=1e-2)
    numbered, order = Split(TRAIN.images, np.arange(len(TRAIN))), stream(0, "batches")
    for epoch in range(3):
        losses = []
        for images, which in batches(numbered, 8, order):
            their.zero_grad()
            logits = theirs(torch.from_numpy(images.reshape(8, 16)))
            each = torch.nn.functional.cross_entropy(
                logits, torch.from_numpy(TRAIN.labels[which]), reduction="none"
            )
            loss = (torch.from_numpy(weights[which]) * each).mean()
            loss.backward()
            their.step()
            losses.append(loss.item())
        assert records[epoch]["loss"] == pytest.approx(np.mean(losses), rel=1e-5)


@pytest.mark.parametrize(
    ("weights", "message"),
    [
        (np.ones(49), r"^fit: weights \(49,\) do not match 50 training examples; pass one number"),
        (1.0, r"^fit: weights \(\) do not match 50 training examples"),
        (np.full(50, -1.0), "^fit: weights must be finite and at least 0; repair those that are"),
        (np.full(50, np.nan), "^fit: weights must be finite and at least 0"),
    ],
)
def test_weights_that_are_none_are_refused(weights, message):
    with pytest.raises(ValueError, match=message):
        weighted(weights)
