"""Arms: networks that begin alike and differ in how they are trained, a folder of records each."""

import dataclasses
import math
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from functools import cached_property
from pathlib import Path
from typing import Any, Protocol, Self, TypeAlias

import numpy as np
from numpy.typing import NDArray

from minidecay import models
from minidecay.data import PatternSet, Split
from minidecay.files import BrokenFileError
from minidecay.lab.machinery.examples import kept_rows
from minidecay.lab.machinery.workers import epoch_done, run_tasks
from minidecay.nn import Module
from minidecay.optim import SGD, Schedule
from minidecay.optim.controllers import Controller
from minidecay.random import stream
from minidecay.training import RunFolder, RunFolderError, evaluate, fit
from minidecay.training.run_folder import Checkpoint

Record: TypeAlias = dict[str, Any]
Arms: TypeAlias = dict[str, list[Record]]  # of one seed: each arm's records, epoch 1 first
Metrics: TypeAlias = Callable[[int], Mapping[str, Any]]  # what a record gets besides, of an epoch


class Data(Protocol):
    """Where training and test examples come from, such as a PatternSet."""

    @property
    def train(self) -> Split: ...
    @property
    def test(self) -> Split: ...


@dataclass(frozen=True)
class Arm:
    """How one network is trained.

    Attributes:
        changes: what of the settings is different for it, by name, such as {"batch_size": 256}.
        fork: ("decay", 10) where it begins with the first 10 epochs of the arm `decay`.
        every_seed: False where it only stands beside the others, on the first seed alone.
    """

    schedule: Schedule | Controller
    momentum: float = 0.9
    weight_decay: float = 3e-3
    changes: Mapping[str, Any] = field(default_factory=dict)
    fork: tuple[str, int] | None = None
    every_seed: bool = True

    @property
    def shared(self) -> int:
        """How many of its epochs it takes from another arm."""
        return self.fork[1] if self.fork else 0


@dataclass(frozen=True)
class Settings:
    """What decides the numbers of an experiment, but for the seed; by default on pattern sets.

    Attributes:
        wrn: depth and width of the wide residual network.
        per_example: keep every epoch's predictions, margins and losses, for `Trained.arrays`.
    """

    scale: str = "demo"
    model: str = "mlp"
    device: str = "cpu"
    n_train: int = 20_000
    n_test: int = 2_000
    tiers: tuple[int, ...] = (10, 100)
    classes: int = 10
    noise_fraction: float = 0.1
    size: int = 8
    width: int = 256
    wrn: tuple[int, int] = (10, 1)
    batch_size: int = 64
    epochs: int = 18
    per_example: bool = False

    def arms(self) -> dict[str, Arm]:
        """The arms by name; one that forks stands after the one it forks from."""
        raise NotImplementedError

    def of(self, arm: Arm) -> Self:
        """These settings with an arm's changes."""
        return dataclasses.replace(self, **arm.changes)

    def data(self, seed: int) -> Data:
        """What is learned and tested on."""
        return PatternSet(
            self.n_train,
            self.n_test,
            classes=self.classes,
            tiers=self.tiers,
            size=self.size,
            noise_fraction=self.noise_fraction,
            seed=seed,
        )

    @property
    def image(self) -> tuple[int, int, int]:
        """The shape of an image."""
        return self.size, self.size, 3

    def network(self, seed: int) -> Module:
        """The network before its first step, the same for every arm."""
        rng = stream(seed, "init")
        if self.model == "cnn":
            cnn = models.small_cnn(size=self.size, classes=self.classes, rng=rng)
            return cnn.to(self.device)
        if self.model == "wrn":
            return models.wide_resnet(*self.wrn, classes=self.classes, rng=rng).to(self.device)
        widths = (math.prod(self.image), self.width, self.width, self.classes)
        return models.mlp(*widths, batch_norm=True, rng=rng).to(self.device)

    def weights(self, data: Data) -> NDArray[Any] | None:
        """A weight for the loss of each training example, as `fit` takes them."""
        return None

    def metrics(self, network: Module, data: Data, seed: int) -> Metrics | None:
        """What to measure of the network after each epoch, to be kept in its record."""
        return None


