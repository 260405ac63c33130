"""Arms: networks that begin alike and differ in how they are trained, a folder of records each."""

import dataclasses
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, TypeAlias

import numpy as np

from minidecay import models
from minidecay.data import PatternSet, Split
from minidecay.files import BrokenFileError
from minidecay.lab.workers import epoch_done, run_tasks
from minidecay.nn import Module
from minidecay.optim import SGD, Schedule
from minidecay.random import stream
from minidecay.training import RunFolder, RunFolderError, evaluate, fit
from minidecay.training.run_folder import Checkpoint

Record: TypeAlias = dict[str, Any]
Arms: TypeAlias = dict[str, list[Record]]  # of one seed: each arm's records, epoch 1 first


@dataclass(frozen=True)
class Arm:
    """How one network is trained.

    Attributes:
        fork: ("decay", 10) where it begins with the first 10 epochs of the arm `decay`.
        every_seed: False where it only stands beside the others, on the first seed alone.
    """

    schedule: Schedule
    momentum: float = 0.9
    weight_decay: float = 3e-3
    fork: tuple[str, int] | None = None
    every_seed: bool = True

    @property
    def shared(self) -> int:
        """How many of its epochs it takes from another arm."""
        return self.fork[1] if self.fork else 0


@dataclass(frozen=True)
class Settings:
    """What decides the numbers of an experiment on pattern sets, but for the seed."""

    scale: str = "demo"
    model: str = "mlp"
    device: str = "cpu"
    n_train: int = 20_000
    n_test: int = 2_000
    size: int = 8
    width: int = 256  # of the MLP
    wrn: tuple[int, int] = (10, 1)  # depth and width of the wide residual network
    batch_size: int = 64
    epochs: int = 18

    def arms(self) -> dict[str, Arm]:
        """The arms by name; one that forks stands after the one it forks from."""
        raise NotImplementedError

    def patterns(self, seed: int) -> PatternSet:
        """The data."""
        return PatternSet(self.n_train, self.n_test, size=self.size, seed=seed)

    def network(self, seed: int) -> Module:
        """The network before its first step, the same for every arm."""
        rng = stream(seed, "init")
        if self.model == "cnn":
            return models.small_cnn(size=self.size, rng=rng).to(self.device)
        if self.model == "wrn":
            return models.wide_resnet(*self.wrn, rng=rng).to(self.device)
        widths = (self.size * self.size * 3, self.width, self.width, 10)
        return models.mlp(*widths, batch_norm=True, rng=rng).to(self.device)


def train_arms(
    settings: Settings, seeds: Sequence[int], folder: Path, workers: int, label: str
) -> dict[int, Arms]:
    """Every arm of its seeds, over worker processes; what `folder` holds already is only read."""
    planned = plan(settings, seeds)
    tasks = [(settings, seed, names, folder / f"seed-{seed}") for seed, names in planned]
    epochs = epochs_to_train(settings, seeds)
    done = run_tasks(train_seed, tasks, workers, epochs=epochs, label=label)
    runs: dict[int, Arms] = {seed: {} for seed in seeds}
    for (seed, _), trained in zip(planned, done, strict=True):
        runs[seed] |= trained
    return runs


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
    arms = settings.arms()
    names = [name for _, names in plan(settings, seeds) for name in names]
    return sum(settings.epochs - arms[name].shared for name in names)


def train_seed(settings: Settings, seed: int, names: Sequence[str], folder: Path) -> Arms:
    """Train the named arms of one seed, each in a folder of its own inside `folder`."""
    arms = settings.arms()
    data = settings.patterns(seed)  # drawn when it is first looked at
    trained: Arms = {}
    for name in names:
        arm, start = arms[name], None
        forks = [other.fork for other in arms.values() if other.fork]
        config = {**dataclasses.asdict(settings), "seed": seed, "arm": name, "trained": repr(arm)}
        with RunFolder(folder / name, config, resume=True) as run:
            if run.finished:
                trained[name] = _whole(run, settings.epochs)
                epoch_done(settings.epochs - arm.shared)
                continue
            if arm.fork and run.load_checkpoint() is None:
                parent, epoch = arm.fork
                start = _kept(folder / parent, epoch)
                for record in trained[parent][:epoch]:
                    run.append(record)
            network = settings.network(seed)
            parameters = network.parameters()
            trained[name] = []
            for record in fit(
                network,
                SGD(parameters, arm.schedule, arm.momentum, arm.weight_decay),
                data.train,
                test=data.test,
                epochs=settings.epochs,
                batch_size=settings.batch_size,
                rng=stream(seed, "batches"),
                run=run,
                start=start,
                keep={epoch for parent, epoch in forks if parent == name},
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


def seconds_an_epoch(settings: Settings) -> float:
    """How long an epoch with its evaluation will take here, from a few steps on random images."""
    rng, batch = np.random.default_rng(0), settings.batch_size
    shape = (20 * batch, settings.size, settings.size, 3)
    images = rng.standard_normal(shape, dtype=np.float32)
    some = Split(images, rng.integers(0, 10, len(images)))
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
    """What results.json keeps of a record."""
    train = {name: record["train"][name] for name in ("simple", "complex", "noise")}
    test = {name: record["test"][name] for name in ("simple", "complex", "all")}
    return {name: record[name] for name in ("epoch", "lr", "loss")} | {"train": train, "test": test}
