"""The graph: what each recorded operation left behind, and the walk back through it.

An output that wants a gradient holds a `Node`: the operation, where each gradient must go, and a
creation number. A node is newer than everything it was made from, so `walk` needs no sort and no
recursion: it takes the reachable nodes from the highest number down, and each one's gradient is
complete when its turn comes. The graph belongs to its tensors; when nobody holds the last of them
it is gone.
"""

import heapq
import itertools
import threading
from collections.abc import Sequence
from contextlib import ContextDecorator
from typing import Any, Protocol

from minidecay.devices.protocol import Array, Shape
from minidecay.ops.base import Op

_numbers = itertools.count()


class _Mode(threading.local):
    recording = True

    def __init__(self) -> None:
        self.before: list[bool] = []  # what to go back to, a no_grad each


_mode = _Mode()


def is_recording() -> bool:
    """Are operations recorded here and now?"""
    return _mode.recording


class no_grad(ContextDecorator):  # noqa: N801 (a context manager, named as in torch)
    """Within it nothing is recorded: `with no_grad():`, or `@no_grad()` on a function.

    >>> w = md.tensor([2.0], requires_grad=True)
    >>> with md.no_grad():
    ...     print((w * 3).requires_grad)
    False
    """

    # What was before is kept by the thread, not here: a decorated function that calls itself, or
    # runs in two threads, enters one and the same no_grad again before it has left it.
    def __enter__(self) -> None:
        _mode.before.append(_mode.recording)
        _mode.recording = False

    def __exit__(self, *exception: object) -> None:
        _mode.recording = _mode.before.pop()


class Version:
    """Counts the writes into one piece of memory; tensors that are views of it share it."""

    __slots__ = ("count",)

    def __init__(self) -> None:
        self.count = 0


class Leaf(Protocol):
    """Where a gradient ends: a tensor that was made by hand."""

    @property
    def home(self) -> Array | None:
        """Where its first gradient is wanted, if an optimiser wants it anywhere."""

    def accumulate(self, g: Array) -> None:
        """Add g to the gradient."""


class Node:
    """One applied operation: the operation, where its gradients go, and its creation number.

    Attributes:
        name, shape: of the operation and of its output; they stay when the operation is spent.
        targets: for each input its node, or the leaf itself, or where no gradient goes its shape.
    """

    __slots__ = ("name", "number", "op", "read", "shape", "targets")

    def __init__(
        self,
        op: Op,
        shape: Shape,
        targets: "Sequence[Node | Leaf | Shape]",
        read: Sequence[Version],
    ) -> None:
        self.op: Op | None = op
        self.name, self.shape, self.targets = op.name, shape, targets
        self.read = [(version, version.count) for version in read]  # what backward will read
        self.number = next(_numbers)

    def gradients(self, gy: Array, retain_graph: bool) -> Sequence[Array | None]:
        """The gradients of the inputs, given that of the output."""
        op = self.op
        if op is None:
            raise RuntimeError(
                "backward: this part of the graph was spent by an earlier backward(); add the "
                "losses first, or pass retain_graph=True to the earlier one"
            )
        if any(version.count != count for version, count in self.read):
            raise RuntimeError(
                f"backward: {op.name} would read a value that was overwritten since forward; "
                "write after backward(), or compute a new tensor instead"
            )
        op.homes = self._homes()
        gradients = op.backward(gy)
        if not retain_graph:
            self.op, self.read = None, []
        return gradients

    def _homes(self) -> list[Array | None]:
        """Where each input's gradient may be written; a leaf that comes twice is offered once."""
        homes: list[Array | None] = []
        for target in self.targets:
            home = None if isinstance(target, Node | tuple) else target.home
            homes.append(None if any(home is other for other in homes) else home)
        return homes


def walk(root: Node, gy: Array, add: Any, retain_graph: bool) -> None:
    """Carry the gradient `gy` of root's output to every leaf that root was made from."""
    pending: dict[Node, Array] = {root: gy}
    queue = [(-root.number, root)]
    while queue:
        _, node = heapq.heappop(queue)
        gradients = node.gradients(pending.pop(node), retain_graph)
        for target, g in zip(node.targets, gradients, strict=True):
            if isinstance(target, tuple):
                continue
            if not isinstance(target, Node):
                target.accumulate(g)
            elif target in pending:
                pending[target] = add(pending[target], g)
            else:
                pending[target] = g
                heapq.heappush(queue, (-target.number, target))
