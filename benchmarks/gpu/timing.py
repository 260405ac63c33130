"""Time on a GPU: its own events, buffers in rotation, captured graphs, and sides in turns."""

import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import AbstractContextManager, contextmanager, nullcontext, suppress
from dataclasses import dataclass
from typing import Any

import numpy as np

LAUNCHES = 20  # at least, between two events
TURN_SECONDS = 2e-3  # at least; shorter ones are repeated, as events tell half a microsecond
PAUSE_SECONDS = 0.01  # before every turn, alike for all
ROTATION = 3  # times the L2 cache that the buffers of all calls come to
MOST_BUFFERS = 256

Run = Callable[[], object]
Within = Callable[[], AbstractContextManager[object]]


@dataclass(frozen=True)
class Side:
    """One that takes turns: calls on different buffers, made one after the other.

    Attributes:
        calls: each does the same work, on buffers of its own.
        capture: makes a graph of what a function enqueues, and returns how it is replayed; None
            where the calls are to be timed as they are launched.
        within: a context for all that the side does, such as torch's precision.
    """

    calls: Sequence[Run]
    capture: Callable[[Run], Run] | None = None
    within: Within = nullcontext


@dataclass
class Turn:
    """A side that is warm and ready: `run` makes `calls` calls.

    Attributes:
        method: "a graph of 20", or "20 launches".
        kept: what the last call on each buffer returned.
        made: how many calls there were until now.
    """

    run: Run
    calls: int
    method: str
    within: Within
    kept: list[Any]
    made: int


class Stopwatch:
    """A stream for all that is measured, and events on it.

    Args:
        cupy: the module.
        torch: the module, or None; its work goes on the same stream.
    """

    def __init__(self, cupy: Any, torch: Any = None) -> None:
        self.stream = cupy.cuda.Stream(non_blocking=True)
        self._cupy, self._torch = cupy, torch
        self._events = cupy.cuda.Event(), cupy.cuda.Event()
        self._external = torch.cuda.ExternalStream(self.stream.ptr) if torch else None

    @contextmanager
    def on_stream(self) -> Iterator[None]:
        """Within it both libraries launch on the stream that is timed."""
        theirs = self._torch.cuda.stream(self._external) if self._torch else nullcontext()
        with self.stream, theirs:
            yield

    def seconds(self, run: Run) -> float:
        """The GPU's time from before `run` to behind all that it enqueued."""
        start, end = self._events
        start.record(self.stream)
        run()
        end.record(self.stream)
        end.synchronize()
        return float(self._cupy.cuda.get_elapsed_time(start, end)) / 1e3

    def capture_ours(self, run: Run) -> Run:
        """A graph of what `run` launches through CuPy, by its replay."""
        self.stream.begin_capture()
        try:
            run()
        except BaseException:
            with suppress(Exception):
                self.stream.end_capture()
            raise
        graph = self.stream.end_capture()
        return lambda: graph.launch(self.stream)

    def capture_torchs(self, run: Run) -> Run:
        """A graph of what `run` launches through torch, by its replay."""
        graph = self._torch.cuda.CUDAGraph()
        with self._torch.cuda.graph(graph):
            run()
        return lambda: graph.replay()

    def ready(self, side: Side) -> Turn:
        """Warm a side up, and capture it where it can be."""
        calls = side.calls
        count = -(-LAUNCHES // len(calls)) * len(calls)
        kept: list[Any] = [None] * len(calls)

        def run() -> None:
            for i in range(count):
                kept[i % len(calls)] = calls[i % len(calls)]()

        method = f"{count} launches"
        repeated: Run = run
        with side.within():
            for _ in range(2):
                for i, call in enumerate(calls):
                    kept[i] = call()
            self.stream.synchronize()
            if side.capture:
                repeated = side.capture(run)
                method = f"a graph of {count}"
            repeated()
            times = max(1, round(TURN_SECONDS / max(self.seconds(repeated), 1e-6)))

        def turn() -> None:
            for _ in range(times):
                repeated()

        made = 2 * len(calls) + 2 * count
        return Turn(turn, count * times, method, side.within, kept, made)

    def compare(self, turns: Mapping[str, Turn], rounds: int) -> dict[str, Any]:
        """All sides in turns, A B A B; the next round goes the other way about.

        Returns:
            "seconds", of a call, and "ratio", each side's seconds over the first one's in the same
            round: dicts of "median", "p10", "p90" and "rounds" by side.
        """
        seconds: dict[str, list[float]] = {name: [] for name in turns}
        for number in range(rounds):
            for name in list(turns)[:: -1 if number % 2 else 1]:
                turn = turns[name]
                time.sleep(PAUSE_SECONDS)
                with turn.within():
                    seconds[name].append(self.seconds(turn.run) / turn.calls)
        first, *others = turns
        ratios = {
            name: [
                theirs / ours for theirs, ours in zip(seconds[name], seconds[first], strict=True)
            ]
            for name in others
        }
        return {
            "seconds": {name: spread(values) for name, values in seconds.items()},
            "ratio": {name: spread(values) for name, values in ratios.items()},
        }


def buffers(nbytes: int, cache: int) -> int:
    """How many sets of buffers of `nbytes` are more than the cache holds, three times over."""
    return max(1, min(MOST_BUFFERS, -(-ROTATION * cache // max(1, nbytes))))


def spread(values: Sequence[float]) -> dict[str, Any]:
    """Median, 10th and 90th percentile, and the values of all rounds."""
    p10, median, p90 = (float(np.percentile(values, q)) for q in (10, 50, 90))
    return {"median": median, "p10": p10, "p90": p90, "rounds": list(values)}
