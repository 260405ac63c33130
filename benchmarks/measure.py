"""How a case is measured: first that both sides agree, then both in turn, many times.

`python -m benchmarks.measure THREADS ROUNDS CASE...` measures in a process of its own, whose
libraries read the number of threads as they load, and prints a report in JSON; `cpu.py` starts it.
"""

import gc
import json
import math
import os
import platform
import re
import subprocess
import sys
import time
from collections.abc import Sequence
from contextlib import suppress
from pathlib import Path
from typing import Any

import numpy as np
from tqdm import tqdm

from benchmarks.case import Case, Step
from benchmarks.cases import CASES
from minidecay.lab.machinery.workers import cores
from minidecay.training import environment

CHECKED_STEPS = 10
TOLERANCE = 1e-4  # relative, of every loss or array in each of the checked steps
ROUND_SECONDS = 0.02  # at least this long is each side's turn in a round
SETTLE_SECONDS = 0.1  # with threads: a library's idle ones spin for some 30 ms before they sleep
UNDISTURBED = 0.95  # the share of its cores that a measurement must have had
_MATTERS = re.compile(
    "(OPENBLAS|OMP|GOMP|KMP|MKL|BLIS|VECLIB|ONEDNN|DNNL|ATEN|MALLOC)_|NPY_|GLIBC_TUN|LD_PRELOAD"
)


def compare(case: Case, rounds: int, threads: int = 1) -> dict[str, Any]:
    """Measure both sides of `case` in alternating turns; without torch, ours alone.

    A round gives each side one turn of `steps` steps, at least `ROUND_SECONDS` long, and the next
    round changes who goes first. A turn begins with a step that is not timed; where there are
    several threads it begins with a pause, as the other side's still spin on the cores.

    Returns:
        "name" and "kind"; "agrees", and "difference", the largest relative one of the first
        `CHECKED_STEPS` steps (None without torch). Unless they disagree, also "steps"; "seconds" a
        step, by side; "ratio", torch's seconds over ours in the same round (None without torch);
        and "disturbed". Seconds and ratio are dicts of "median", "p10", "p90" and "rounds".
    """
    result: dict[str, Any] = {"name": case.name, "kind": case.kind}
    result |= {"agrees": True, "difference": None}
    sides = {"minidecay": case.ours()}
    try:
        sides["torch"] = case.theirs()
    except ModuleNotFoundError as error:
        if error.name != "torch":
            raise
    if "torch" in sides:
        result["difference"] = difference(sides["minidecay"], sides["torch"])
        result["agrees"] = result["difference"] <= TOLERANCE  # False where it is NaN
        if not result["agrees"]:
            return result
    steps = _steps_a_turn(list(sides.values()), threads)
    seconds: dict[str, list[float]] = {side: [] for side in sides}
    gc.collect()
    before = _clocks()
    for number in range(rounds):
        for side in list(sides)[:: -1 if number % 2 else 1]:
            seconds[side].append(_turn(sides[side], steps, threads) / steps)
    disturbed = _disturbed(before, threads)
    ratio = None
    if "torch" in sides:
        pairs = zip(seconds["torch"], seconds["minidecay"], strict=True)
        ratio = _spread([theirs / ours for theirs, ours in pairs])
    spreads = {side: _spread(values) for side, values in seconds.items()}
    return {**result, "steps": steps, "seconds": spreads, "ratio": ratio, "disturbed": disturbed}


def difference(ours: Step, theirs: Step) -> float:
    """The largest ‖ours - theirs‖ / ‖theirs‖ of any output in the first steps; NaN if any is."""
    found = []
    for _ in range(CHECKED_STEPS):
        for a, b in zip(_outputs(ours()), _outputs(theirs()), strict=True):
            if a.shape != b.shape:
                return float("inf")
            found.append(np.linalg.norm(a - b) / np.linalg.norm(b))
    return float(np.max(found))


