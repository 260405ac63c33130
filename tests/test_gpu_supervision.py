"""Processes under supervision: what breaks, hangs or runs late costs itself and nothing else."""

import os
import sys
import textwrap
import time

import pytest

from benchmarks.gpu import supervise, testing

CHILD = """
import json, os, signal, sys, time
def tell(event, **what):
    with open(os.environ["BENCHMARK_LOG"], "a") as log:
        log.write(json.dumps({"event": event, **what}) + "\\n")
names = ["a", "b", "c"]
tell("plan", names=names)
skip = json.load(open(os.environ["BENCHMARK_SKIP"]))
for name in names:
    if name not in skip:
        tell("start", name=name)
        if name == "b": exec(sys.argv[1])
        tell("done", name=name)
exec(sys.argv[2])
"""


def supervised(tmp_path, at_b="pass", at_end="pass", seconds=30.0, patience=20.0, code=CHILD):
    return supervise.work_through(
        [sys.executable, "-c", code, at_b, at_end],
        tmp_path,
        tmp_path / "printed.log",
        deadline=time.monotonic() + seconds,
        patience=patience,
    )


@pytest.mark.parametrize(
    ("at_b", "how"),
    [
        ("os.kill(os.getpid(), signal.SIGSEGV)", "died by SIGSEGV"),
        ("sys.exit(7)", "ended with exit code 7"),
        ("sys.exit(0)", "ended in the middle of it"),
    ],
)
def test_a_child_that_breaks_off_costs_what_it_was_at(tmp_path, at_b, how):
    progress = supervised(tmp_path, at_b)
    assert set(progress.done) == {"a", "c"}
    assert progress.broken == {"b": how}
    assert (progress.unfinished, progress.trouble) == ([], "")


def test_a_child_that_hangs_is_ended_and_the_next_goes_on(tmp_path):
    progress = supervised(tmp_path, "time.sleep(60)", patience=1.0)
    assert set(progress.done) == {"a", "c"}
    assert progress.broken["b"].startswith("hung: nothing came for 1 s")


def test_the_deadline_ends_all(tmp_path):
    progress = supervised(tmp_path, "time.sleep(60)", seconds=1.5)
    assert progress.trouble == supervise.OUT_OF_TIME
    assert progress.unfinished == ["b", "c"]


def test_a_child_that_leaves_the_rest_on_purpose_is_not_started_again(tmp_path):
    progress = supervised(tmp_path, code=CHILD.replace("if name not in skip", "if name == 'c'"))
    assert set(progress.done) == {"c"}
    assert progress.unfinished == ["a", "b"]
    assert len(list(tmp_path.glob("log-*.jsonl"))) == 1


def test_a_child_that_lost_its_gpu_is_started_again_for_the_rest(tmp_path):
    at_b = "tell('done', name='b'); sys.exit(3)"
    progress = supervised(tmp_path, at_b)
    assert set(progress.done) == {"a", "b", "c"}
    assert len(list(tmp_path.glob("log-*.jsonl"))) == 2


def test_a_child_that_cannot_start_is_trouble(tmp_path):
    progress = supervised(tmp_path, code="import nothing_of_that_name")
    assert progress.trouble == "ended with exit code 1"
    assert "nothing_of_that_name" in (tmp_path / "printed.log").read_text()


# -- the tests on a GPU --------------------------------------------------------------------------
def test_a_test_that_breaks_the_context_hides_no_other(tmp_path, monkeypatch):
    broken = tmp_path / "broken"
    (tmp_path / "cupy.py").write_text(
        textwrap.dedent(f"""
        import os
        class Device:
            def synchronize(self):
                path = {str(broken)!r}
                if os.path.exists(path) and open(path).read() == str(os.getpid()):
                    raise RuntimeError("cudaErrorIllegalAddress")
        class cuda: Device = Device
        """)
    )
    (tmp_path / "test_three.py").write_text(
        textwrap.dedent(f"""
        import os, pytest
        pytestmark = pytest.mark.gpu
        def usable():
            import cupy
            cupy.cuda.Device().synchronize()
        def test_first(): usable()
        def test_second():
            open({str(broken)!r}, "w").write(str(os.getpid()))
            usable()
        def test_third(): usable()
        def test_fourth(): assert 1 == 2, "an ordinary failure"
        def test_fifth(): pytest.skip("not here")
        """)
    )
    monkeypatch.setenv(
        "PYTHONPATH", os.pathsep.join([str(tmp_path), os.environ.get("PYTHONPATH", "")])
    )
    folder = tmp_path / "logs"
    folder.mkdir()
    path = str(tmp_path / "test_three.py")
    progress = testing.run_tests([path], folder, tmp_path / "tests.log", 60, lambda event: None)
    told = testing.summary(progress)
    assert (told["passed"], told["skipped"], told["not_run"]) == (2, 1, [])
    failed = {name.split("::")[1]: why for name, why in told["failed"].items()}
    assert failed == {
        "test_second": "RuntimeError: cudaErrorIllegalAddress",
        "test_fourth": "AssertionError: an ordinary failure",
    }
    assert len(list(folder.glob("log-*.jsonl"))) == 2


def test_kernels_are_known_by_their_tests():
    where = "tests/gpu/test_gpu_kernels.py::test_a_kernel_computes_what_it_must"
    progress = supervise.Progress(
        done={
            f"{where}[matmul/01_naive]": {"outcome": "passed"},
            f"{where}[fused/sgd]": {"outcome": "failed"},
            "tests/other.py::test_x[fused/reduce]": {"outcome": "passed"},
        },
        broken={f"{where}[fused/pooling]": "died by SIGSEGV"},
    )
    assert testing.kernels(progress) == {
        "matmul/01_naive": True,
        "fused/sgd": False,
        "fused/pooling": False,
    }
