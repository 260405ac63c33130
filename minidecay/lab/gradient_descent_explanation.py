"""Gradient-descent explanation: is a rate too large to be stable what decay mends?

What it should show. By the explanation from gradient descent, as we reconstruct it, a large rate
is fast but beyond what the curvature allows, so that it cannot settle; decay lets it converge. A
small constant rate would then end as well as decay, only later. So it does here in training loss
and in clean test accuracy; but the noise that it has memorized differs. In its first stage SGD is
nowhere near the rate that curvature allows: lambda x rate, with lambda the largest eigenvalue of
the Hessian (weight decay included), stays far below 2 (1 + momentum). And at the same rate gradient
descent on the full batch, which has no gradient noise, learns complex patterns and noise without
any decay; its loss jumps up soon after lambda x rate passes 2 (1 + momentum), with all learned.

What the paper shows. That this explanation is insufficient: for its wide residual network a small
constant rate ends with lower test accuracy than decay. PS10 is here as we reconstruct it.

What is open. The Hessian of SGD's arms is that of `hessian_of` training examples, in batches of
the size that SGD takes, each normalised by its own statistics; that of full-batch arms is exact.
Where the loss is low, few examples overestimate it: in pilot runs by a third at the end of decay,
by two to three late in full-batch descent. That lambda is far from 2 (1 + momentum) / rate rules
out the instability of gradient descent, not that of SGD, which its noise decides. Full-batch
descent is free of the noise in batch norm's statistics, too, and nearly so of weight decay: at one
step an epoch for 312 it forgets 312 times less between two sights of an example. So G6 is not of
gradient noise alone: SGD without weight decay, noise and all, holds nothing back either (a negative
control of `noisy-memorization`). Lambda of full-batch arms is measured every 20 steps, and G8
interpolates. Training loss is taken in evaluation mode after the epoch, in the picture, G7 and G8
as it is descended, in training mode: batch norm's statistics lag behind a full batch, and there the
two differ. In G7's sense alone decay only slows: its test accuracy is the higher one, as the
picture shows. The network has width 64 throughout.
"""

import math
from collections.abc import Mapping
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np

from minidecay import plots
from minidecay.lab.machinery.arms import Arm, Data, Metrics, Trained
from minidecay.lab.machinery.claims import Bound, Claim
from minidecay.lab.machinery.curvature import sharpness, steps_to_jump
from minidecay.lab.machinery.experiment import Experiment
from minidecay.lab.machinery.scales import Staged
from minidecay.nn import Module
from minidecay.optim import Constant, Steps
from minidecay.plots.curves import COLOURS
from minidecay.random import stream
from minidecay.tables import mean_and_spread, table

STABLE = 2 * (1 + Arm.momentum)  # lambda x rate beyond which gradient descent is unstable


@dataclass(frozen=True)
class DescentSettings(Staged):
    """SGD under decay and constant rates, and gradient descent on the full batch.

    Attributes:
        small: the constant small rates; each is compared with decay.
        hessian_of: training examples that the Hessian is taken over.
        hessian_every: epochs from one Hessian to the next (full batch: steps).
        steps: of full-batch descent, an epoch each; it decays after `early` where it does.
        learned: the step at which is asked what full-batch descent has learned.
    """

    width: int = 64
    small: tuple[float, ...] = (0.01, 0.03)
    hessian_of: int = 2_000
    hessian_every: int = 1
    steps: int = 300
    early: int = 60
    learned: int = 200

    def arms(self) -> dict[str, Arm]:
        full = {
            "batch_size": self.n_train,
            "epochs": self.steps,
            "hessian_of": self.n_train,
            "hessian_every": 20 * self.hessian_every,
        }
        decayed = {**full, "epochs": self.learned, "hessian_every": self.learned}
        return {
            "full_batch": Arm(Constant(self.large), changes=full),
            "full_batch_decay": Arm(
                Steps(self.large, (self.early,)), changes=decayed, fork=("full_batch", self.early)
            ),
            "decay": Arm(self.decay()),
            "constant_large": Arm(Constant(self.large), fork=("decay", self.stages[0])),
            **{f"constant_{rate:g}": Arm(Constant(rate)) for rate in self.small},
        }

    def metrics(self, network: Module, data: Data, seed: int) -> Metrics:
        some = data.train.take(slice(self.hessian_of))

        def measure(epoch: int) -> dict[str, float]:
            if epoch % self.hessian_every:
                return {}
            rng = stream(seed, "curvature")
            largest = sharpness(network, some, self.batch_size, Arm.weight_decay, rng)
            return {"largest_eigenvalue": largest}

        return measure


