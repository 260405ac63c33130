"""The run folder: what is written survives kill -9, what is damaged or foreign is told apart."""

import inspect
import json
import math
import os
import random
import signal
import subprocess
import sys
import tempfile
import time
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp

from minidecay import files
from minidecay.training.run_folder import Checkpoint, RunFolder, RunFolderError

CONFIG = {"seed": 0, "lr": {"start": 0.1, "milestones": [5, 10]}, "name": "decay"}
posix = pytest.mark.skipif(sys.platform == "win32", reason="needs fork and kill -9")


def toy_run(path, epochs):
    """A run in small: noise that depends on all of the state. Prints each epoch when it is safe."""
    rng, weight = np.random.Generator(np.random.Philox(3)), np.zeros(50, np.float32)
    with RunFolder(path, {"seed": 3}, resume=True) as run:
        done = run.load_checkpoint()
        if done:
            rng.bit_generator.state, weight = done.state["rng"], done.arrays["model/weight"]
        for epoch in range(done.epoch + 1 if done else 1, epochs + 1):
            weight = np.float32(0.9) * weight + rng.normal(size=50).astype(np.float32)
            run.append({"epoch": epoch, "norm": np.linalg.norm(weight)})
            state = {"rng": rng.bit_generator.state}
            run.save_checkpoint(epoch, {"model/weight": weight}, state)
            print(epoch, flush=True)
        run.save_arrays(weight=weight)
        run.finish({"epochs": epochs})


def outcome(path):
    """Every file of a run by name; of its configuration what does not depend on the day."""
    content = {file.name: file.read_bytes() for file in Path(path).iterdir()}
    return content | {"config.json": json.loads(content["config.json"])["config"]}


def crash_everywhere(folder, epochs):
    """Kill a toy run before each thing it does to files, its resumption too, then let it end."""
    toy_run(folder / "whole", epochs)

    def attempt(path, last):
        child = os.fork()
        if child == 0:
            left = [last]

            def count(event, *_):
                if event in ("open", "os.rename", "os.remove", "os.mkdir", "fcntl.flock", "fsync"):
                    left[0] -= 1
                    if left[0] < 0:
                        os.kill(os.getpid(), signal.SIGKILL)

            fsync = os.fsync
            os.fsync = lambda file: (count("fsync"), fsync(file))  # which raises no audit event
            sys.addaudithook(count)
            toy_run(path, epochs)
            os._exit(0)
        return os.waitstatus_to_exitcode(os.waitpid(child, 0)[1])

    points = 0
    while attempt(folder / str(points), points) == -signal.SIGKILL:
        attempt(folder / str(points), 7 * points % 31)
        toy_run(folder / str(points), epochs)
        assert outcome(folder / str(points)) == outcome(folder / "whole"), points
        points += 1
    print("points", points)


def start(call, *functions):
    """Python in another process, with the imports and the named functions of this file."""
    lines = (
        "import json, os, signal, sys",
        "from pathlib import Path",
        "import numpy as np",
        "from minidecay.training.run_folder import RunFolder",
        *map(inspect.getsource, functions),
        call,
    )
    environ = os.environ | {"OPENBLAS_NUM_THREADS": "1", "PYTHONPATH": os.pathsep.join(sys.path)}
    pipes = {"stdin": subprocess.PIPE, "stdout": subprocess.PIPE, "text": True}
    return subprocess.Popen([sys.executable, "-c", "\n".join(lines)], env=environ, **pipes)


@posix
def test_a_run_killed_before_any_of_its_file_operations_ends_as_if_it_was_not(tmp_path):
    call = f"crash_everywhere(Path({str(tmp_path)!r}), 3)"
    with start(call, toy_run, outcome, crash_everywhere) as process:
        said, _ = process.communicate()
    assert process.returncode == 0
    assert int(said.split()[-1]) > 30


