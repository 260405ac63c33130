"""Tasks over processes: in order, alike whatever runs beside, and gone when they should be."""

import os
import signal
import subprocess
import sys
import time
from concurrent.futures import ProcessPoolExecutor
from pathlib import Path
from threading import Event, Thread

import pytest

from minidecay.lab.machinery import workers
from minidecay.lab.machinery.workers import ONE_THREAD, WorkerDied, run_tasks
from minidecay.training import Diverged

posix = pytest.mark.skipif(sys.platform == "win32", reason="needs signals")
PATIENCE = 60  # seconds until a test gives up; none of them takes long where all is well


def until(condition):
    """Wait for something that another process does."""
    end = time.monotonic() + PATIENCE
    while not (seen := condition()):
        assert time.monotonic() < end
        time.sleep(0.02)
    return seen


def ended(pid):
    """Whether a process runs no more, even if nobody has asked for its exit code yet."""
    stat = Path(f"/proc/{pid}/stat")
    try:
        os.kill(pid, 0)
        return stat.exists() and stat.read_text().rpartition(")")[2].split()[0] == "Z"
    except (FileNotFoundError, ProcessLookupError):
        return True


def announce(path):
    """A file with this process's id, there as soon as it is whole."""
    aside = path.with_suffix(".tmp")
    aside.write_text(str(os.getpid()))
    aside.rename(path)


def announced(path):
    until(path.exists)
    return int(path.read_text())


def late(number, path):
    """The task of number 0 ends after the task of number 1."""
    if number:
        announce(path)
    else:
        announced(path)
    return number


def fail_beside(path):
    announced(path)
    raise ValueError("no more")


def hang(path):
    announce(path)
    time.sleep(2 * PATIENCE)
    path.with_suffix(".over").touch()


def hang_in(paths):
    run_tasks(hang, [(Path(path),) for path in paths], workers=2)


def surroundings():
    return {name: os.environ.get(name) for name in ONE_THREAD}


def survive_ctrl_c():
    os.kill(os.getpid(), signal.SIGINT)
    return "blocked" if signal.SIGINT in signal.pthread_sigmask(signal.SIG_BLOCK, []) else "not"


def die():
    os.kill(os.getpid(), signal.SIGKILL)


def diverge():
    raise Diverged({"epoch": 2, "step": 5, "lr": 0.3, "loss": float("nan")}, "seed 1, decay")


def report(path):
    workers.epoch_done(3)
    until(path.exists)  # until the bar has heard of it


def test_results_come_in_the_order_of_the_tasks(tmp_path):
    tasks = [(number, tmp_path / "second") for number in (0, 1, 2)]
    assert run_tasks(late, tasks, workers=2) == [0, 1, 2]


def test_the_first_error_is_raised_and_what_else_runs_or_waits_is_stopped(tmp_path):
    running, waiting = tmp_path / "running", tmp_path / "waiting"
    tasks = [(hang, running), (fail_beside, running), *[(hang, waiting)] * 5]
    with pytest.raises(ValueError, match="no more"):
        run_tasks(_call, tasks, workers=2)
    pids = [int(path.read_text()) for path in (running, waiting) if path.exists()]
    until(lambda: all(map(ended, pids)))
    assert pids and not running.with_suffix(".over").exists()


def _call(function, *arguments):
    return function(*arguments)


@posix
def test_workers_end_with_their_parent_even_when_that_is_killed(tmp_path):
    paths = [tmp_path / "a", tmp_path / "b"]
    command = [sys.executable, "-c", "import test_workers, sys; test_workers.hang_in(sys.argv[1:])"]
    environ = os.environ | {"PYTHONPATH": os.pathsep.join(sys.path)}
    with subprocess.Popen(
        [*command, *map(str, paths)], env=environ, stderr=subprocess.DEVNULL
    ) as parent:
        pids = [announced(path) for path in paths]
        assert not any(map(ended, pids))
        parent.kill()
    for pid in pids:
        until(lambda pid=pid: ended(pid))