def settings(scale: str, device: str = "cpu") -> DescentSettings:
    cheap = {"small": (0.01,), "hessian_every": 5, "steps": 100, "learned": 100}
    return DescentSettings.at(scale, device=device, **cheap if scale == "smoke" else {})


class Seed:
    """What one seed's arms ended with, and how curved the loss was on the way."""

    def __init__(self, trained: Trained) -> None:
        settings: DescentSettings = trained.settings  # type: ignore[assignment]
        self.arms, self.first, self.learned = trained, settings.stages[0], settings.learned

    def end(self, arm: str, split: str, subset: str) -> float:
        """Mean over an arm's last three epochs; of `split` "train", "test" or "train_loss"."""
        return float(np.mean([record[split][subset] for record in self.arms[arm][-3:]]))

    def more(self, rate: str, split: str, subset: str) -> float:
        """How much more a constant rate ends with than decay."""
        return self.end(rate, split, subset) - self.end("decay", split, subset)

    def noise_at_equal_loss(self, rate: str) -> float:
        """How much more noise a constant rate knows when its training loss is what decay's ends at.

        Interpolated between epochs; NaN where it never comes so low.
        """
        loss = [record["train_loss"]["all"] for record in self.arms[rate]]
        noise = [record["train"]["noise"] for record in self.arms[rate]]
        wanted = self.end("decay", "train_loss", "all")
        after = next((i for i, each in enumerate(loss) if each <= wanted), 0)
        if after == 0:
            return math.nan
        share = (loss[after - 1] - wanted) / (loss[after - 1] - loss[after])
        known = noise[after - 1] + share * (noise[after] - noise[after - 1])
        return float(known - self.end("decay", "train", "noise"))

    def edge(self, arm: str) -> dict[int, float]:
        """lambda x rate by epoch, where the largest eigenvalue lambda was measured."""
        measured = {record["epoch"]: edge_of(record) for record in self.arms[arm]}
        return {epoch: edge for epoch, edge in measured.items() if edge is not None}

    def stage_one(self) -> float:
        """The largest lambda x rate in SGD's first stage."""
        return max(edge for epoch, edge in self.edge("decay").items() if epoch <= self.first)

    def full(self, arm: str, split: str, subset: str) -> float:
        """Of full-batch descent, at the step where it is asked what it has learned."""
        return float(self.arms[arm][self.learned - 1][split][subset])

    def slower(self) -> float:
        """How much higher the loss of full-batch descent is then with decay than without."""
        decayed, constant = (
            self.arms[arm][self.learned - 1]["loss"] for arm in ("full_batch_decay", "full_batch")
        )
        return float(decayed - constant)

    def delay(self) -> float:
        """Steps of full-batch descent from where it becomes unstable to where its loss jumps up."""
        losses = [record["loss"] for record in self.arms["full_batch"]]
        return steps_to_jump(self.edge("full_batch"), losses, STABLE)


def edge_of(record: Mapping[str, Any]) -> float | None:
    """lambda x rate after an epoch, where lambda was measured."""
    largest = record["metrics"].get("largest_eigenvalue")
    return None if largest is None else float(largest * record["lr"])


