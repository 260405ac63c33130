"""What takes the time of a step: calls, time and bytes by operation."""

from contextlib import ExitStack
from dataclasses import dataclass
from time import perf_counter
from typing import Any

from minidecay.look.watching import watching
from minidecay.ops.base import Op
from minidecay.tables import table


@dataclass
class Row:
    """One operation's: how often it ran, seconds forward and backward, bytes read and written."""

    calls: int = 0
    forward: float = 0.0
    backward: float = 0.0
    bytes: int = 0

    @property
    def seconds(self) -> float:
        """Forward and backward."""
        return self.forward + self.backward


class profile:  # noqa: N801 (a context manager, named as a function, as no_grad is)
    """Within it, operations are timed; at its end the table is printed.

    Bytes are those of the arrays that go into an operation and come out, and of what backward
    reads again: what must be moved where nothing stays in a cache. Views move nothing. Outside of
    operations are the engine itself, the optimiser, data, and your own code. A captured step runs
    as it stands, and on `cuda` a call ends when its kernels are launched.

    Args:
        show: print the table at the end; it is `str()` of the profile in any case.

    Attributes:
        rows: by the name of the operation: `calls`, `forward` and `backward` (seconds), `bytes`.
        seconds: from beginning to end.

    >>> x = md.tensor([[1.0, 2.0]], requires_grad=True)
    >>> with md.profile(show=False) as p:
    ...     (x @ x.T).backward()
    >>> {name: (row.calls, row.bytes) for name, row in p.rows.items()}
    {'transpose': (1, 0), 'matmul': (1, 56)}
    """

    def __init__(self, show: bool = True) -> None:
        self.show = show
        self.rows: dict[str, Row] = {}
        self.seconds = 0.0

    def __enter__(self) -> "profile":
        self._watch = ExitStack()
        self._watch.enter_context(watching(self._report))
        self._began = perf_counter()
        return self

    def __exit__(self, *exception: object) -> None:
        self.seconds = perf_counter() - self._began
        self._watch.close()
        if self.show and exception[0] is None:
            print(self)

    def _report(
        self, op: Op, name: str, given: tuple[Any, ...], result: Any, seconds: float
    ) -> None:
        row = self.rows.setdefault(op.name, Row())
        if name == "forward":
            row.calls += 1
            row.forward += seconds
        else:
            row.backward += seconds
            given = (*given, *op.saved)
        if not op.is_view:
            row.bytes += _bytes(given) + _bytes(result)

    def __str__(self) -> str:
        rows = sorted(self.rows.items(), key=lambda item: -item[1].seconds)
        every = Row(*(sum(getattr(row, name) for _, row in rows) for name in vars(Row())))
        body = [self._line(name, row) for name, row in [*rows, ("all operations", every)]]
        outside = self.seconds - every.seconds
        body.append(
            ["outside of them", *[""] * 3, f"{1e3 * outside:.2f}", self._share(outside), ""]
        )
        header = ["operation", "calls", "forward, ms", "backward, ms", "both, ms", "share", "MB"]
        return "\n".join(line.rstrip() for line in table(header, body).splitlines())

    def _line(self, name: str, row: Row) -> list[str]:
        times = [f"{1e3 * seconds:.2f}" for seconds in (row.forward, row.backward, row.seconds)]
        moved = f"{row.bytes / 1e6:.2f}"
        return [name, str(row.calls), *times, self._share(row.seconds), moved]

    def _share(self, seconds: float) -> str:
        return f"{100 * seconds / self.seconds:.0f} %" if self.seconds else "-"


def _bytes(value: Any) -> int:
    """Of an array, or of all arrays in a sequence."""
    if isinstance(value, tuple | list):
        return sum(map(_bytes, value))
    return int(getattr(value, "nbytes", 0))
