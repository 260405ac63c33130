"""Watching operations run: for a while, every operation's forward and backward reports itself."""

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from time import perf_counter
from typing import Any

from minidecay.ops.base import Op
from minidecay.plan import Captured

# Told after each: the operation, "forward" or "backward", what went in, what came out, seconds.
Report = Callable[[Op, str, tuple[Any, ...], Any, float], None]


@contextmanager
def watching(report: Report) -> Iterator[None]:
    """Within it `report` is told of every operation; a captured step runs as it stands.

    Operations that are made of another one, as a mean is of a sum, report once.
    """
    replaced = [
        (kind, name, vars(kind)[name])
        for kind in _kinds(Op)
        for name in ("forward", "backward")
        if name in vars(kind)
    ]
    running: list[Op] = []

    def watched(name: str, method: Callable[..., Any]) -> Callable[..., Any]:
        def call(op: Op, *given: Any) -> Any:
            if running:
                return method(op, *given)
            running.append(op)
            began = perf_counter()
            try:
                result = method(op, *given)
            finally:
                seconds = perf_counter() - began
                running.clear()
            report(op, name, given, result, seconds)
            return result

        return call

    for kind, name, method in replaced:
        setattr(kind, name, watched(name, method))
    replay = Captured.__call__
    Captured.__call__ = lambda self, *inputs: self.step(*inputs)  # type: ignore[method-assign]
    try:
        yield
    finally:
        Captured.__call__ = replay  # type: ignore[method-assign]
        for kind, name, method in replaced:
            setattr(kind, name, method)


def _kinds(kind: type[Op]) -> Iterator[type[Op]]:
    """An operation's class and all that are made from it, a user's own among them."""
    yield kind
    for each in kind.__subclasses__():
        yield from _kinds(each)