@pytest.mark.parametrize("failing", [False, True])
def test_a_worker_has_one_blas_thread_and_the_parent_what_it_had(monkeypatch, failing):
    monkeypatch.setenv("OMP_NUM_THREADS", "7")
    monkeypatch.delenv("OPENBLAS_NUM_THREADS", raising=False)
    before = dict(os.environ)
    if failing:
        with pytest.raises(ValueError, match="no more"):
            run_tasks(_refuse, [()], workers=1)
    else:
        (seen,) = run_tasks(surroundings, [()], workers=1)
        assert set(seen.values()) == {"1"} and "OPENBLAS_NUM_THREADS" in seen
    assert dict(os.environ) == before


def _refuse():
    raise ValueError("no more")


@posix
def test_ctrl_c_is_left_to_the_parent():
    before = signal.pthread_sigmask(signal.SIG_BLOCK, [])
    assert run_tasks(survive_ctrl_c, [()], workers=1) == ["blocked"]  # since its first moment
    assert signal.pthread_sigmask(signal.SIG_BLOCK, []) == before
    assert signal.getsignal(signal.SIGINT) is signal.default_int_handler


@posix
def test_ctrl_c_at_any_moment_leaves_no_worker_that_nobody_waits_for(monkeypatch):
    now, interrupted, pools = Event(), Event(), []

    def one_of_blas_threads():  # it takes the signal where this thread has blocked it
        now.wait(PATIENCE)
        signal.raise_signal(signal.SIGINT)
        interrupted.set()

    class Pool(ProcessPoolExecutor):
        def submit(self, *task):
            now.set()
            interrupted.wait(PATIENCE)
            return super().submit(*task)

        def shutdown(self, *args, **kwargs):
            signal.raise_signal(signal.SIGINT)  # again
            super().shutdown(*args, **kwargs)
            pools.append(self)

    monkeypatch.setattr(workers, "ProcessPoolExecutor", Pool)
    Thread(target=one_of_blas_threads).start()
    with pytest.raises(KeyboardInterrupt):
        run_tasks(time.sleep, [(PATIENCE,)] * 2, workers=2)
    assert pools and pools[0]._processes is None  # they were waited for
    assert signal.getsignal(signal.SIGINT) is signal.default_int_handler


@posix
def test_ctrl_c_stays_ignored_where_it_was(monkeypatch):
    class Pool(ProcessPoolExecutor):
        def shutdown(self, *args, **kwargs):
            signal.raise_signal(signal.SIGINT)
            super().shutdown(*args, **kwargs)

    monkeypatch.setattr(workers, "ProcessPoolExecutor", Pool)
    before = signal.signal(signal.SIGINT, signal.SIG_IGN)
    try:
        assert run_tasks(sum, [([1, 2],)], workers=1) == [3]
    finally:
        assert signal.signal(signal.SIGINT, before) is signal.SIG_IGN


@posix
def test_a_worker_that_is_killed_is_told_in_a_line():
    with pytest.raises(WorkerDied, match=r"^a worker process was killed.*; take fewer workers$"):
        run_tasks(die, [()], workers=1)


def test_an_error_leaves_its_worker_whole():
    with pytest.raises(Diverged, match="seed 1, decay: the loss became nan in epoch 2") as told:
        run_tasks(diverge, [()], workers=1)
    assert told.value.record["step"] == 5


def test_the_bar_hears_of_every_epoch_while_tasks_run(tmp_path, monkeypatch):
    class Bar:
        def __init__(self, **options):
            assert options["total"] == 6 and options["desc"] == "noise"

        def __enter__(self):
            return self

        def __exit__(self, *_):
            pass

        def update(self, count):
            heard.append(count)
            if len(heard) == 2:
                announce(tmp_path / "heard")

    heard = []
    monkeypatch.setattr("tqdm.tqdm", Bar)
    run_tasks(report, [(tmp_path / "heard",)] * 2, workers=2, epochs=6, label="noise")
    assert heard == [3, 3]


def test_outside_of_a_worker_nobody_hears_of_epochs():
    workers.epoch_done()


def test_there_is_a_core_to_run_on(monkeypatch):
    assert 1 <= workers.cores() <= os.cpu_count()
    monkeypatch.delattr(os, "sched_getaffinity", raising=False)
    assert workers.cores() == os.cpu_count()