def kill_at_random_moments(path, epochs, moments):
    """Run and kill a few epochs later, over and over, until the run gets to its end."""
    while True:
        with start(f"toy_run({str(path)!r}, {epochs})", toy_run) as process:
            said = [process.stdout.readline() for _ in range(moments.randrange(1, 15))]
            time.sleep(moments.uniform(0, 0.005))
            process.kill()
            safe = max(map(int, "".join([*said, *process.stdout]).split()), default=0)
        if process.returncode == 0:
            return
        assert process.returncode == -signal.SIGKILL
        assert Checkpoint.read(path / "checkpoint.npz").epoch >= safe


@posix
@pytest.mark.parametrize("rounds", [1, pytest.param(10, marks=pytest.mark.slow)])
def test_a_run_killed_at_random_moments_loses_at_most_the_epoch_under_way(tmp_path, rounds):
    toy_run(tmp_path / "whole", 60)
    for seed in range(rounds):
        kill_at_random_moments(tmp_path / str(seed), 60, random.Random(seed))
        assert outcome(tmp_path / str(seed)) == outcome(tmp_path / "whole")


def test_an_interrupt_in_the_middle_of_an_epoch_lets_go_of_the_folder(tmp_path):
    with pytest.raises(KeyboardInterrupt), RunFolder(tmp_path, CONFIG) as run:
        run.append({"epoch": 1})
        run.save_checkpoint(1, {}, {})
        run.append({"epoch": 2})
        raise KeyboardInterrupt
    with RunFolder(tmp_path, CONFIG, resume=True) as run:
        assert run.records() == [{"epoch": 1}]
    assert not (tmp_path / "lock").exists()


def hold(path):
    with RunFolder(path, {}, resume=True):
        print(os.getpid(), flush=True)
        sys.stdin.read()


def test_a_second_process_is_told_which_one_works_in_the_folder_until_that_is_killed(tmp_path):
    with start(f"hold({str(tmp_path)!r})", hold) as process:
        pid = process.stdout.readline().strip()
        for resume in (False, True):
            with pytest.raises(RunFolderError, match=rf"in use by process {pid} on .*wait"):
                RunFolder(tmp_path, {}, resume=resume)
        process.kill()
    assert (tmp_path / "lock").exists() or sys.platform == "win32"
    with RunFolder(tmp_path, {}, resume=True) as run:
        assert run.records() == []


def test_one_process_cannot_open_a_folder_twice_but_can_again_after_closing_it(tmp_path):
    with RunFolder(tmp_path, {}), pytest.raises(RunFolderError, match=f"process {os.getpid()} "):
        RunFolder(tmp_path, {}, resume=True)
    RunFolder(tmp_path, {}, resume=True).close()


@posix
def test_a_lock_that_its_holder_removes_while_we_open_it_is_taken_anew(tmp_path, monkeypatch):
    import fcntl

    first, flock = RunFolder(tmp_path, {}), fcntl.flock

    def close_first(file, how):
        first.close()
        flock(file, how)

    monkeypatch.setattr(fcntl, "flock", close_first)
    with RunFolder(tmp_path, {}, resume=True):
        assert str(os.getpid()) in (tmp_path / "lock").read_text()
        monkeypatch.undo()
        with pytest.raises(RunFolderError, match="in use"):
            RunFolder(tmp_path, {}, resume=True)


def test_config_json_holds_the_configuration_and_the_environment_in_plain_numbers(tmp_path):
    with RunFolder(tmp_path / "a" / "b", {"seed": np.int64(7), "lr": np.float32(0.5), "m": (1, 2)}):
        born = json.loads((tmp_path / "a" / "b" / "config.json").read_text())
    assert born["config"] == {"seed": 7, "lr": 0.5, "m": [1, 2]}
    assert born["environment"]["numpy"] == np.__version__


