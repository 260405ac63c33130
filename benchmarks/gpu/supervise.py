"""A process that works through named things, told what it must not do again when it breaks off.

The child appends a line of JSON to its log for each event: {"event": "plan", "names": [...]} once
it knows what there is, {"event": "start", "name": ...} and {"event": "done", "name": ..., ...}. A
child that hangs in the middle of a thing, or ends there, costs that thing; the next child goes on
behind it.
"""

import json
import os
import signal
import subprocess
import time
from collections.abc import Callable, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass, field
from itertools import count
from pathlib import Path
from typing import Any

from minidecay.files import read_json_lines

ROOT = Path(__file__).resolve().parents[2]
LOG, SKIP = "BENCHMARK_LOG", "BENCHMARK_SKIP"  # environment variables of the child
POLL = 0.1  # seconds
OUT_OF_TIME = "no time left"


@dataclass
class Progress:
    """What came of it.

    Attributes:
        done: a thing's name -> its last event.
        broken: a thing's name -> what became of the process: "died by SIGSEGV", "hung: ...".
        unfinished: the names of what was planned and never begun.
        trouble: why it ended early, or "" where the child ended by itself.
    """

    done: dict[str, dict[str, Any]] = field(default_factory=dict)
    broken: dict[str, str] = field(default_factory=dict)
    unfinished: list[str] = field(default_factory=list)
    trouble: str = ""


def work_through(
    command: Sequence[str],
    folder: Path,
    output: Path,
    *,
    deadline: float,
    patience: float,
    seen: Callable[[Mapping[str, Any]], None] = lambda event: None,
) -> Progress:
    """Run `command`, again and again, until all of its things are done or `deadline` has come.

    Args:
        command: the child. It finds its log's path in the environment's BENCHMARK_LOG, and in
            BENCHMARK_SKIP that of a list of names, a JSON array, to leave out. Exit code 0 says
            that what it left out it left on purpose.
        folder: for the logs and the list.
        output: a file for what the child prints.
        deadline: as time.monotonic() counts.
        patience: seconds without an event after which it counts as hung.
        seen: called with each event as it comes.
    """
    progress, planned = Progress(), []
    for number in count():
        log, skip = folder / f"log-{number}.jsonl", folder / "skip.json"
        skip.write_text(json.dumps([*progress.done, *progress.broken]))
        before = len(progress.done) + len(progress.broken)
        begun = None

        def hear(event: Mapping[str, Any]) -> None:
            nonlocal planned, begun
            match event["event"]:
                case "plan":
                    planned = event["names"]
                case "start":
                    begun = event["name"]
                case "done":
                    progress.done[event["name"]], begun = dict(event), None
            seen(event)

        how = _one_child(command, log, skip, output, deadline, patience, hear)
        if begun is not None and how != OUT_OF_TIME:
            progress.broken[begun] = how = how or "ended in the middle of it"
        handled = {*progress.done, *progress.broken}
        progress.unfinished = [name for name in planned if name not in handled]
        if how == OUT_OF_TIME or (how and len(handled) == before):
            progress.trouble = how
        if progress.trouble or not how or not progress.unfinished:
            return progress
    raise AssertionError("counting does not end")


def _one_child(
    command: Sequence[str],
    log: Path,
    skip: Path,
    output: Path,
    deadline: float,
    patience: float,
    hear: Callable[[Mapping[str, Any]], None],
) -> str:
    """Run one child; how it ended, "" where well."""
    environment = {**os.environ, LOG: str(log), SKIP: str(skip), "PYTHONUNBUFFERED": "1"}
    log.touch()
    with open(output, "ab") as printed:
        child = subprocess.Popen(
            command,
            cwd=ROOT,
            env=environment,
            stdout=printed,
            stderr=subprocess.STDOUT,
            start_new_session=True,
        )
    heard, last = 0, time.monotonic()
    try:
        while True:
            ended = child.poll() is not None  # asked before the log is read: nothing comes after
            for event in read_json_lines(log)[heard:]:
                heard, last = heard + 1, time.monotonic()
                hear(event)
            if ended:
                return _how_it_ended(child.returncode)
            if time.monotonic() > deadline:
                return OUT_OF_TIME
            if time.monotonic() - last > patience:
                return f"hung: nothing came for {patience:.0f} s"
            time.sleep(POLL)
    finally:
        _end(child)


def _end(child: "subprocess.Popen[bytes]") -> None:
    """End the child and its children, which it may have left; it is the head of its own session."""
    with suppress(ProcessLookupError, PermissionError):
        if hasattr(os, "killpg"):
            os.killpg(child.pid, signal.SIGKILL)
        else:
            child.kill()
    child.wait()


def _how_it_ended(code: int) -> str:
    if code < 0:
        return f"died by {signal.Signals(-code).name}"
    return f"ended with exit code {code}" if code else ""


def report(event: str, **what: Any) -> None:
    """In the child: append an event to the log; nothing where there is none."""
    if path := os.environ.get(LOG):
        with open(path, "a") as log:
            log.write(json.dumps({"event": event, **what}) + "\n")


def skipped() -> set[str]:
    """In the child: the names to leave out."""
    path = os.environ.get(SKIP)
    return set(json.loads(Path(path).read_text())) if path else set()
