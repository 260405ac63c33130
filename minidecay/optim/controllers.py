"""Controllers: rates that depend on how training goes.

A controller is a value, as a schedule is, but its rate follows from the losses it has seen. What it
remembers is its state, a dict in plain JSON types that holds the rate as "lr":

>>> decay = Plateau(0.4, factor=0.5, patience=1)
>>> state = decay.start()
>>> for loss in (3.0, 2.0, 2.0, 2.0):
...     state = decay.update(state, loss)
>>> state["lr"]
0.2

An optimiser takes one as its `lr` and keeps its state among its own, so that a resumed run goes on
as if nothing had happened. `training.fit` tells it the mean training loss of each epoch; a loop of
one's own says `optimizer.observe(loss)` after each epoch.
"""

import math
from abc import ABC, abstractmethod
from dataclasses import dataclass
from typing import Any

from minidecay.optim.values import Value, is_number

__all__ = ["AutoDecay", "Controller", "Plateau", "State"]

State = dict[str, Any]


class Controller(Value, ABC):
    """A rate and what to do with it after each epoch: `start`, and `update` from state to state.

    >>> class Halving(Controller):
    ...     lr = 0.4
    ...
    ...     def start(self):
    ...         return {"lr": self.lr}
    ...
    ...     def update(self, state, loss):
    ...         return {"lr": state["lr"] / 2}
    >>> halving = Halving()
    >>> halving.update(halving.update(halving.start(), loss=1.0), loss=0.9)
    {'lr': 0.1}
    """

    lr: float

    @abstractmethod
    def start(self) -> State:
        """The state before the first epoch."""

    @abstractmethod
    def update(self, state: State, loss: float) -> State:
        """The state after an epoch of that mean loss; `state` itself is left as it is.

        ValueError where the loss is not finite, TypeError where it is no number.
        """


@dataclass(frozen=True, repr=False)
class AutoDecay(Controller):
    """Decay by itself, once the loss has stabilised.

    The loss is smoothed, m_e = b m_(e-1) + (1 - b) l_e, over 1 - b^e since it starts from nothing,
    with b = `smoothing`. Its progress is p_e = (m_(e-w) - m_e) / m_(e-w) over w = `window` epochs.
    When p_e < `tol` for `patience` epochs in a row, the rate is multiplied by `factor` and the
    smoothing starts anew, so that nothing is judged for w epochs. It stops at `min_lr`, below which
    the rate never goes, or after `max_decays`; without either it decays for ever.

    The idea is that of You, Long, Wang and Jordan (2019), whose own constants could not be read:
    this is how we define it. It differs from `Plateau` in judging progress and not records, so that
    noise that dips once does not reset it.

    ValueError where smoothing is 1 or more, factor above 1, min_lr above lr, or window or patience
    0.

    >>> decay = AutoDecay(0.3, max_decays=1)
    >>> state = decay.start()
    >>> for epoch in range(1, 40):
    ...     state = decay.update(state, 0.2 + math.exp(-epoch / 5))
    ...     if decay.done(state):
    ...         break
    >>> epoch, state["decayed_at"], state["lr"]
    (34, [31], 0.03)
    """

    lr: float
    factor: float = 0.1
    window: int = 3
    tol: float = 0.02
    patience: int = 2
    smoothing: float = 0.7
    min_lr: float = 0.0
    max_decays: int | None = None

    def __post_init__(self) -> None:
        super().__post_init__()
        self.require_above_0("window", "patience")
        self.require(self.smoothing < 1, f"smoothing {self.smoothing} must be below 1")
        self.require(self.factor <= 1, f"factor {self.factor} must be 1 or less")
        self.require(self.min_lr <= self.lr, f"min_lr {self.min_lr} is above lr {self.lr}")

    def start(self) -> State:
        """No epoch seen: "lr", "epoch", "decayed_at" (epochs), and what is smoothed since then."""
        return {"lr": self.lr, "epoch": 0, "decayed_at": [], **self._fresh()}

    def _fresh(self) -> State:
        return {"sum": 0.0, "count": 0, "recent": [], "slow": 0}

    def update(self, state: State, loss: float) -> State:
        """The state after an epoch of that mean loss; `state` itself is left as it is."""
        b, w = self.smoothing, self.window
        total = b * state["sum"] + (1 - b) * _finite("AutoDecay", loss)
        count = state["count"] + 1
        recent = [*state["recent"], total / (1 - b**count)][-w - 1 :]  # m_(e-w) to m_e
        slow = 0
        if len(recent) > w:
            before, now = recent[0], recent[-1]
            progress = (before - now) / abs(before) if before else 0.0
            slow = state["slow"] + 1 if progress < self.tol else 0
        after = {**state, "epoch": state["epoch"] + 1}
        if slow < self.patience or self._ended(state):
            return after | {"sum": total, "count": count, "recent": recent, "slow": slow}
        after["lr"] = max(state["lr"] * self.factor, self.min_lr)
        after["decayed_at"] = [*state["decayed_at"], after["epoch"]]
        return after | self._fresh()

    def _ended(self, state: State) -> bool:
        most = math.inf if self.max_decays is None else self.max_decays
        return len(state["decayed_at"]) >= most or state["lr"] <= self.min_lr

    def done(self, state: State) -> bool:
        """Have `window` epochs passed since the last decay there may be? A run may stop then."""
        last = state["decayed_at"][-1] if state["decayed_at"] else 0
        return self._ended(state) and state["epoch"] >= last + self.window


