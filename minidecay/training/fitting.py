"""The training loop: epochs of shuffled batches, a record of each, and a way back after a crash."""

import math
import time
from collections.abc import Callable, Collection, Iterable, Iterator, Mapping
from typing import Any

import numpy as np
from numpy.typing import ArrayLike

from minidecay.data import Split, batches
from minidecay.data.split import check_integer, check_split
from minidecay.data.transforms import Transform
from minidecay.nn import Module
from minidecay.nn.module import check_module
from minidecay.optim import AveragedModel, Optimizer, update_bn
from minidecay.random import generator_state
from minidecay.training.evaluation import Evaluation, evaluate
from minidecay.training.resuming import restore, save
from minidecay.training.run_folder import Checkpoint, RunFolder
from minidecay.training.stepping import Step

Record = dict[str, Any]


class Diverged(ArithmeticError):  # noqa: N818 (a state, as in StopIteration)
    """The loss is not finite. `record` says where: its epoch, step (from 0), lr and loss.

    A step as large as the epoch has steps means the loss over all training data after the epoch.

    >>> Diverged({"epoch": 2, "step": 5, "lr": 10.0, "loss": float("inf")}).record["step"]
    5
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
    optimizer: Optimizer,
    train: Split,
    *,
    epochs: int,
    batch_size: int | Callable[[float], float],
    rng: np.random.Generator,
    test: Split | None = None,
    weights: ArrayLike | None = None,
    transform: Transform | None = None,
    max_grad_norm: float | None = None,
    average: AveragedModel | None = None,
    run: RunFolder | None = None,
    start: Checkpoint | None = None,
    keep: Collection[int] = (),
    metrics: Callable[[int], Mapping[str, Any]] | None = None,
    per_example: bool = False,
    captured: bool | None = None,
    progress: bool | None = None,
    label: str = "",
) -> Iterator[Record]:
    """Train for `epochs` epochs, yielding a record after each.

    A record holds `epoch` (from 1), `lr` (of the epoch's last update), `loss` (the mean over the
    epoch's batches, nats), `train` and `test` (accuracy by subset and over all, in evaluation mode
    after the epoch), `train_loss` and `test_loss` (likewise), `grad_norm` (mean over the steps,
    before any clipping), `weight_norm`, `metrics` where there are any, `seconds` (all of it),
    `examples_per_second` (training alone), and `batch_size` where it changes.

    With `run`, records and checkpoints are written as they come, and a folder that holds some
    already goes on after its last checkpoint, bit for bit; its earlier records are yielded first.

    A rate that is a controller is told `loss` after each epoch. Where the optimiser evaluates other
    weights than it trains (SGDScheduleFree), these are in place after the epoch, with batch norm's
    statistics taken over the training data.

    Args:
        model, optimizer: `optimizer` holds the parameters of `model`.
        train, test: the data; `test` may be left out.
        weights: (N,) numbers of at least 0, one for each example of `train`: the loss of a batch of
            B is the sum of weight times loss over B, torch's `(weights * losses).mean()`. It is not
            divided by the sum of the weights, so that the pull of an example does not depend on
            which others share its batch; let them average 1 to keep the scale of the gradient.
            Of a record `loss` is weighted so, `train_loss` is not.
        epochs: in all, those of an interrupted run or of `start` included.
        batch_size: examples a step; an epoch's last, partial batch is dropped. A schedule, or any
            function of t in epochs, is asked as each epoch starts, and rounded.
        rng: where the order of the examples is drawn from, and the chance of `transform`.
        transform: what becomes of each batch of images, such as `data.RandomCrop(32, padding=4)`;
            evaluation passes it no generator, so that what is random in it stays out there.
        max_grad_norm: clip the gradients of each step to this norm, as `clip_grad_norm_` does.
        average: updated after its `start`: each step where it has a decay (EMA), else each epoch
            (SWA). It is saved and resumed; call `update_bn` before you evaluate it.
        run: an open folder for the record, or None.
        start: a checkpoint to begin from, where `run` holds none of its own.
        keep: epochs whose checkpoint is kept beside the latest, as `epoch-<n>`.
        metrics: called after each epoch with its number; what it returns, plain JSON, is the
            record's "metrics". It must leave the model's weights and modes as they are.
        per_example: have `run` keep every epoch's predictions, margins and losses
            (`arrays.npz`); its "epoch" says which epoch each row is of.
        captured: take each step by `md.capture`; by default where every module is the library's
            own. Pass True for modules of your own whose forward does the same at every step.
        progress: show a bar; by default where standard error is a terminal.
        label: what the bar is called, and errors.

    Raises:
        ValueError: the sizes do not fit: no epochs, more examples a batch than there are, or an
            optimiser that counts other epochs or holds no parameter of `model`. Or there is no
            `run` for what is to be kept, or no such weight for each example.
        TypeError: the data is no Split, `model` no Module, `optimizer` none, or `run` no RunFolder.
        Diverged: the loss is not finite, in training or after it. What was recorded before stays.

    >>> rng = np.random.default_rng(0)
    >>> train = md.data.from_arrays(rng.standard_normal((40, 5)), np.arange(40) % 2)
    >>> model = md.models.mlp(5, 8, 2, rng=rng)
    >>> optimizer = md.optim.SGD(model.parameters(), lr=0.1)
    >>> records = list(fit(model, optimizer, train, epochs=2, batch_size=8, rng=rng))
    >>> [record["epoch"] for record in records], list(records[0])[:4]
    ([1, 2], ['epoch', 'lr', 'loss', 'train'])
    """
    from tqdm import tqdm

    check_module("fit: model", model)
    if not isinstance(optimizer, Optimizer):
        raise TypeError(
            f"fit: optimizer is of type {type(optimizer).__name__}; give one of minidecay.optim"
        )
    epochs = check_integer("fit: epochs", epochs, 1)
    check_split("fit: train", train)
    if test is not None:
        check_split("fit: test", test)
    if run is not None and not isinstance(run, RunFolder):
        raise TypeError(f"fit: run is of type {type(run).__name__}; open a RunFolder(path, config)")
    if not {id(p) for p in model.parameters()} & {id(p) for p in optimizer.params}:
        raise ValueError("fit: the optimiser holds no parameter of the model; give it those")
    sizes = _batch_sizes(batch_size, epochs, len(train))
    if run is None and (per_example or keep):
        raise ValueError("fit: keep and per_example want a folder to write into; pass run")
    if run:
        generator_state(rng)  # one that no checkpoint can hold fails now, not an epoch later
    weighted = None if weights is None else _Weighted(train, weights)
    counts = [len(train) // size for size in sizes]  # of each epoch's steps
    if not callable(batch_size):  # else each epoch says how many steps it has
        _check_steps(optimizer, counts[0], f"{len(train)} // {batch_size}")
    checkpoint = (run.load_checkpoint() if run else None) or start
    first = 1
    if checkpoint is not None:
        rng = restore(checkpoint, model, optimizer, average)
        first = checkpoint.epoch + 1
    examples = _Examples(run, first - 1) if run and per_example else None
    step = Step(model, optimizer, max_grad_norm, captured)
    if run:
        yield from run.records()
    with tqdm(
        total=sum(counts),
        initial=sum(counts[: first - 1]),
        disable=None if progress is None else not progress,
        desc=label,
        unit="step",
        leave=False,
    ) as bar:
        for epoch in range(first, epochs + 1):
            began = time.perf_counter()
            size, steps = sizes[epoch - 1], counts[epoch - 1]
            if callable(batch_size):
                optimizer.start_epoch(epoch - 1, steps)
            averaging = average if average is not None and epoch > average.start else None
            with np.errstate(over="ignore", invalid="ignore"):  # Diverged says it better
                given: Iterable[tuple[np.ndarray, ...]]
                if weighted is None:
                    given = batches(train, size, rng, transform=transform)
                else:
                    given = weighted.batches(size, rng, transform)
                loss, grad_norm = _train_epoch(step, given, averaging, epoch, bar, label)
                trained = time.perf_counter()
                optimizer.observe(loss)
                optimizer.eval()
                if optimizer.averages:
                    update_bn(_in_order(train, size, transform), model)
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
            if metrics is not None:
                record["metrics"] = dict(metrics(epoch))
            record["seconds"] = time.perf_counter() - began
            record["examples_per_second"] = steps * size / (trained - began)
            if callable(batch_size):
                record["batch_size"] = size
            if run:
                if examples:
                    examples.add(epoch, on_train, on_test)
                run.append(record)
                if epoch in keep:
                    save(run, epoch, model, optimizer, average, rng, f"epoch-{epoch}")
                save(run, epoch, model, optimizer, average, rng)
            yield record


def _train_epoch(
    take_step: Step,
    given: Iterable[tuple[np.ndarray, ...]],
    average: AveragedModel | None,
    epoch: int,
    bar: Any,
    label: str,
) -> tuple[float, float]:
    """One pass over the batches given: the mean loss, and the mean norm of the gradient."""
    losses, norms = [], []
    take_step.model.train()
    take_step.optimizer.train()
    for step, batch in enumerate(given):
        losses.append(take_step(*batch))
        _check_finite(losses[-1], epoch, step, take_step.optimizer.last_lr, label)
        norms.append(take_step.grad_norm())
        if average is not None and average.decay is not None:
            average.update_parameters(take_step.model)
        bar.update()
    if average is not None and average.decay is None:
        average.update_parameters(take_step.model)
    return float(np.mean(losses)), float(np.mean(norms))


def _check_steps(optimizer: Optimizer, steps: int, division: str) -> None:
    """Tell the optimiser how many steps an epoch has, or hold it to what it was told."""
    if optimizer.steps_per_epoch is None:
        optimizer.steps_per_epoch = steps
    elif optimizer.steps_per_epoch != steps:
        raise ValueError(
            f"fit: an epoch has {steps} steps ({division}), but the optimiser "
            f"counts {optimizer.steps_per_epoch}; leave steps_per_epoch out"
        )


def _batch_sizes(given: int | Callable[[float], float], epochs: int, examples: int) -> list[int]:
    """The batch size of each epoch, all that it may be."""
    if callable(given):
        sizes = [round(given(t)) for t in range(epochs)]
        if min(sizes) < 1:
            epoch = sizes.index(min(sizes)) + 1
            raise ValueError(
                f"fit: batch_size in epoch {epoch} is {min(sizes)}; keep it at 1 or more"
            )
    else:
        sizes = [check_integer("fit: batch_size", given, 1)] * epochs
    if max(sizes) > examples:
        raise ValueError(f"fit: batch_size {max(sizes)} exceeds {examples} examples; lower it")
    return sizes


def _in_order(train: Split, batch_size: int, transform: Transform | None) -> Iterator[np.ndarray]:
    """Whole batches of the images in their order, which draws no random number."""
    for start in range(0, len(train) - batch_size + 1, batch_size):
        images = train.images[start : start + batch_size]
        yield images if transform is None else transform(images, None)


def _check_finite(loss: float, epoch: int, step: int, lr: float | None, label: str) -> None:
    if not math.isfinite(loss):
        raise Diverged({"epoch": epoch, "step": step, "lr": lr, "loss": loss}, label)


class _Weighted:
    """Training data with a weight for each example's loss."""

    def __init__(self, train: Split, weights: ArrayLike) -> None:
        self.weights = np.asarray(weights, np.float32)
        if self.weights.shape != (len(train),):
            raise ValueError(
                f"fit: weights {self.weights.shape} do not match {len(train)} training examples; "
                f"pass one number for each, shape ({len(train)},)"
            )
        if not (np.isfinite(self.weights) & (self.weights >= 0)).all():
            raise ValueError(
                "fit: weights must be finite and at least 0; repair those that are not"
            )
        self.labels = train.labels
        self.numbered = Split(train.images, np.arange(len(train)))

    def batches(
        self, size: int, rng: np.random.Generator, transform: Transform | None
    ) -> Iterator[tuple[np.ndarray, ...]]:
        """Those of `data.batches`, and the weights of each."""
        given = batches(self.numbered, size, rng, transform=transform)
        return ((images, self.labels[which], self.weights[which]) for images, which in given)


class _Examples:
    """Every epoch's predictions, margins and losses, (epochs, examples), in arrays.npz."""

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
                new[f"{split}_losses"] = seen.losses
        for name, row in new.items():
            self.rows.setdefault(name, []).append(row)
        self.run.save_arrays(**{name: np.stack(rows) for name, rows in self.rows.items()})