def test_a_folder_with_a_run_in_it_needs_resume(tmp_path):
    RunFolder(tmp_path, CONFIG).close()
    with pytest.raises(RunFolderError, match="is not empty; pass --resume to go on, or choose"):
        RunFolder(tmp_path, CONFIG)
    assert os.listdir(tmp_path) == ["config.json"]


def test_resume_starts_afresh_where_there_is_no_run(tmp_path):
    for folder in (tmp_path, tmp_path / "missing"):
        with RunFolder(folder, CONFIG, resume=True) as run:
            assert run.load_checkpoint() is None and run.records() == [] and not run.finished


def test_another_configuration_is_refused_with_each_difference(tmp_path):
    RunFolder(tmp_path, CONFIG).close()
    other = {"seed": 1, "lr": {"start": 0.1, "milestones": [5]}, "momentum": None}
    with pytest.raises(RunFolderError) as told:
        RunFolder(tmp_path, other, resume=True)
    assert (
        "(seed: 0 -> 1, lr.milestones: [5, 10] -> [5], "
        'name: "decay" -> absent, momentum: absent -> null)' in str(told.value)
    )
    assert "lr.start" not in str(told.value) and "\n" not in str(told.value)


@pytest.mark.parametrize("resume", [False, True])
@pytest.mark.parametrize("name", ["notes.txt", "metrics.jsonl", ".config.json.tmp", "config.json"])
def test_files_that_are_no_run_are_refused_and_left_alone(tmp_path, name, resume):
    (tmp_path / name).write_text("{}")
    why = r"config\.json is not of a run|is not empty and no run" if resume else "is not empty"
    with pytest.raises(RunFolderError, match=rf"({why}).*choose another folder"):
        RunFolder(tmp_path, CONFIG, resume=resume)
    assert os.listdir(tmp_path) == [name] and (tmp_path / name).read_text() == "{}"


def test_a_foreign_file_called_lock_is_refused_and_left_alone(tmp_path):
    (tmp_path / "lock").write_text("of another program")
    with pytest.raises(RunFolderError, match="lock is not the lock of a run"):
        RunFolder(tmp_path, CONFIG)
    assert (tmp_path / "lock").read_text() == "of another program"


@pytest.mark.parametrize("lock", ["", "minidecay: process 1 on earth\n"])
def test_what_a_crash_at_birth_leaves_counts_as_empty(tmp_path, lock):
    (tmp_path / "lock").write_text(lock)
    (tmp_path / ".config.json.0123abcd.tmp").write_text('{"conf')
    RunFolder(tmp_path, CONFIG).close()
    assert os.listdir(tmp_path) == ["config.json"]


def test_a_path_that_is_or_passes_through_a_file_is_refused_in_a_line(tmp_path):
    (tmp_path / "file").write_text("")
    for path in (tmp_path / "file", tmp_path / "file" / "run"):
        with pytest.raises(
            RunFolderError, match=r"cannot be used \(.+\); .* choose another folder"
        ):
            RunFolder(path, CONFIG)


def test_a_folder_without_permission_to_write_is_refused(tmp_path):
    tmp_path.chmod(0o555)
    if os.access(tmp_path, os.W_OK):
        pytest.skip("root may write it, and Windows knows no such folder")
    with pytest.raises(RunFolderError, match="Permission denied"):
        RunFolder(tmp_path, CONFIG)


def test_numbers_that_are_not_finite_are_null_in_records_and_refused_in_a_configuration(tmp_path):
    with RunFolder(tmp_path, {}) as run:
        run.append({"epoch": np.int32(1), "loss": np.float32("nan"), "norms": [np.inf, 1]})
        assert run.records() == [{"epoch": 1, "loss": None, "norms": [None, 1]}]
    with pytest.raises(ValueError, match=r"config\.lr\.max\[1\] is inf.*use None"):
        RunFolder(tmp_path / "b", {"lr": {"max": [1.0, math.inf]}})
    assert not (tmp_path / "b").exists()


