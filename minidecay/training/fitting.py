"""The training loop: epochs of shuffled batches, a record of each, and a way back after a crash."""

import math
import time
from collections.abc import Collection, Iterable, Iterator
from typing import Any

import numpy as np

from minidecay import functions as F
from minidecay.autograd import Tensor, from_numpy
from minidecay.data import Split, batches
from minidecay.data.split import check_integer
from minidecay.data.transforms import Transform
from minidecay.nn import Module
from minidecay.optim import SGD
from minidecay.plan import Captured, capture
from minidecay.random import generator_state, restore_generator
from minidecay.training.evaluation import Evaluation, check_split, evaluate
from minidecay.training.run_folder import LATEST, Checkpoint, RunFolder

Record = dict[str, Any]


class Diverged(ArithmeticError):  # noqa: N818 (a state, as in StopIteration)
    """The loss is not finite. `record` says where: its epoch, step (from 0), lr and loss.

    A step as large as the epoch has steps means the loss over all training data after the epoch.
    """

    def __init__(self, record: Record, label: str = "") -> None:
        self.record, self.label = record, label
        super().__init__(
            "{}: the loss became {loss} in epoch {epoch}, step {step}, at lr {lr:g}; lower the "
            "rate or warm it up (earlier epochs are recorded)".format(label or "fit", **record)
        )

    def __reduce__(self) -> tuple[type["Diverged"], tuple[Record, str]]:
        return Diverged, (self.record, self.label)  # so that it leaves a worker process whole


def fit(
    model: Module,
    optimizer: SGD,
    train: Split,
    *,
    epochs: int,
    batch_size: int,
    rng: np.random.Generator,
    test: Split | None = None,
    transform: Transform | None = None,
    run: RunFolder | None = None,
    start: Checkpoint | None = None,
    keep: Collection[int] = (),
    per_example: bool = False,
    progress: bool | None = None,
    label: str = "",
) -> Iterator[Record]:
    """Train for `epochs` epochs, yielding a record after each.

    A record holds `epoch` (from 1), `lr` (of the epoch's last update), `loss` (the mean over the
    epoch's batches, nats), `train` and `test` (accuracy by subset and over all, in evaluation mode
    after the epoch), `train_loss` and `test_loss` (likewise), `grad_norm` (mean over the steps),
    `weight_norm`, `seconds` (training and evaluation), `examples_per_second` (training alone).

    With `run`, records and checkpoints are written as they come, and a folder that holds some
    already goes on after its last checkpoint, bit for bit; its earlier records are yielded first.

    Args:
        model, optimizer: `optimizer` holds the parameters of `model`.
        train, test: the data; `test` may be left out.
        epochs: in all, those of an interrupted run or of `start` included.
        batch_size: examples a step; an epoch's last, partial batch is dropped.
        rng: where the order of the examples is drawn from, and the chance of `transform`.
        transform: what becomes of each batch of images, such as `data.RandomCrop(32, padding=4)`;
            evaluation passes it no generator, so that what is random in it stays out there.
        run: an open folder for the record, or None.
        start: a checkpoint to begin from, where `run` holds none of its own.
        keep: epochs whose checkpoint is kept beside the latest, as `epoch-<n>`.
        per_example: have `run` keep every epoch's predictions and margins (`arrays.npz`); its
            "epoch" says which epoch each row is of.
        progress: show a bar; by default where standard error is a terminal.
        label: what the bar is called, and errors.

    Raises:
        ValueError: the sizes do not fit: no epochs, more examples a batch than there are, or an
            optimiser that counts other epochs or holds no parameter of `model`. Or there is no
            `run` for what is to be kept.
        TypeError: the data is no Split, or `run` no RunFolder.
        Diverged: the loss is not finite, in training or after it. What was recorded before stays.
    """
    from tqdm import tqdm

    epochs = check_integer("fit: epochs", epochs, 1)
    batch_size = check_integer("fit: batch_size", batch_size, 1)
    check_split("fit: train", train)
    if test is not None:
        check_split("fit: test", test)
    if run is not None and not isinstance(run, RunFolder):
        raise TypeError(f"fit: run is of type {type(run).__name__}; open a RunFolder(path, config)")
    if not {id(p) for p in model.parameters()} & {id(p) for p in optimizer.params}:
        raise ValueError("fit: the optimiser holds no parameter of the model; give it those")
    if batch_size > len(train):
        raise ValueError(f"fit: batch_size {batch_size} exceeds {len(train)} examples; lower it")
    if run is None and (per_example or keep):
        raise ValueError("fit: keep and per_example want a folder to write into; pass run")
    if run:
        generator_state(rng)  # one that no checkpoint can hold fails now, not an epoch later
    steps = len(train) // batch_size
    if optimizer.steps_per_epoch is None:
        optimizer.steps_per_epoch = steps
    elif optimizer.steps_per_epoch != steps:
        raise ValueError(
            f"fit: an epoch has {steps} steps ({len(train)} // {batch_size}), but the optimiser "
            f"counts {optimizer.steps_per_epoch}; leave steps_per_epoch out"
        )
    checkpoint = (run.load_checkpoint() if run else None) or start
    first = 1
    if checkpoint is not None:
        rng = _restore(checkpoint, model, optimizer)
        first = checkpoint.epoch + 1
    examples = _Examples(run, first - 1) if run and per_example else None
    step = _step(model, optimizer)
    if run:
        yield from run.records()
    with tqdm(
        total=steps * epochs,
        initial=steps * (first - 1),
        disable=None if progress is None else not progress,
        desc=label,
        unit="step",
        leave=False,
    ) as bar:
        for epoch in range(first, epochs + 1):
            began = time.perf_counter()
            epoch_batches = batches(train, batch_size, rng, transform=transform)
            with np.errstate(over="ignore", invalid="ignore"):  # Diverged says it better
                loss, grad_norm = _train_epoch(
                    step, model, optimizer, epoch_batches, epoch, bar, label
                )
                trained = time.perf_counter()
                on_train = evaluate(model, train, transform=transform)
                on_test = None if test is None else evaluate(model, test, transform=transform)
                _check_finite(on_train.loss()["all"], epoch, steps, optimizer.last_lr, label)
            record: Record = {
                "epoch": epoch,
                "lr": optimizer.last_lr,
                "loss": loss,
                "train": on_train.accuracy(),
                "train_loss": on_train.loss(),
                "grad_norm": grad_norm,
                "weight_norm": optimizer.weight_norm(),
            }
            if on_test is not None:
                record |= {"test": on_test.accuracy(), "test_loss": on_test.loss()}
            record["seconds"] = time.perf_counter() - began
            record["examples_per_second"] = steps * batch_size / (trained - began)
            if run:
                if examples:
                    examples.add(epoch, on_train, on_test)
                run.append(record)
                if epoch in keep:
                    _save(run, epoch, model, optimizer, rng, f"epoch-{epoch}")
                _save(run, epoch, model, optimizer, rng)
            yield record


