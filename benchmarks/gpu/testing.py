"""The tests marked gpu, under `supervise.py`: this module is also a plugin of pytest's.

Where a test has left the GPU's context unusable, all that followed would fail for its sake: the
plugin stops the session, and the next one goes on behind that test.
"""

import re
import sys
import time
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any

import pytest

from benchmarks.gpu import supervise
from benchmarks.gpu.supervise import ROOT, Progress

PATIENCE = 120.0  # seconds; a kernel's file is up to some fifty compilations
_KERNEL = re.compile(r"tests/gpu/test_gpu_kernels\.py::test_a_kernel_computes_\w+\[(.+)\]")


def run_tests(
    paths: Sequence[str],
    folder: Path,
    output: Path,
    seconds: float,
    seen: Callable[[Mapping[str, Any]], None],
) -> Progress:
    """Run what is marked gpu, in `paths` or everywhere."""
    options = ["-m", "gpu", "-q", "--tb=short", "-p", "no:cacheprovider"]
    # Libraries of a machine that we do not know may warn as they like.
    command = [sys.executable, "-m", "pytest", "-p", __name__, "-W", "default", *options]
    return supervise.work_through(
        [*command, f"--rootdir={ROOT}", *(str(ROOT / path) for path in paths)],
        folder,
        output,
        deadline=time.monotonic() + seconds,
        patience=PATIENCE,
        seen=seen,
    )


def summary(progress: Progress) -> dict[str, Any]:
    """Counts, and what failed by name."""
    outcomes = [event["outcome"] for event in progress.done.values()]
    failed = {
        name: event["message"]
        for name, event in progress.done.items()
        if event["outcome"] == "failed"
    }
    return {
        "passed": outcomes.count("passed"),
        "skipped": outcomes.count("skipped"),
        "failed": {**failed, **progress.broken},
        "not_run": progress.unfinished,
        "trouble": progress.trouble,
    }


def kernels(progress: Progress) -> dict[str, bool]:
    """Each kernel file that was run on all of its cases: whether it computed what it must."""
    outcomes = {name: event["outcome"] == "passed" for name, event in progress.done.items()}
    outcomes |= dict.fromkeys(progress.broken, False)
    found = {name: _KERNEL.fullmatch(name) for name in outcomes}
    return {match[1]: outcomes[name] for name, match in found.items() if match}


# -- the plugin ----------------------------------------------------------------------------------
class _Session:
    """What the hooks below tell each other."""

    session: Any = None
    outcome, message = "passed", ""


def pytest_sessionstart(session: Any) -> None:
    _Session.session = session


@pytest.hookimpl(trylast=True)  # when those that are not marked are gone
def pytest_collection_modifyitems(items: list[Any]) -> None:
    # Kernels first, then primitives and steps, then what every device is asked.
    items.sort(key=lambda item: not item.nodeid.startswith("tests/gpu/"))
    supervise.report("plan", names=[item.nodeid for item in items])
    done = supervise.skipped()
    items[:] = [item for item in items if item.nodeid not in done]


def pytest_runtest_logstart(nodeid: str) -> None:
    _Session.outcome, _Session.message = "passed", ""
    supervise.report("start", name=nodeid)


def pytest_runtest_logreport(report: Any) -> None:
    if report.outcome == "passed" or _Session.outcome == "failed":
        return
    crash = getattr(report.longrepr, "reprcrash", None)
    _Session.outcome, _Session.message = report.outcome, crash.message if crash else ""


def pytest_runtest_logfinish(nodeid: str) -> None:
    message = _Session.message.splitlines()
    told = {"outcome": _Session.outcome, "message": message[0][:300] if message else ""}
    supervise.report("done", name=nodeid, **told)
    if _Session.outcome == "failed" and not _usable():
        _Session.session.shouldfail = f"the GPU's context is lost after {nodeid}"


def _usable() -> bool:
    try:
        import cupy

        cupy.cuda.Device().synchronize()
    except Exception:
        return False
    return True