def test_what_json_cannot_hold_is_named_by_its_key(tmp_path):
    with RunFolder(tmp_path, {}) as run:
        with pytest.raises(TypeError, match=r"record\.arms has the key 0.*str\(key\)"):
            run.append({"epoch": 1, "arms": {0: 0.5}})
        with pytest.raises(TypeError, match=r"record\.when is a set"):
            run.append({"epoch": 1, "when": {1}})
        with pytest.raises(ValueError, match="epoch is None; give it an int"):
            run.append({"loss": 1.0})
        assert run.records() == []


@pytest.mark.parametrize(
    "half", [b'{"epoch": 3, "lo', b"\0\0\0", b'{"epoch": 3}', b'{"epoch": 3}\n']
)
def test_a_line_half_written_and_records_beyond_the_checkpoint_are_dropped(tmp_path, half):
    with RunFolder(tmp_path, CONFIG) as run:
        for epoch in (1, 2):
            run.append({"epoch": epoch, "loss": 0.1})
        run.save_checkpoint(2, {}, {})
    metrics = tmp_path / "metrics.jsonl"
    whole = metrics.read_bytes()
    metrics.write_bytes(whole + half)
    with RunFolder(tmp_path, CONFIG, resume=True) as run:
        assert metrics.read_bytes() == whole
        run.append({"epoch": 3})
        assert [record["epoch"] for record in run.records()] == [1, 2, 3]


def test_a_last_line_that_only_lost_its_newline_is_kept(tmp_path):
    with RunFolder(tmp_path, CONFIG) as run:
        run.append({"epoch": 1})
        run.save_checkpoint(1, {}, {})
    (tmp_path / "metrics.jsonl").write_text('{"epoch": 1}')
    with RunFolder(tmp_path, CONFIG, resume=True) as run:
        run.append({"epoch": 2})
        assert [record["epoch"] for record in run.records()] == [1, 2]


@pytest.mark.parametrize("broken", ['{"epoch": ', "3", ""])
def test_a_line_broken_in_the_middle_is_an_error_with_its_number(tmp_path, broken):
    RunFolder(tmp_path, CONFIG).close()
    (tmp_path / "metrics.jsonl").write_text(f'{{"epoch": 1}}\n{broken}\n{{"epoch": 3}}\n')
    with pytest.raises(RunFolderError, match=r"metrics\.jsonl, line 2 is broken"):
        RunFolder(tmp_path, CONFIG, resume=True)
    assert not (tmp_path / "lock").exists()


def test_without_a_checkpoint_a_run_begins_again_and_drops_its_records(tmp_path):
    with RunFolder(tmp_path, CONFIG) as run:
        run.append({"epoch": 1})
    with RunFolder(tmp_path, CONFIG, resume=True) as run:
        assert run.records() == []


def test_a_finished_run_keeps_its_records_even_without_a_checkpoint(tmp_path):
    with RunFolder(tmp_path, CONFIG) as run:
        run.append({"epoch": 1})
        assert not run.finished
        run.finish({"accuracy": np.float64(0.5), "gap": math.nan})
    with RunFolder(tmp_path, CONFIG, resume=True) as run:
        assert run.finished and run.records() == [{"epoch": 1}]
    assert files.read_json(tmp_path / "finished.json") == {"accuracy": 0.5, "gap": None}


def test_a_closed_folder_can_be_read_and_not_written(tmp_path):
    with RunFolder(tmp_path, CONFIG) as run:
        run.append({"epoch": 1})
    assert run.records() == [{"epoch": 1}]
    with pytest.raises(RunFolderError, match="was closed"):
        run.append({"epoch": 2})