@dataclass(frozen=True)
class Trained(Mapping[str, "list[Record]"]):
    """What one seed's training left: the records of each arm by name, and where they lie."""

    settings: Settings
    seed: int
    arms: Arms
    folder: Path

    def __getitem__(self, arm: str) -> list[Record]:
        return self.arms[arm]

    def __iter__(self) -> Iterator[str]:
        return iter(self.arms)

    def __len__(self) -> int:
        return len(self.arms)

    def accuracy(self, arm: str, epoch: int, split: str, subset: str) -> float:
        """Of an arm after an epoch (-1: the last), on a subset of "train" or "test"."""
        records = self.arms[arm]
        return float(records[epoch if epoch < 0 else epoch - 1][split][subset])

    def arrays(self, arm: str) -> dict[str, NDArray[Any]]:
        """What `fit(per_example=True)` kept of it, epoch 1 first: rows of (epochs, examples).

        An arm that forks has kept its own epochs alone; those it shares are read where they lie.
        RunFolderError where a row is missing or the file is damaged.
        """
        made = self.settings.arms()[arm]
        epochs = range(made.shared + 1, self.settings.of(made).epochs + 1)
        own = kept_rows(self.folder / arm, epochs)
        if made.fork is None:
            return own
        before = self.arrays(made.fork[0])
        return {name: np.concatenate([before[name][: made.shared], own[name]]) for name in own}

    @cached_property
    def data(self) -> Data:
        """The data, made once more."""
        return self.settings.data(self.seed)


def train_arms(
    settings: Settings, seeds: Sequence[int], folder: Path, workers: int, label: str
) -> dict[int, Trained]:
    """Every arm of its seeds, over worker processes; what `folder` holds already is only read."""
    planned = plan(settings, seeds)
    folders = {seed: folder / f"seed-{seed}" for seed in seeds}
    tasks = [(settings, seed, names, folders[seed]) for seed, names in planned]
    epochs = epochs_to_train(settings, seeds)
    done = run_tasks(train_seed, tasks, workers, epochs=epochs, label=label)
    runs: dict[int, Arms] = {seed: {} for seed in seeds}
    for (seed, _), trained in zip(planned, done, strict=True):
        runs[seed] |= trained
    return {
        seed: Trained(
            settings,
            seed,
            {name: arms[name] for name in settings.arms() if name in arms},
            folders[seed],
        )
        for seed, arms in runs.items()
    }


def plan(settings: Settings, seeds: Sequence[int]) -> list[tuple[int, list[str]]]:
    """The tasks, a seed and its arms: those that fork go with their origin; the longest first."""
    arms = settings.arms()
    together = [
        [name, *(other for other, arm in arms.items() if arm.fork and arm.fork[0] == name)]
        for name, arm in arms.items()
        if arm.fork is None
    ]
    return [
        (seed, names)
        for names in sorted(together, key=len, reverse=True)
        for seed in (seeds if arms[names[0]].every_seed else seeds[:1])
    ]


def epochs_to_train(settings: Settings, seeds: Sequence[int]) -> int:
    """How many epochs that makes; what a fork shares is trained once."""
    return sum(_own_epochs(settings, settings.arms()[name]) for name in _trained(settings, seeds))


def _trained(settings: Settings, seeds: Sequence[int]) -> list[str]:
    """The arm of each network to train."""
    return [name for _, names in plan(settings, seeds) for name in names]


def _own_epochs(settings: Settings, arm: Arm) -> int:
    return settings.of(arm).epochs - arm.shared


