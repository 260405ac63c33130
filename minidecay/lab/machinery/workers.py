"""Tasks over processes, one BLAS thread in each: no number depends on what runs beside it."""

import os
import signal
import threading
import time
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ProcessPoolExecutor, wait
from concurrent.futures.process import BrokenProcessPool
from contextlib import contextmanager, suppress
from multiprocessing import get_context
from queue import Empty
from typing import Any, TypeVar

from minidecay.console import Terminated, terminate

Result = TypeVar("Result")

ONE_THREAD = {
    "OMP_NUM_THREADS": "1",
    "OPENBLAS_NUM_THREADS": "1",
    "MKL_NUM_THREADS": "1",
    "VECLIB_MAXIMUM_THREADS": "1",
}

_progress: Any = None  # in a worker: the queue on which it tells of epochs done


class WorkerDied(RuntimeError):  # noqa: N818 (it is what happened)
    """A worker process ended without a word."""


def cores() -> int:
    """The cores that this process may use."""
    if hasattr(os, "sched_getaffinity"):
        return len(os.sched_getaffinity(0))
    return os.cpu_count() or 1


def epoch_done(count: int = 1) -> None:
    """Tell whoever waits that a task is `count` epochs further; outside of a worker, nobody."""
    if _progress is not None:
        _progress.put(count)


def run_tasks(
    function: Callable[..., Result],
    tasks: Sequence[tuple[Any, ...]],
    workers: int,
    *,
    epochs: int = 0,
    label: str = "",
) -> list[Result]:
    """`[function(*task) for task in tasks]`, over `workers` processes, with a bar of `epochs`.

    The first task that fails raises its error here, and the others are stopped; so does Ctrl-C.
    Workers end when this process does, however it does.

    Raises:
        WorkerDied: a worker was killed.
    """
    from tqdm import tqdm

    context = get_context("spawn")  # a fresh interpreter, which reads the thread counts
    progress, stop = context.Queue(), context.Event()
    begin = (os.getpid(), progress, stop)
    bar = tqdm(total=epochs, desc=label, unit="epoch", disable=None if epochs else True)
    with _environment(ONE_THREAD), bar, _noting_ctrl_c() as interrupts:
        pool = ProcessPoolExecutor(min(workers, len(tasks)), context, _begin, begin)
        try:
            with _deaf_children():
                futures = [pool.submit(function, *task) for task in tasks]
            waiting = set(futures)
            while waiting:
                done, waiting = wait(waiting, timeout=0.2)
                for future in done:
                    future.result()
                with suppress(Empty):
                    while True:
                        bar.update(progress.get_nowait())
                if interrupts:
                    raise interrupts[0]
            return [future.result() for future in futures]
        except BrokenProcessPool as error:
            if interrupts:  # a scheduler ends the workers with their parent
                raise interrupts[0] from None
            raise WorkerDied(
                "a worker process was killed, perhaps for want of memory; take fewer workers"
            ) from error
        except BaseException:
            stop.set()
            raise
        finally:
            pool.shutdown(cancel_futures=True)


def _begin(parent: int, progress: Any, stop: Any) -> None:
    """A worker's first act: leave Ctrl-C to the parent, and watch that it lives."""
    from tqdm import tqdm

    global _progress
    _progress = progress
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    tqdm.set_lock(threading.RLock())  # its own is a semaphore, which os._exit would leave behind

    def watch() -> None:
        while os.getppid() == parent and not stop.is_set():
            time.sleep(0.2)
        os._exit(1)  # files are renamed into place when they are whole, so nothing is torn

    threading.Thread(target=watch, daemon=True).start()


@contextmanager
def _noting_ctrl_c() -> Iterator[list[KeyboardInterrupt]]:
    """Ctrl-C, once or more, interrupts nothing meanwhile: it is noted in the list that this gives.

    So is SIGTERM, where a command is told of it.

    Between a worker's start and the pool's knowing of it, or while workers are being stopped, an
    interrupt would leave one behind whose queues are gone. What came too late to be looked at is
    raised at the end.
    """
    interrupts: list[KeyboardInterrupt] = []
    main = threading.current_thread() is threading.main_thread()  # no other may set a handler
    before = signal.getsignal(signal.SIGINT)
    if not main or before in (signal.SIG_IGN, None):
        yield interrupts
        return
    signal.signal(signal.SIGINT, lambda *_: interrupts.append(KeyboardInterrupt()))
    if told := signal.getsignal(signal.SIGTERM) is terminate:
        signal.signal(signal.SIGTERM, lambda *_: interrupts.append(Terminated()))
    try:
        yield interrupts
    finally:
        signal.signal(signal.SIGINT, before)
        if told:
            signal.signal(signal.SIGTERM, terminate)
    if interrupts:
        raise interrupts[0]


@contextmanager
def _deaf_children() -> Iterator[None]:
    """Processes that are started meanwhile never hear Ctrl-C, not even before they could say so."""
    if not hasattr(signal, "pthread_sigmask"):  # pragma: no cover (Windows)
        yield
        return
    before = signal.pthread_sigmask(signal.SIG_BLOCK, {signal.SIGINT})
    try:
        yield
    finally:
        signal.pthread_sigmask(signal.SIG_SETMASK, before)


@contextmanager
def _environment(variables: dict[str, str]) -> Iterator[None]:
    before = {name: os.environ.get(name) for name in variables}
    os.environ.update(variables)
    try:
        yield
    finally:
        for name, value in before.items():
            if value is None:
                os.environ.pop(name, None)
            else:
                os.environ[name] = value
