"""What a captured step runs: its units, how each is computed, what it moves, how long it takes."""

import math
from collections.abc import Callable
from dataclasses import dataclass
from functools import cache, partial
from statistics import median
from time import perf_counter
from typing import Any

import numpy as np

from minidecay.devices.cpu import convolution
from minidecay.plan import Captured, Plan
from minidecay.plan.replay import Unit
from minidecay.recording import Call, arrays
from minidecay.tables import table


@dataclass(frozen=True)
class Machine:
    """What one thread or all of them reach here: FLOPs a second, bytes a second."""

    flops: float
    bandwidth: float

    def seconds(self, flops: float, moved: float) -> float:
        """The longer of computing and moving."""
        return max(flops / self.flops, moved / self.bandwidth)


@dataclass(frozen=True)
class Row:
    """One unit of a plan.

    Attributes:
        name: the primitive and what was joined to it, or the method.
        way: how it is computed, where there is more than one way.
        shapes: what it is given -> what it gives.
        bytes: of the arrays that it reads and writes.
        flops: two for each multiply-add of products and convolutions.
        estimate: seconds, from bytes and FLOPs and what the machine reaches; None of a method.
        measured: seconds, the median over the runs that were timed; None where there was none.
    """

    name: str
    way: str
    shapes: str
    bytes: int
    flops: int
    estimate: float | None
    measured: float | None


class Explanation:
    """The rows of a plan; printed, a table."""

    def __init__(self, rows: list[Row], machine: Machine, runs: int) -> None:
        self.rows, self.machine, self.runs = rows, machine, runs

    def __str__(self) -> str:
        header = ["unit", "way", "given -> gives", "MB", "MFLOP", "estimate, ms", "measured, ms"]
        body = [
            [
                row.name,
                row.way,
                row.shapes,
                f"{row.bytes / 1e6:.2f}" if row.shapes else "",
                f"{row.flops / 1e6:.1f}" if row.flops else "",
                _ms(row.estimate),
                _ms(row.measured),
            ]
            for row in self.rows
        ]
        both = ([row.estimate for row in self.rows], [row.measured for row in self.rows])
        moved, flops = (sum(getattr(row, name) for row in self.rows) for name in ("bytes", "flops"))
        totals = [_ms(sum(filter(None, each)) if any(each) else None) for each in both]
        body.append(["in all", "", "", f"{moved / 1e6:.2f}", f"{flops / 1e6:.1f}", *totals])
        lines = table(header, body, left=3).splitlines()
        timed = f"over {self.runs} timed runs" if self.runs else "call .timed(...) on the step"
        lines.append(
            f"\nEstimates from {self.machine.flops / 1e9:.0f} GFLOP/s and "
            f"{self.machine.bandwidth / 1e9:.1f} GB/s, as measured here just now; "
            f"measured: {timed}."
        )
        return "\n".join(line.rstrip() for line in lines)

    __repr__ = __str__


def explain(step: Captured | Plan) -> Explanation:
    """The units of a captured step's latest plan: how each is computed, and what it costs.

    What takes no time of its own (clearing a gradient, handing one on) is one row, the last.
    Estimates take whatever is longer, computing at the speed of a large product or moving at that
    of a large copy, so they leave out what stays in a cache and what a call costs. Measured are the
    runs by `step.timed(...)`, which trains as a call does.

    Raises:
        TypeError: `step` is no captured step.
        ValueError: it has no plan: it has not run, or runs as it stands (the message says why).

    >>> w = md.tensor(np.ones((4, 3), np.float32), requires_grad=True)
    >>> step = md.capture(lambda x: md.relu(md.from_numpy(x) @ w))
    >>> for _ in range(3):
    ...     _ = step.timed(np.ones((2, 4), np.float32))
    >>> [(row.name, row.shapes, row.bytes) for row in md.explain(step).rows]
    [('matmul + relu', '(2, 4), (4, 3) -> (2, 3)', 104)]
    """
    plan = _plan(step)
    machine = measured_machine()
    rows = [_row(unit, machine) for unit in plan.units if not _is_trivial(unit)]
    rest = [unit for unit in plan.units if _is_trivial(unit)]
    if rest:
        times = [median(unit.seconds) for unit in rest if unit.seconds]
        took = sum(times) if times else None
        rows.append(Row(f"{len(rest)} that hand on", "", "", 0, 0, None, took))
    return Explanation(rows, machine, max((len(unit.seconds) for unit in plan.units), default=0))