def train_seed(settings: Settings, seed: int, names: Sequence[str], folder: Path) -> Arms:
    """Train the named arms of one seed, each in a folder of its own inside `folder`."""
    arms = settings.arms()
    forks = {arm.fork for arm in arms.values() if arm.fork}
    trained: Arms = {}
    data: dict[str, Data] = {}  # of the latest changes: the arms of a data set follow each other
    for name in names:
        arm, start = arms[name], None
        own = settings.of(arm)
        config = {**dataclasses.asdict(own), "seed": seed, "arm": name, "trained": repr(arm)}
        with RunFolder(folder / name, config, resume=True) as run:
            if run.finished:
                trained[name] = _whole(run, own.epochs)
                epoch_done(own.epochs - arm.shared)
                continue
            if arm.fork and run.load_checkpoint() is None:
                parent, epoch = arm.fork
                start = _kept(folder / parent, epoch)
                for record in trained[parent][:epoch]:
                    run.append(record)
            if repr(arm.changes) not in data:
                data = {repr(arm.changes): own.data(seed)}  # drawn when it is first looked at
            given = data[repr(arm.changes)]
            network = own.network(seed)
            trained[name] = []
            for record in fit(
                network,
                SGD(network.parameters(), arm.schedule, arm.momentum, arm.weight_decay),
                given.train,
                test=given.test,
                weights=own.weights(given),
                epochs=own.epochs,
                batch_size=own.batch_size,
                rng=stream(seed, "batches"),
                run=run,
                start=start,
                keep={epoch for parent, epoch in forks if parent == name},
                metrics=own.metrics(network, given, seed),
                per_example=own.per_example,
                progress=False,
                label=f"seed {seed}, {name}",
            ):
                trained[name].append(record)
                if record["epoch"] > arm.shared:
                    epoch_done()
            run.finish()
    return trained


def _whole(run: RunFolder, epochs: int) -> list[Record]:
    """The records of a finished run, all of them."""
    records = run.records()
    if [record.get("epoch") for record in records] != list(range(1, epochs + 1)):
        raise RunFolderError(
            f"{run.path} is finished but has {len(records)} records of {epochs}; restore its "
            "metrics.jsonl, or remove that folder to train it again"
        )
    return records


def _kept(parent: Path, epoch: int) -> Checkpoint:
    """The checkpoint of an epoch that the finished run in `parent` kept, to fork from."""
    try:
        return Checkpoint.read(parent / f"checkpoint-epoch-{epoch}.npz")
    except (OSError, BrokenFileError) as error:
        raise RunFolderError(
            f"{parent} cannot be forked from ({error}); remove that folder to train it again"
        ) from error


def seconds_to_train(
    settings: Settings, seeds: Sequence[int], known: dict[object, float] | None = None
) -> float:
    """How long all arms will take on one core here, from a few steps of each kind of network.

    What an experiment measures besides (`Settings.metrics`) is not in it. `known` keeps the seconds
    an example of each kind from call to call.
    """
    arms, known, total = settings.arms(), {} if known is None else known, 0.0
    for name in _trained(settings, seeds):
        own = settings.of(arms[name])
        kind = (own.model, own.size, own.width, own.wrn, own.batch_size, own.n_test)
        if kind not in known:
            known[kind] = seconds_an_epoch(own) / own.n_train
        total += _own_epochs(settings, arms[name]) * own.n_train * known[kind]
    return total


def seconds_an_epoch(settings: Settings) -> float:
    """How long an epoch with its evaluation will take here, from a few steps on random images."""
    rng = np.random.default_rng(0)
    batch = min(settings.batch_size, 2_000)  # a larger one takes as long an example
    count = batch * max(2, min(20, 1280 // batch))
    images = rng.standard_normal((count, *settings.image), dtype=np.float32)
    some = Split(images, rng.integers(0, settings.classes, len(images)))
    network = settings.network(0)
    optimizer = SGD(network.parameters(), 1e-3, momentum=0.9, weight_decay=1e-3)
    speeds = [
        float(record["examples_per_second"])
        for record in fit(
            network, optimizer, some, epochs=2, batch_size=batch, rng=rng, progress=False
        )
    ]
    began = time.perf_counter()
    evaluate(network, some)
    evaluation = (time.perf_counter() - began) / len(some)
    return settings.n_train / speeds[-1] + evaluation * (settings.n_train + settings.n_test)


def brief(record: Mapping[str, Any]) -> Record:
    """What results.json keeps of a record: rate, loss, accuracies and metrics."""
    subsets = {name: value for name, value in record["train"].items() if name != "all"}
    kept = {name: record[name] for name in ("epoch", "lr", "loss")}
    kept |= {"train": subsets or record["train"], "test": record["test"]}
    return kept | ({"metrics": record["metrics"]} if "metrics" in record else {})
