"""Whole training steps against torch: eager, compiled, and captured into CUDA graphs."""

from collections.abc import Callable, Mapping, Sequence
from contextlib import nullcontext
from functools import partial
from typing import Any

import numpy as np

from benchmarks.case import BATCHES, Case, Step
from benchmarks.gpu.timing import Run, Side, Stopwatch, Turn, Within
from benchmarks.measure import CHECKED_STEPS, TOLERANCE

Result = dict[str, Any]


def step(case: Case, torch: Any, watch: Stopwatch, rounds: int) -> Result:
    """Ours, eager and captured, beside torch's, eager and captured, in both precisions.

    The first losses are held to those of the device `cpu` before anything is timed, and those of
    our captured step to an eager one's.
    """
    result = _checked(case)
    if not result["agrees"]:
        return result
    sides = {
        "minidecay": _side(case.ours("cuda")),
        "minidecay, graph": _side(case.ours("cuda"), watch.capture_ours),
    }
    for kind in ("fp32", "tf32") if torch else ():
        from benchmarks.torch_side import precision

        within = partial(precision, kind)
        with within():
            error = _off(case.theirs("cuda"), case.ours())
        result["error"][f"torch {kind}"] = error
        sides[f"torch eager {kind}"] = _side(case.theirs("cuda"), None, within)
        sides[f"torch graph {kind}"] = _side(case.theirs("cuda"), watch.capture_torchs, within)
    turns = _ready(sides, watch, result)
    if "minidecay, graph" in turns:
        result["error"]["minidecay, graph"] = error = _captured_off(case, turns["minidecay, graph"])
        result["agrees"] = bool(error <= TOLERANCE)
        if not result["agrees"]:
            return result
    return {**result, **watch.compare(turns, rounds)}


def compiled_step(case: Case, torch: Any, watch: Stopwatch, rounds: int) -> Result:
    """Ours, eager, beside torch.compile's in float32; compiling is not in the time."""
    from benchmarks.torch_side import precision

    result = _checked(case)
    if not result["agrees"]:
        return result
    within = partial(precision, "fp32")
    sides = {
        "minidecay": _side(case.ours("cuda")),
        "torch.compile fp32": _side(case.theirs("cuda", compiled=True), None, within),
    }
    return {**result, **watch.compare(_ready(sides, watch, result), rounds)}


def _checked(case: Case) -> Result:
    """The head of a result: how far our losses are off the cpu's."""
    error = _off(case.ours("cuda"), case.ours())
    return {
        "case": case.name,
        "family": "step",
        "error": {"minidecay": error},
        "agrees": bool(error <= TOLERANCE),  # False where it is NaN
        "method": {},
        "failed": {},
    }


def _side(
    step: Step, capture: Callable[[Run], Run] | None = None, within: Within = nullcontext
) -> Side:
    """A step takes the batches in turn by itself."""
    return Side([step] * BATCHES, capture, within)


def _ready(sides: Mapping[str, Side], watch: Stopwatch, result: Result) -> dict[str, Turn]:
    """The sides that can be warmed up and captured; what happened to the others is in the result.

    Raises:
        Exception: our own eager step failed.
    """
    turns = {}
    for name, side in sides.items():
        try:
            turns[name] = watch.ready(side)
        except Exception as error:
            if name == "minidecay":
                raise
            result["failed"][name] = f"{type(error).__name__}: {error}"[:300]
        else:
            result["method"][name] = turns[name].method
    return turns


def _off(step: Step, exact: Step) -> float:
    """The largest relative difference of the first losses."""
    return _difference(*([float(each()) for _ in range(CHECKED_STEPS)] for each in (step, exact)))


def _captured_off(case: Case, turn: Turn) -> float:
    """The same of the last losses of a captured step, against as many eager ones."""
    eager = case.ours("cuda")
    losses = [eager() for _ in range(turn.made)][-len(turn.kept) :]
    return _difference([float(x) for x in turn.kept], [float(x) for x in losses])


def _difference(losses: Sequence[float], exact: Sequence[float]) -> float:
    return float(np.max(np.abs(np.subtract(losses, exact)) / np.abs(exact)))