# Margins were set by pilot seeds 100 and 101, and looked at again on 100 to 104, at demo.
def claims(settings: DescentSettings) -> list[Claim[Seed]]:
    def small(what: str, measure: Any, sense: Any, threshold: float) -> list[Bound[Seed]]:
        return [
            Bound(f"{what}, {rate:g} less decay", partial(measure, rate=f"constant_{rate:g}"),
                  sense, threshold)
            for rate in settings.small
        ]  # fmt: skip

    made = [
        Claim("G1", "for it: a small constant rate ends with training loss no higher than decay",
              small("loss", lambda s, rate: s.more(rate, "train_loss", "all"), "<=", 0.02)),
        Claim("G2", "for it: nor with less clean test accuracy",
              small("accuracy", lambda s, rate: s.more(rate, "test", "all"), ">=", -0.02)),
        Claim("G3", "against it: the two end differently, the small rate memorizes more noise",
              small("noise", lambda s, rate: s.more(rate, "train", "noise"), ">=", 0.1)),
        Claim("G4", "against it: it does so at equal training loss, too",
              small("noise", lambda s, rate: s.noise_at_equal_loss(rate), ">=", 0.02)),
        Claim("G5", "against it: SGD's large rate is far from unstable, not half of 3.8", [
            Bound("lambda x rate in stage one, most", Seed.stage_one, "<=", STABLE / 2),
        ]),
        Claim("G6", "against it: on the full batch the large rate holds nothing back", [
            Bound(f"test complex at step {settings.learned}", lambda s:
                  s.full("full_batch", "test", "complex"), ">=", 0.9),
            Bound("noise", lambda s: s.full("full_batch", "train", "noise"), ">=", 0.5),
        ]),
        Claim("G7", "against it: there an early decay slows the descent", [
            Bound(f"training loss at step {settings.learned}, with decay less without",
                  Seed.slower, ">=", 0.05),
        ]),
    ]  # fmt: skip
    if settings.steps > settings.learned:  # else it ends before it is unstable
        made += [
            Claim("G8", "for it: there the loss jumps up soon after lambda x rate crosses 3.8", [
                Bound("steps from one to the other", Seed.delay, ">=", 0),
                Bound("the same", Seed.delay, "<=", 40),
            ]),
        ]  # fmt: skip
    return made


SHOWN = {
    "training loss": ("train_loss", "all"),
    "clean test": ("test", "all"),
    "test complex": ("test", "complex"),
    "train noise": ("train", "noise"),
}


def summary(seeds: Mapping[int, Seed], settings: DescentSettings) -> str:
    """The end of each arm of SGD, and full-batch descent at the step where it is looked at."""
    rows = []
    for arm in settings.arms():
        full = arm.startswith("full")
        moment, when = (Seed.full, f"step {settings.learned}") if full else (Seed.end, "end")
        edges = [list(s.edge(arm).items()) for s in seeds.values()]
        last = [[e for at, e in each if not full or at <= settings.learned] for each in edges]
        rows.append([
            f"{arm.replace('_', ' ')}, {when}",
            *(mean_and_spread([moment(s, arm, *at) for s in seeds.values()])
              for at in SHOWN.values()),
            mean_and_spread([each[-1] for each in last]),
        ])  # fmt: skip
    return table(["", *SHOWN, "lambda x rate"], rows)


def figure(runs: Mapping[int, Trained], settings: DescentSettings, path: Path) -> None:
    """SGD over epochs, full-batch descent over steps: loss, complex, noise, lambda x rate."""
    decay, large = "learning-rate decay", f"constant {settings.large:g}"
    sgd = {"decay": decay, "constant_large": large}
    sgd |= {f"constant_{rate:g}": f"constant {rate:g}" for rate in settings.small}
    colours = dict(zip(sgd.values(), COLOURS, strict=False))

    def column(title: str, x: str, arms: Mapping[str, str], decays: Any) -> list[plots.Panel]:
        def panel(label: str, value: Any, **options: Any) -> plots.Panel:
            lines = [
                plots.Trajectory.of(
                    name, [each[arm] for each in runs.values()], value, colours[name]
                )
                for arm, name in arms.items()
            ]
            return plots.Panel(label, lines, marks=decays, **options)

        level = STABLE, "2 (1 + momentum)"
        return [
            panel("training loss (nats)", lambda record: record["loss"], title=title, log=True),
            panel("accuracy, complex (test)", lambda record: record["test"]["complex"]),
            panel("accuracy, noise (train)", lambda record: record["train"]["noise"]),
            panel("largest eigenvalue x rate", edge_of, xlabel=x, log=True, level=level),
        ]

    batches = f"SGD, batches of {settings.batch_size}"
    left = column(batches, "epoch", sgd, settings.decays)
    full = {"full_batch_decay": decay, "full_batch": large}
    right = column("the full batch, no gradient noise", "step", full, (settings.early,))
    plots.panels(list(zip(left, right, strict=True)), path)


EXPERIMENT = Experiment.of(
    __name__,
    about="is it instability that decay of a large rate mends?",
    paper="why the explanation from gradient descent is insufficient",
    measures="Training loss (nats), accuracy and curvature",
)