@dataclass(frozen=True, repr=False)
class Plateau(Controller):
    """Decay when the loss has set no record for `patience` epochs, as torch's ReduceLROnPlateau.

    A record is a loss below (1 - `threshold`) times the best so far, or with `threshold_mode` "abs"
    below the best less the threshold; with `mode` "max" what is told is to grow, and a record is
    above. After more than `patience` epochs without one the rate is multiplied by `factor`, and the
    next `cooldown` epochs do not count. It never goes below `min_lr`, and stays as it is where it
    would change by no more than `eps`.

    ValueError where factor is 1 or more, or a mode is unknown.

    >>> decay = Plateau(0.1, patience=2)
    >>> state = decay.start()
    >>> for loss in (1.0, 1.1, 1.2, 1.3):
    ...     state = decay.update(state, loss)
    >>> state
    {'lr': 0.01, 'best': 1.0, 'bad': 0, 'cooldown': 0}
    """

    lr: float
    mode: str = "min"
    factor: float = 0.1
    patience: int = 10
    threshold: float = 1e-4
    threshold_mode: str = "rel"
    cooldown: int = 0
    min_lr: float = 0.0
    eps: float = 1e-8

    def __post_init__(self) -> None:
        super().__post_init__()
        self.require_one_of("mode", ("min", "max"))
        self.require_one_of("threshold_mode", ("rel", "abs"))
        self.require(self.factor < 1, f"factor {self.factor} must be below 1")

    def start(self) -> State:
        """No epoch seen: "lr", the "best" loss, "bad" epochs since, "cooldown" epochs to come."""
        return {"lr": self.lr, "best": None, "bad": 0, "cooldown": 0}

    def update(self, state: State, loss: float) -> State:
        """The state after an epoch of that loss; `state` itself is left as it is."""
        loss = _finite("Plateau", loss)
        lr, best, bad, cooldown = state["lr"], state["best"], state["bad"] + 1, state["cooldown"]
        if best is None or self._better(loss, best):
            best, bad = loss, 0
        if cooldown > 0:
            cooldown, bad = cooldown - 1, 0
        if bad > self.patience:
            lower = max(lr * self.factor, self.min_lr)
            lr, cooldown, bad = lower if lr - lower > self.eps else lr, self.cooldown, 0
        return {"lr": lr, "best": best, "bad": bad, "cooldown": cooldown}

    def _better(self, loss: float, best: float) -> bool:
        sign = -1 if self.mode == "min" else 1
        relative = self.threshold_mode == "rel"
        bar = best * (1 + sign * self.threshold) if relative else best + sign * self.threshold
        return sign * loss > sign * bar


def _finite(kind: str, loss: object) -> float:
    if not is_number(loss):
        raise TypeError(f"{kind}: the loss must be a number, got {loss!r}")
    if not math.isfinite(checked := float(loss)):
        raise ValueError(f"{kind}: the loss must be finite, got {loss!r}")
    return checked