def test_a_named_checkpoint_is_kept_and_the_run_resumes_from_the_latest(tmp_path):
    with RunFolder(tmp_path, CONFIG) as run:
        assert run.load_checkpoint("stage-1") is None
        run.save_checkpoint(1, {"w": np.ones(2)}, {}, name="stage-1")
        run.save_checkpoint(2, {"w": np.zeros(2)}, {})
        assert run.load_checkpoint().epoch == 2 and run.load_checkpoint("stage-1").epoch == 1
        with pytest.raises(ValueError, match=r"'\.\./w' is no file name"):
            run.save_checkpoint(1, {}, {}, name="../w")
    assert Checkpoint.read(tmp_path / "checkpoint-stage-1.npz").arrays["w"].tolist() == [1, 1]


def test_arrays_are_replaced_as_a_whole(tmp_path):
    with RunFolder(tmp_path, CONFIG) as run:
        assert run.load_arrays() == {}
        run.save_arrays(margins=np.ones(3), old=np.ones(1))
        run.save_arrays(margins=np.zeros(3))
        assert list(run.load_arrays()) == ["margins"]


def test_an_array_of_objects_is_refused_because_it_would_be_pickled(tmp_path):
    with RunFolder(tmp_path, CONFIG) as run:
        with pytest.raises(TypeError, match="array 'x' has dtype object"):
            run.save_arrays(x=np.array([{}]))
        np.savez(tmp_path / "arrays.npz", x=np.array([{}]))
        with pytest.raises(RunFolderError, match="allow_pickle=False"):
            run.load_arrays()


@pytest.mark.parametrize("keep", [0, 1, 100, -1])
def test_a_truncated_npz_is_named_with_the_mend(tmp_path, keep):
    with RunFolder(tmp_path, CONFIG) as run:
        run.save_checkpoint(1, {"w": np.ones(9)}, {})
    path = tmp_path / "checkpoint.npz"
    path.write_bytes(path.read_bytes()[:keep])
    with pytest.raises(RunFolderError, match=r"checkpoint\.npz is not a whole npz.*restore it"):
        RunFolder(tmp_path, CONFIG, resume=True)


def test_a_flipped_bit_in_an_array_is_noticed(tmp_path):
    path = tmp_path / "a.npz"
    files.write_npz(path, {"w": np.full(9, 7, np.uint8)})
    path.write_bytes(path.read_bytes().replace(b"\7\7\7", b"\7\6\7", 1))
    with pytest.raises(files.BrokenFileError, match="Bad CRC"):
        files.read_npz(path)


def test_an_npz_of_another_kind_is_no_checkpoint(tmp_path):
    np.savez(tmp_path / "a.npz", w=np.ones(2))
    with pytest.raises(files.BrokenFileError, match="is no checkpoint"):
        Checkpoint.read(tmp_path / "a.npz")


@pytest.mark.parametrize("content", [b"", b'{"config": {"see', b"\xff\xfe\xff"])
def test_a_half_written_json_file_is_named_with_the_mend(tmp_path, content):
    (tmp_path / "config.json").write_bytes(content)
    with pytest.raises(RunFolderError, match=r"config\.json is not a whole JSON.*restore it"):
        RunFolder(tmp_path, CONFIG, resume=True)


def test_a_writer_that_fails_leaves_the_old_file_and_nothing_else(tmp_path):
    def fail(file):
        file.write(b"half")
        raise RuntimeError("no more")

    path = tmp_path / "results.json"
    files.write_json(path, {"old": 1})
    with pytest.raises(RuntimeError, match="no more"):
        files.write_atomic(path, fail)
    with pytest.raises(ValueError, match=r"results\.json\.new\[0\] is nan"):
        files.write_json(path, {"new": [math.nan]})
    assert files.read_json(path) == {"old": 1} and os.listdir(tmp_path) == ["results.json"]


def test_the_old_file_is_replaced_and_never_written_into(tmp_path):
    path, same = tmp_path / "a.json", tmp_path / "b.json"
    files.write_json(path, "old")
    os.link(path, same)
    files.write_json(path, "new")
    assert (files.read_json(path), files.read_json(same)) == ("new", "old")