def _step(model: Module, optimizer: SGD) -> Captured:
    """One step of training, from a batch to its loss."""
    device = model.device

    def step(images: np.ndarray, labels: np.ndarray) -> Tensor:
        optimizer.zero_grad()
        loss = F.cross_entropy(model(from_numpy(images, device)), labels)
        loss.backward()
        optimizer.step()
        return loss

    return capture(step)


def _train_epoch(
    take_step: Captured,
    model: Module,
    optimizer: SGD,
    epoch_batches: Iterable[tuple[np.ndarray, np.ndarray]],
    epoch: int,
    bar: Any,
    label: str,
) -> tuple[float, float]:
    """One pass over the data: the mean loss, and the mean norm of the gradient."""
    losses, norms = [], []
    model.train()
    for step, (images, labels) in enumerate(epoch_batches):
        losses.append(float(take_step(images, labels).item()))
        _check_finite(losses[-1], epoch, step, optimizer.last_lr, label)
        norms.append(optimizer.grad_norm())
        bar.update()
    return float(np.mean(losses)), float(np.mean(norms))


def _check_finite(loss: float, epoch: int, step: int, lr: float | None, label: str) -> None:
    if not math.isfinite(loss):
        raise Diverged({"epoch": epoch, "step": step, "lr": lr, "loss": loss}, label)


def _save(
    run: RunFolder,
    epoch: int,
    model: Module,
    optimizer: SGD,
    rng: np.random.Generator,
    name: str = LATEST,
) -> None:
    moving = optimizer.state_dict()
    arrays = {f"model/{name}": value for name, value in model.state_dict().items()}
    arrays["optimizer/velocity"] = moving["velocity"]
    state = {"step_count": moving["step_count"], "rng": generator_state(rng)}
    run.save_checkpoint(epoch, arrays, state, name)


def _restore(checkpoint: Checkpoint, model: Module, optimizer: SGD) -> np.random.Generator:
    """Put model and optimiser back where the checkpoint stood; returns the batches' generator."""
    arrays, state = checkpoint.arrays, checkpoint.state
    prefix = "model/"
    weights = {k.removeprefix(prefix): v for k, v in arrays.items() if k.startswith(prefix)}
    model.load_state_dict(weights)
    optimizer.load_state_dict(
        {"step_count": state["step_count"], "velocity": arrays["optimizer/velocity"]}
    )
    return restore_generator(state["rng"])


class _Examples:
    """Every epoch's predictions and margins, (epochs, examples), kept in the run's arrays.npz."""

    def __init__(self, run: RunFolder, done: int) -> None:
        self.run, kept = run, run.load_arrays()
        whole = kept.get("epoch", np.empty(0)) <= done  # a killed run may have kept one more
        self.rows = {name: list(rows[whole]) for name, rows in kept.items()}

    def add(self, epoch: int, train: Evaluation, test: Evaluation | None) -> None:
        new: dict[str, Any] = {"epoch": epoch}
        for split, seen in (("train", train), ("test", test)):
            if seen is not None:
                new[f"{split}_predictions"] = seen.predictions.astype(np.int16)
                new[f"{split}_margins"] = seen.margins
        for name, row in new.items():
            self.rows.setdefault(name, []).append(row)
        self.run.save_arrays(**{name: np.stack(rows) for name, rows in self.rows.items()})