def _plan(step: Captured | Plan) -> Plan:
    if isinstance(step, Plan):
        return step
    if not isinstance(step, Captured):
        raise TypeError(f"explain: a {type(step).__name__} is no captured step; md.capture it")
    if step.eager_because is not None:
        raise ValueError(f"explain: the step runs as it stands, since {step.eager_because}")
    if not step.plans:
        raise ValueError("explain: the step has not run yet; call it once, to be recorded")
    return list(step.plans.values())[-1][-1]


def _is_trivial(unit: Unit) -> bool:
    """Does it hand something on, without touching numbers?"""
    return not isinstance(unit.call, Call) and _owner(unit.call) is None


def _owner(method: Callable[[], Any]) -> Any:
    """Whose method it is, such as the optimiser's `step`; None of a function."""
    if isinstance(method, partial) and "." in method.func.__qualname__ and method.args:
        return method.args[0]
    return None


def _row(unit: Unit, machine: Machine) -> Row:
    took = median(unit.seconds) if unit.seconds else None
    call = unit.call
    if not isinstance(call, Call):
        assert isinstance(call, partial)
        return Row(f"{type(_owner(call)).__name__}.{call.func.__name__}", "", "", 0, 0, None, took)
    given, gives = list(arrays((call.args, call.kwargs))), list(arrays(call.result))
    moved, flops = sum(array.nbytes for array in [*given, *gives]), _flops(call)
    shapes = " -> ".join(", ".join(str(a.shape) for a in each) for each in (given, gives))
    return Row(_name(call), _way(call), shapes, moved, flops, machine.seconds(flops, moved), took)


def _name(call: Call) -> str:
    joined = [name for name in ("bias", "residual") if call.kwargs.get(name) is not None]
    joined += [call.kwargs["activation"]] if call.kwargs.get("activation") else []
    joined += ["relu's"] if call.kwargs.get("activated") is not None else []
    return " + ".join([call.name.rstrip("_"), *joined])


def _way(call: Call) -> str:
    if not call.name.startswith("conv2d"):
        return ""
    stride, padding = call.kwargs["stride"], call.kwargs["padding"]
    way = convolution.way(call.name, _weights(call), stride, padding)
    return way.__name__.rpartition(".")[2]


def _weights(call: Call) -> tuple[int, ...]:
    """The shape of a convolution's weights."""
    if call.name == "conv2d_weight_grad":
        return tuple(call.args[2])
    return tuple(call.args[1].shape)


def _flops(call: Call) -> int:
    if call.name == "matmul":
        a = call.args[0]
        inner = a.shape[-2 if call.kwargs.get("transpose_a") else -1]
        return 2 * int(call.result.size) * int(inner)
    if call.name.startswith("conv2d"):
        kh, kw, channels, _ = _weights(call)
        gives = call.result if call.name == "conv2d" else call.args[0]  # y, or its gradient
        return 2 * int(gives.size) * math.prod((kh, kw, channels))
    return 0


@cache
def measured_machine() -> Machine:
    """What this machine reaches in a large product and a large copy of float32, once a process."""
    n = 512
    a = np.ones((n, n), np.float32)
    product = np.empty_like(a)
    source = np.ones(1 << 23, np.float32)
    target = np.empty_like(source)
    flops = 2 * n**3 / _best(lambda: np.matmul(a, a, out=product))
    return Machine(flops, 2 * source.nbytes / _best(lambda: np.copyto(target, source)))


def _best(run: Callable[[], Any], times: int = 5) -> float:
    took = []
    for _ in range(times):
        began = perf_counter()
        run()
        took.append(perf_counter() - began)
    return min(took)


def _ms(seconds: float | None) -> str:
    return "" if seconds is None else f"{1e3 * seconds:.3f}"