@posix
def test_a_full_disk_is_told_and_leaves_whole_lines_and_the_old_checkpoint(tmp_path):
    import resource

    limits = resource.getrlimit(resource.RLIMIT_FSIZE)
    with RunFolder(tmp_path, CONFIG) as run:
        run.append({"epoch": 1})
        run.save_checkpoint(1, {"w": np.zeros(1)}, {})
        resource.setrlimit(resource.RLIMIT_FSIZE, (2000, limits[1]))
        try:
            with pytest.raises(RunFolderError, match=r"cannot be used .* the room it needs"):
                run.append({"epoch": 2, "text": 3000 * "x"})
            with pytest.raises(RunFolderError, match="cannot be used"):
                run.save_checkpoint(2, {"w": np.zeros(3000)}, {})
        finally:
            resource.setrlimit(resource.RLIMIT_FSIZE, limits)
        run.append({"epoch": 3})
        assert [record["epoch"] for record in run.records()] == [1, 3]
        assert run.load_checkpoint().epoch == 1
        assert not any(map(files.is_temporary, os.listdir(tmp_path)))


ARRAYS = hnp.arrays(
    st.sampled_from(["float32", "float64", "int64", "uint64", "bool"]),
    hnp.array_shapes(min_dims=0, max_dims=3, min_side=0, max_side=4),
)
JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(), inner, max_size=3),
    max_leaves=8,
)


@settings(max_examples=100, deadline=None)
@given(
    st.dictionaries(st.text(max_size=12) | st.sampled_from(["file", "a", "a.npy", "../a"]), ARRAYS),
    st.dictionaries(st.text(), JSON, max_size=3),
)
def test_a_checkpoint_comes_back_bit_for_bit(arrays, state):
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder, "checkpoint.npz")
        Checkpoint(4, arrays, state).write(path)
        back = Checkpoint.read(path)
    assert back.epoch == 4 and json.dumps(back.state) == json.dumps(state)
    assert list(back.arrays) == list(arrays)
    for name, array in arrays.items():
        same = back.arrays[name]
        assert (same.dtype, same.shape) == (array.dtype, array.shape)
        assert same.tobytes() == array.tobytes()


def test_the_order_of_an_array_in_memory_comes_back_too(tmp_path):
    files.write_npz(tmp_path / "a.npz", {"w": np.asfortranarray(np.ones((2, 3)))})
    assert files.read_npz(tmp_path / "a.npz")["w"].flags.f_contiguous


def test_numpy_reads_a_checkpoint_and_its_state_without_us(tmp_path):
    arrays = {"model.0.weight": np.arange(3.0), "train/margins": np.ones(2)}
    Checkpoint(4, arrays, {"step": 9}).write(tmp_path / "c.npz")
    with np.load(tmp_path / "c.npz", allow_pickle=False) as seen:
        assert seen["model.0.weight"].tolist() == [0, 1, 2]
        assert seen["train%2Fmargins"].tolist() == [1, 1]
        assert json.loads(seen["checkpoint.json"]) == {"epoch": 4, "state": {"step": 9}}


@given(
    st.sampled_from(["Philox", "PCG64", "MT19937", "SFC64"]),
    st.integers(0, 2**63),
    st.integers(0, 7),
)
@settings(max_examples=25, deadline=None)
def test_a_generator_goes_on_from_its_state_in_a_checkpoint(kind, seed, drawn):
    rng = np.random.Generator(getattr(np.random, kind)(seed))
    rng.integers(10, size=drawn, dtype=np.uint32)
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder, "checkpoint.npz")
        Checkpoint(1, {}, {"rng": rng.bit_generator.state}).write(path)
        other = np.random.Generator(getattr(np.random, kind)())
        other.bit_generator.state = Checkpoint.read(path).state["rng"]
    assert rng.integers(10, size=20, dtype=np.uint32).tolist() == (
        other.integers(10, size=20, dtype=np.uint32).tolist()
    )