def report(threads: int, rounds: int, names: Sequence[str]) -> dict[str, Any]:
    """Measure the named cases in this process, which was started with `threads` BLAS threads."""
    variables = {name: value for name, value in sorted(os.environ.items()) if _MATTERS.match(name)}
    machine = {**environment(), "cpu": cpu_model(), "cores": cores(), "load": _load()}
    machine |= {"variables": variables, "blas_in_use": blas_in_use()}  # before torch loads its own
    machine["torch"] = use_torch(threads)
    chosen = [case for case in CASES if case.name in names]
    bar = tqdm(chosen, desc=f"threads: {threads}", unit="case", disable=None, leave=False)
    results = [compare(case, rounds, threads) for case in bar]
    return {"threads": threads, "rounds": rounds, "environment": machine, "results": results}


def use_torch(threads: int) -> dict[str, Any] | None:
    """Give torch its number of threads and say which torch it is; None where there is none."""
    try:
        import torch
    except ImportError:
        return None
    from benchmarks import torch_side

    torch.set_num_threads(threads)
    return torch_side.report()


def blas_in_use() -> dict[str, Any] | None:
    """NumPy's BLAS as threadpoolctl sees it at work; None without threadpoolctl, or unknown to it.

    Its "architecture" is the processor that OpenBLAS computes for.
    """
    try:
        from threadpoolctl import threadpool_info  # type: ignore[import-untyped]
    except ImportError:
        return None
    found = [pool for pool in threadpool_info() if pool["user_api"] == "blas"]
    keys = ("internal_api", "version", "architecture", "num_threads", "threading_layer")
    return {key: found[0].get(key) for key in keys} if found else None


def cpu_model() -> str:
    """The processor's name."""
    listed = Path("/proc/cpuinfo")
    if listed.exists() and (name := re.search(r"model name\s*: (.+)", listed.read_text())):
        return name[1]
    if sys.platform == "darwin":
        command = ["sysctl", "-n", "machdep.cpu.brand_string"]
        return subprocess.run(command, capture_output=True, text=True, check=False).stdout.strip()
    return platform.processor() or platform.machine()


def _outputs(value: Any) -> list[np.ndarray]:
    return [np.asarray(each) for each in (value if isinstance(value, Sequence) else [value])]


def _steps_a_turn(sides: Sequence[Step], threads: int) -> int:
    """The power of two of steps that takes even the faster side `ROUND_SECONDS`; warms both up."""
    steps = 1
    while min([_turn(side, steps, threads) for side in sides]) < ROUND_SECONDS:
        steps *= 2
    return steps


def _turn(step: Step, steps: int, threads: int) -> float:
    if threads > 1:
        time.sleep(SETTLE_SECONDS)
    step()  # brings back into the caches what the other side pushed out
    began = time.perf_counter()
    for _ in range(steps):
        step()
    return time.perf_counter() - began


def _spread(values: list[float]) -> dict[str, Any]:
    p10, median, p90 = (float(np.percentile(values, q)) for q in (10, 50, 90))
    return {"median": median, "p10": p10, "p90": p90, "rounds": values}


def _clocks() -> tuple[float, float, float]:
    """Seconds: those that passed, of CPU time of this process, and of all (NaN where unknown)."""
    everybody, listed = math.nan, Path("/proc/stat")
    if listed.exists():  # Linux
        user, nice, system, _idle, _waiting, *rest = map(int, listed.read_text().split()[1:9])
        everybody = (user + nice + system + sum(rest)) / os.sysconf("SC_CLK_TCK")
    return time.perf_counter(), time.process_time(), everybody


def _disturbed(before: tuple[float, float, float], threads: int) -> bool:
    """Whether, since `before`, other work took cores that the measurement needed, as far as known.

    One thread must have had a core all the time. Several wait for each other as well, so there
    the other processes must have left that many cores free.
    """
    wall, own, everybody = np.subtract(_clocks(), before)
    had = own / wall if threads == 1 else (os.cpu_count() or 1) - (everybody - own) / wall
    return bool(had < UNDISTURBED * threads)


def _load() -> float | None:
    return os.getloadavg()[0] if hasattr(os, "getloadavg") else None


if __name__ == "__main__":
    with suppress(KeyboardInterrupt):  # the parent had it too, and says so
        print(json.dumps(report(int(sys.argv[1]), int(sys.argv[2]), sys.argv[3:])))
