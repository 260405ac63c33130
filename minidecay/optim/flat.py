"""Parameters side by side in one flat array, so that a step is one pass over memory."""

import math
from collections.abc import Sequence
from typing import Any, NamedTuple

import numpy as np

from minidecay.autograd import Tensor
from minidecay.devices.protocol import Array

__all__ = ["Flat", "Stretch"]


class Stretch(NamedTuple):
    """Neighbours that are moved alike: where, of which group, and how often they were before."""

    start: int
    stop: int
    group: int
    updates: int


class Flat:
    """The weights of groups of tensors, their gradients, and what is kept for each weight.

    Each tensor becomes a view of `weights`, and each `grad` that backward writes one of
    `gradients`. `kept` has the other arrays by name, zero at first; all are flat and of one length.
    """

    def __init__(self, kind: str, groups: Sequence[Sequence[Tensor]], names: Sequence[str]) -> None:
        self.kind = kind  # of the optimiser, for errors
        self.groups = groups
        self.params = [p for group in groups for p in group]
        self.device, dtype = self.params[0].device, self.params[0].dtype
        total = sum(p.size for p in self.params)
        self.weights, self.gradients, *kept = (
            self.device.zeros((total,), dtype) for _ in range(2 + len(names))
        )
        self.kept: dict[str, Array] = dict(zip(names, kept, strict=True))
        self._places: list[tuple[slice, Array, int]] = []  # of each: where, its view, its group
        self._parts: dict[tuple[int, int], tuple[Array, Array, dict[str, Array]]] = {}
        start = 0
        for index, group in enumerate(groups):
            for p in group:
                place = slice(start, start + p.size)
                view = self.device.reshape(self.device.getitem(self.weights, place), p.shape)
                self.device.copy_into(view, p.data)
                p.data = view
                home = self.device.getitem(self.gradients, place)
                p._grad_home = self.device.reshape(home, p.shape)
                self._places.append((place, view, index))
                start += p.size

    def __reduce__(self) -> tuple[Any, ...]:
        # A copy, be it deepcopy's or a pickle's, is made anew around the copied tensors: copies of
        # the views would be arrays of their own, which a step does not reach.
        return Flat, (self.kind, self.groups, tuple(self.kept)), self.kept

    def __setstate__(self, kept: dict[str, Array]) -> None:
        for name, array in kept.items():
            self.device.copy_into(self.kept[name], array)

    def stretches(self, updates: Sequence[int] | np.ndarray | None = None) -> list[Stretch]:
        """What has gradients, in as few stretches as there can be: most often one a group.

        `updates` counts those of each tensor, where neighbours differ that differ in them.

        Raises:
            RuntimeError: a parameter was moved to another device, or taken by another optimiser.
            ValueError: a gradient set by hand has another shape than its parameter.
        """
        found: list[list[int]] = []
        for i, (p, (place, view, group)) in enumerate(zip(self.params, self._places, strict=True)):
            if p.data is not view:
                raise RuntimeError(
                    f"{self.kind}: a parameter left this optimiser's buffer (model.to(...), or "
                    "another optimiser); make the optimiser last"
                )
            if p.grad is None:
                continue
            if p.grad.data is not p._grad_home:  # set by hand
                if p.grad.shape != p.shape:
                    raise ValueError(
                        f"{self.kind}: the gradient {p.grad.shape} of a parameter {p.shape} must "
                        "have its shape; reshape it"
                    )
                self.device.copy_into(p._grad_home, p.grad.data)
            count = 0 if updates is None else int(updates[i])
            if found and found[-1][1:] == [place.start, group, count]:
                found[-1][1] = place.stop
            else:
                found.append([place.start, place.stop, group, count])
        return [Stretch(*each) for each in found]

    def parts(self, stretch: Stretch) -> tuple[Array, Array, dict[str, Array]]:
        """A stretch of the weights, of their gradients, and of what is kept, as views."""
        place = stretch.start, stretch.stop
        if place not in self._parts:  # made once: a step of a small network is short
            w, g, *kept = (
                self.device.getitem(array, slice(*place))
                for array in (self.weights, self.gradients, *self.kept.values())
            )
            self._parts[place] = w, g, dict(zip(self.kept, kept, strict=True))
        return self._parts[place]

    def grad_norm(self) -> float:
        """The Euclidean norm of the gradients, all together; one that is missing counts as 0."""
        return math.hypot(*(self.device.norm(self.parts(each)[1]) for each in self.stretches()))
