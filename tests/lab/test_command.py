"""The command of an experiment: options, exit codes, what it writes, and what it survives."""

import contextlib
import dataclasses
import importlib.util
import io
import json
import os
import random
import re
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest
import tiny

from minidecay.console import Terminated
from minidecay.lab import noisy_memorization as noisy
from minidecay.lab.machinery import arms, command
from minidecay.lab.machinery.claims import Bound, Claim
from minidecay.lab.machinery.workers import WorkerDied, cores
from minidecay.training import RunFolder

ROOT = Path(__file__).parents[2]
posix = pytest.mark.skipif(sys.platform == "win32", reason="needs fork and signals")


def sketch(runs, settings, path):
    """A picture that takes no time."""
    path.write_text(f"{len(runs)} runs")


QUICK = dataclasses.replace(tiny.TINY, figure=sketch)


def claim(name, least, finding=False):
    accuracy = Bound("accuracy", lambda seed: seed.end("decay", "test", "all"), ">=", least)
    return Claim(name, "it is a number", [accuracy], finding)


def judged_by(*claims):
    """The experiment in miniature, with other claims."""
    return dataclasses.replace(QUICK, claims=lambda settings: claims)


@pytest.fixture
def run(monkeypatch, capsys):
    """Run a command line without processes; gives exit code, standard output, standard error."""
    for module in (command, arms):
        monkeypatch.setattr(module, "run_tasks", tiny.one_after_the_other)

    def run(*options, experiment=QUICK):
        words = ("--scale", "smoke", "--first-seed", 100, "--seeds", 1, *options)
        try:
            code = command.main(experiment, list(map(str, words)), "tiny")
        except SystemExit as ended:
            code = ended.code
        return code, *capsys.readouterr()

    return run


def refused(answer):
    """The one line that says why a command was wrong use, and what would be right."""
    code, out, err = answer
    *usage, line = err.splitlines()
    assert (code, out) == (2, "")
    assert all(words.startswith(("usage: ", " ")) for words in usage)
    assert line.startswith("tiny: error: ")
    return line


@pytest.mark.parametrize(
    ("options", "said"),
    [
        ("--scale large", r"invalid choice: 'large' \(choose from .?smoke.*demo.*lab.*paper.?\)"),
        ("--model rnn", r"invalid choice: 'rnn' \(choose from .?mlp.*cnn.*wrn.?\)"),
        ("--device tpu", r"invalid choice: 'tpu' \(choose from .?cpu.?, .?emulated.?, .?cuda.?\)"),
        ("--seeds 0", "--seeds: '0' must be a whole number of at least 1"),
        ("--seeds two", "--seeds: 'two' must be a whole number of at least 1"),
        ("--seeds 10001", "--seeds: '10001' must be a whole number of at most 10000"),
        ("--seeds " + "9" * 5000, "--seeds: '9{25}' must be a whole number of at most 10000"),
        ("--first-seed 1" + "0" * 300, "--first-seed: '10{24}' must be a whole number of at most"),
        ("--first-seed -1", "--first-seed: '-1' must be a whole number of at least 0"),
        ("--workers 0", "--workers: '0' must be a whole number of at least 1"),
        ("--workers 1.5", "--workers: '1.5' must be a whole number of at least 1"),
        ("--resume", "--resume needs --out DIR, the folder to go on in"),
        ("--out", "--out: expected one argument"),
        ("--out=", "--out: '' names no folder; give one, such as runs/first"),
        ("--sedes 3", "unrecognized arguments: --sedes 3"),
    ],
)
def test_a_wrong_option_is_refused_with_what_would_be_right(
    run, tmp_path, monkeypatch, options, said
):
    monkeypatch.chdir(tmp_path)
    assert re.search(said, refused(run(*options.split())))
    assert os.listdir(tmp_path) == []


def test_without_options_it_is_the_demo_with_three_seeds_on_all_cores_in_a_fresh_folder(
    monkeypatch,
):
    def seen(experiment, settings, seeds, out, workers, resume):
        assert experiment is noisy.EXPERIMENT and settings == noisy.settings("demo")
        assert (list(seeds), workers, resume) == ([0, 1, 2], cores(), False)
        assert re.fullmatch(r"runs/noisy-memorization-\d{8}-\d{6}", out.as_posix())
        return 0

    monkeypatch.setattr(command, "run", seen)
    assert noisy.main([]) == 0


def test_every_option_arrives(monkeypatch, tmp_path):
    def seen(experiment, settings, seeds, out, workers, resume):
        assert settings == noisy.settings("paper", "cnn", "cpu")
        assert (list(seeds), out, workers, resume) == ([7, 8], tmp_path, 5, True)
        return 1

    monkeypatch.setattr(command, "run", seen)
    words = "--scale paper --model cnn --device cpu --seeds 2 --first-seed 7 --workers 5 --resume"
    assert noisy.main([*words.split(), "--out", str(tmp_path)]) == 1


def test_help_names_every_option_and_is_no_error(run):
    code, out, _ = run("--help")
    assert code == 0 and noisy.EXPERIMENT.about in " ".join(out.split())
    options = "scale", "model", "device", "seeds", "first-seed", "workers", "out", "resume"
    assert all(f"--{option}" in out for option in options)


def test_results_json_holds_every_epoch_of_every_arm_and_the_claims(run, tmp_path):
    run("--out", tmp_path, "--seeds", 2)
    results = json.loads((tmp_path / "results.json").read_text())
    assert results.keys() == {"config", "environment", "arms", "claims"}
    assert results["config"]["experiment"] == "noisy-memorization"
    assert results["config"]["seeds"] == [100, 101] and results["config"]["width"] == 8
    assert {"minidecay", "numpy", "commit"} <= results["environment"].keys()
    names = ["decay", "constant_large", "constant_small", "constant_small_0.03"]
    assert list(results["arms"]) == names
    for name, arm in results["arms"].items():  # the further small rates are shown on one seed
        assert list(arm) == (["100"] if name == "constant_small_0.03" else ["100", "101"])
        for records in arm.values():
            assert [record["epoch"] for record in records] == [1, 2, 3, 4]
            for record in records:
                assert record.keys() == {"epoch", "lr", "loss", "train", "test"}
                assert record["train"].keys() == {"simple", "complex", "noise"}
                assert record["test"].keys() == {"simple", "complex", "all"}
                accuracies = [*record["train"].values(), *record["test"].values()]
                assert all(0 <= accuracy <= 1 for accuracy in accuracies)
    rates = {name: [r["lr"] for r in results["arms"][name]["100"]] for name in names}
    assert rates["decay"] == pytest.approx([0.3, 0.3, 0.03, 0.003])
    assert rates["constant_large"] == [0.3] * 4
    assert (rates["constant_small"], rates["constant_small_0.03"]) == ([0.01] * 4, [0.03] * 4)
    decay, large = (results["arms"][name]["100"] for name in names[:2])
    assert large[:2] == decay[:2] and large[2] != decay[2]  # the first stage is shared
    assert [claim["name"] for claim in results["claims"]] == [f"C{n}" for n in range(1, 11)]
    for judged in results["claims"]:
        assert {"name", "statement", "value", "threshold", "passed"} <= judged.keys()
        assert isinstance(judged["passed"], bool)
        assert list(judged["seeds"]) == ["100", "101"]
        for seed in judged["seeds"].values():
            assert seed.keys() == {"value", "passed"}


def test_it_says_what_it_will_do_and_prints_table_claims_findings_and_places(run, tmp_path):
    code, out, err = run("--out", tmp_path, "--workers", 64, experiment=tiny.TINY)
    assert (code, err) == (1, "")
    assert re.match(
        r"noisy-memorization at scale smoke: 14 epochs, about \d+ s of training on 3 workers, "
        rf"into {tmp_path}",
        out,
    )
    parts = (
        "Accuracy of seed 100\n",
        "decay, end of stage one",
        "constant 0.3, end",
        "constant 0.03, end",
    )
    claims = [f"  C{n:<3}" for n in range(1, 9)]
    rest = "Findings", "  C9 ", "  C10", f"picture  {tmp_path}", f"records  {tmp_path}", "verdict"
    places = [out.index(part) for part in (*parts, *claims, *rest)]
    assert places == sorted(places)
    assert (tmp_path / "noisy-memorization.png").read_bytes().startswith(b"\x89PNG")


@pytest.mark.parametrize(
    ("claims", "code", "verdict"),
    [
        ([claim("C1", 0.0), claim("C2", 0.0)], 0, "C1 to C2 hold"),
        ([claim("C1", 0.0), claim("C2", 1.1)], 1, "failed: C2"),
        ([claim("C1", 0.0), claim("C2", 1.1, finding=True)], 0, "C1 to C1 hold"),
    ],
)
def test_claims_decide_the_exit_code_and_findings_do_not(run, tmp_path, claims, code, verdict):
    answer = run("--out", tmp_path, experiment=judged_by(*claims))
    assert answer[0] == code and f"verdict  {verdict}\n" in answer[1]


def arms_of(folder):
    return json.loads((folder / "results.json").read_text())["arms"]


VERDICTS = dataclasses.replace(
    judged_by(claim("A1", 0.0), claim("A2", 1.1), claim("A3", 0.0)), decides=False, models=("mlp",)
)


def test_an_experiment_that_does_not_decide_ends_with_verdicts_and_with_0(run, tmp_path):
    code, out, _ = run("--out", tmp_path, "--seeds", 2, experiment=VERDICTS)
    assert code == 0
    assert "Claims; mean over seeds [95 % interval]\n\nholds      A1  it is a number\n" in out
    assert "\nfails      A2  it is a number\n" in out
    assert "\nverdict  A1, A3 hold; A2 fails\n" in out
    judged = json.loads((tmp_path / "results.json").read_text())["claims"]
    assert [claim["verdict"] for claim in judged] == ["holds", "fails", "holds"]


def test_of_one_seed_it_says_that_nothing_is_decided(run, tmp_path):
    code, out, _ = run("--out", tmp_path, experiment=VERDICTS)
    assert code == 0 and "undecided  A1  it is a number\n" in out
    assert "\nverdict  undecided, as any from a single seed is; take --seeds 2 or more\n" in out


def test_where_there_is_one_network_there_is_no_option_for_it(run, tmp_path):
    answer = run("--out", tmp_path, "--model", "cnn", experiment=VERDICTS)
    assert "unrecognized arguments: --model cnn" in refused(answer)


@pytest.fixture
def run_all(monkeypatch, capsys):
    """Run all of these experiments, as `run` runs one."""
    for module in (command, arms):
        monkeypatch.setattr(module, "run_tasks", tiny.one_after_the_other)

    def run_all(experiments, *options):
        words = ("--scale", "smoke", "--first-seed", 100, "--seeds", 1, *options)
        code = command.main_of_all(experiments, list(map(str, words)), "tiny")
        return code, *capsys.readouterr()

    return run_all


def test_all_of_them_run_each_into_a_folder_of_its_own_and_end_with_the_worst_code(
    run_all, tmp_path
):
    first, second = (dataclasses.replace(VERDICTS, name=name) for name in ("first", "second"))
    code, out, _ = run_all([first, second], "--out", tmp_path)
    assert code == 0
    assert sorted(os.listdir(tmp_path)) == ["first", "second"]
    for name in ("first", "second"):
        assert f"{name} at scale smoke:" in out and f"{tmp_path / name}/{name}.png" in out
    decides = dataclasses.replace(VERDICTS, name="third", decides=True)
    assert run_all([decides, second], "--out", tmp_path / "new")[0] == 1


def test_one_that_cannot_run_is_told_in_a_line_and_the_others_run(run_all, tmp_path):
    first, second = (dataclasses.replace(VERDICTS, name=name) for name in ("first", "second"))
    (tmp_path / "first").write_text("in the way")
    code, out, err = run_all([first, second], "--out", tmp_path)
    assert code == 2 and re.fullmatch(r"tiny: error: .*first cannot be used.*\n", err)
    assert "second at scale smoke" in out and (tmp_path / "second" / "results.json").exists()


def test_one_that_lacks_what_it_needs_is_told_before_any_other_trains(run_all, tmp_path):
    def lacking():
        told.append("scikit-learn")
        raise ImportError("scikit-learn: pip install scikit-learn")

    def late(runs, settings, path):
        assert told == ["scikit-learn"]
        sketch(runs, settings, path)

    told = []
    first = dataclasses.replace(VERDICTS, name="first", figure=late)
    second = dataclasses.replace(VERDICTS, name="second", needs=lacking)
    code, _, err = run_all([first, second], "--out", tmp_path)
    assert (code, err) == (2, "tiny: error: second needs scikit-learn: pip install scikit-learn\n")
    assert os.listdir(tmp_path) == ["first"]


def test_all_of_them_go_on_where_they_were_interrupted(run_all, tmp_path):
    def interrupted(trained):
        raise KeyboardInterrupt

    first = dataclasses.replace(VERDICTS, name="first")
    second = dataclasses.replace(VERDICTS, name="second")
    code, _, err = run_all(
        [first, dataclasses.replace(second, measure=interrupted)], "--out", tmp_path
    )
    assert (code, err) == (130, f"\ntiny: interrupted; to go on add --resume --out {tmp_path}\n")
    before = (tmp_path / "first" / "results.json").read_bytes()
    assert run_all([first, second], "--out", tmp_path, "--resume")[0] == 0
    assert (tmp_path / "first" / "results.json").read_bytes() == before
    assert (tmp_path / "second" / "results.json").exists()


def test_a_seeds_numbers_do_not_depend_on_the_seeds_beside_it(run, tmp_path):
    run("--out", tmp_path / "three", "--seeds", 3)
    run("--out", tmp_path / "one", "--first-seed", 102)
    three, one = arms_of(tmp_path / "three"), arms_of(tmp_path / "one")
    for name in ("decay", "constant_large", "constant_small"):
        assert one[name] == {"102": three[name]["102"]}
        assert three[name]["100"] != three[name]["101"]
    assert list(three["constant_small_0.03"]) == ["100"]


def test_a_folder_that_is_not_empty_is_refused_and_left_alone(run, tmp_path):
    (tmp_path / "thesis.txt").write_text("years of work")
    for resume in ([], ["--resume"]):
        assert "is not empty" in refused(run("--out", tmp_path, *resume))
    assert os.listdir(tmp_path) == ["thesis.txt"]


def test_a_run_that_is_there_already_is_not_begun_again_without_resume(run, tmp_path):
    run("--out", tmp_path)
    line = refused(run("--out", tmp_path))
    assert "is not empty; pass --resume to go on, or choose another folder" in line


def test_resuming_with_another_configuration_shows_the_difference(run, tmp_path):
    run("--out", tmp_path)
    line = refused(run("--out", tmp_path, "--resume", "--seeds", 2, "--scale", "demo"))
    for change in (
        'scale: "smoke" -> "demo"',
        "n_train: 400 -> 2000",
        "seeds: [100] -> [100, 101]",
    ):
        assert change in line
    assert "width" not in line and "resume with the same one, or choose another folder" in line


def test_a_folder_that_cannot_be_made_is_refused(run, tmp_path):
    (tmp_path / "file").write_text("")
    line = refused(run("--out", tmp_path / "file" / "run"))
    assert "cannot be used" in line and "choose another folder" in line


def test_a_folder_in_use_is_refused(run, tmp_path):
    with RunFolder(tmp_path, {}):
        assert f"is in use by process {os.getpid()}" in refused(run("--out", tmp_path, "--resume"))


def test_a_folder_with_a_damaged_file_is_refused(run, tmp_path):
    run("--out", tmp_path)
    (tmp_path / "finished.json").unlink()
    config = tmp_path / "seed-100" / "decay" / "config.json"
    config.write_text(config.read_text()[:50])
    code, _, err = run("--out", tmp_path, "--resume")
    assert code == 2 and err.count("\n") == 1
    assert "decay/config.json is not a whole JSON file" in err and "restore it from a copy" in err


def test_a_disk_that_fills_up_at_the_end_is_told_in_a_line(run, tmp_path):
    def full(runs, settings, path):
        raise OSError(28, "No space left on device", str(path))

    code, _, err = run("--out", tmp_path, experiment=dataclasses.replace(QUICK, figure=full))
    assert code == 2 and re.fullmatch(r"tiny: error: .*No space left on device.*\.png'\n", err)
    assert run("--out", tmp_path, "--resume")[0] == 1  # with more room it goes on


def test_resuming_a_finished_run_prints_its_tables_again_and_changes_nothing(
    run, tmp_path, monkeypatch
):
    first = run("--out", tmp_path)
    before = {path: path.read_bytes() for path in tmp_path.rglob("*") if path.is_file()}

    def never(*_, **__):
        raise AssertionError("it was trained, or drawn, again")

    monkeypatch.setattr(arms, "fit", never)
    monkeypatch.setattr(command, "environment", never)
    experiment = dataclasses.replace(QUICK, figure=never)
    again = run("--out", tmp_path, "--resume", experiment=experiment)
    tables = [out[out.index("\nAccuracy") : out.index("\ntook")] for _, out, _ in (first, again)]
    assert first[0] == again[0] == 1 and tables[0] == tables[1]
    assert before == {path: path.read_bytes() for path in tmp_path.rglob("*") if path.is_file()}


def test_resuming_a_finished_run_writes_records_that_were_removed(run, tmp_path):
    run("--out", tmp_path)
    before = json.loads((tmp_path / "results.json").read_text())
    (tmp_path / "results.json").unlink()
    run("--out", tmp_path, "--resume")
    after = json.loads((tmp_path / "results.json").read_text())
    assert after["arms"] == before["arms"] and after["claims"] == before["claims"]


def test_records_name_the_commit_at_which_the_run_began_where_it_ended_at_another(run, tmp_path):
    run("--out", tmp_path)
    results, config = tmp_path / "results.json", tmp_path / "config.json"
    assert "begun" not in json.loads(results.read_text())["environment"]
    birth = json.loads(config.read_text())
    birth["environment"]["commit"] = "f" * 40
    config.write_text(json.dumps(birth))
    for name in ("finished.json", "results.json"):
        (tmp_path / name).unlink()
    run("--out", tmp_path, "--resume")
    environment = json.loads(results.read_text())["environment"]
    assert environment["begun"] == "f" * 40 != environment["commit"]


def test_resuming_a_finished_run_draws_a_picture_that_was_removed(run, tmp_path):
    run("--out", tmp_path)
    picture = tmp_path / "noisy-memorization.png"
    picture.unlink()
    run("--out", tmp_path, "--resume")
    assert picture.read_text() == "1 runs"


@pytest.mark.parametrize("kept", [0, 3])
def test_a_finished_arm_that_lost_records_is_told_with_what_to_remove(run, tmp_path, kept):
    run("--out", tmp_path)
    arm = tmp_path / "seed-100" / "decay"
    lines = (arm / "metrics.jsonl").read_text().splitlines(keepends=True)
    (arm / "metrics.jsonl").write_text("".join(lines[:kept]))
    code, _, err = run("--out", tmp_path, "--resume")
    assert code == 2 and err.count("\n") == 1
    assert f"{arm} is finished but has {kept} records of 4" in err and "remove that folder" in err


def test_a_device_that_does_not_work_here_is_told_before_anything_is_made(
    run, tmp_path, monkeypatch
):
    device = importlib.import_module("minidecay.devices.emulated").DEVICE
    monkeypatch.setattr(device, "_module", device._load)  # no kernel is loaded yet
    monkeypatch.setattr("minidecay.cuda.launching._loaded", {})
    monkeypatch.setenv("MINIDECAY_CACHE", str(tmp_path / "cache"))
    monkeypatch.setenv("CXX", "no-such-compiler")
    monkeypatch.setenv("PATH", "")
    out = tmp_path / "out"
    line = refused(run("--out", out, "--device", "emulated"))
    assert "found neither g++ nor clang++: sudo apt install g++" in line
    if importlib.util.find_spec("cupy") is None:
        assert "CuPy is not installed: pip install" in refused(
            run("--out", out, "--device", "cuda")
        )
    assert not out.exists()


def test_more_workers_than_cores_make_no_shorter_announcement(run, tmp_path, monkeypatch):
    monkeypatch.setattr(command, "cores", lambda: 1)
    monkeypatch.setattr(command, "seconds_to_train", lambda settings, seeds: 28.0)
    for workers, said in (
        ("1", "28 s of training on 1 worker,"),
        ("3", "28 s of training on 3 workers,"),
    ):
        assert said in run("--out", tmp_path / workers, "--workers", workers)[1]


def test_resuming_an_empty_or_missing_folder_starts_a_run(run, tmp_path):
    for folder in (tmp_path, tmp_path / "missing"):
        assert run("--out", folder, "--resume")[0] == 1
        assert (folder / "results.json").exists()


def test_a_loss_that_is_not_finite_ends_with_1_and_names_seed_and_arm(run, tmp_path):
    code, _, err = run("--out", tmp_path, "--scale", "lab")
    assert code == 1 and err.count("\n") == 1
    assert err.startswith("tiny: seed 100, decay: the loss became ")
    assert err.endswith(f"the records so far are in {tmp_path}\n")


@pytest.mark.parametrize(
    ("error", "code", "said"),
    [
        (KeyboardInterrupt(), 130, "interrupted; to go on add --resume --out '"),  # it has a space
        (Terminated(), 143, "interrupted; to go on add --resume --out '"),
        (WorkerDied("a worker process was killed"), 1, "a worker process was killed; the records"),
    ],
)
def test_what_ends_a_run_from_outside_is_told_in_a_line(
    run, tmp_path, monkeypatch, error, code, said
):
    def end(*_, **__):
        raise error

    monkeypatch.setattr(command, "train_arms", end)
    answer = run("--out", tmp_path / "my runs")
    assert answer[0] == code and said in answer[2] and "Traceback" not in answer[2]
    assert not (tmp_path / "my runs" / "lock").exists()


def test_a_first_stage_that_was_lost_is_told_with_what_to_remove(run, tmp_path):
    run("--out", tmp_path)
    whole = arms_of(tmp_path)
    seed = tmp_path / "seed-100"
    assert [path.parent.name for path in seed.rglob("checkpoint-epoch-*")] == ["decay"]
    (seed / "decay" / "checkpoint-epoch-2.npz").unlink()
    for lost in (tmp_path / "finished.json", *(seed / "constant_large").iterdir()):
        lost.unlink()
    code, _, err = run("--out", tmp_path, "--resume")
    assert code == 2 and err.count("\n") == 1
    assert f"{seed / 'decay'} cannot be forked from" in err and "remove that folder" in err
    for lost in (seed / "decay").iterdir():
        lost.unlink()
    run("--out", tmp_path, "--resume")
    assert arms_of(tmp_path) == whole


def crash_everywhere(folder, stride):
    """Kill the command before every `stride`-th thing it does to files, resume it, and compare."""

    def attempt(out, last):
        child = os.fork()
        if child == 0:
            left = [last]

            def count(event, arguments):
                named = [path for path in arguments if str(folder) in str(path)]
                if event == "fsync" or (event in ("open", "os.rename", "os.mkdir") and named):
                    left[0] -= 1
                    if left[0] < 0:
                        os.kill(os.getpid(), signal.SIGKILL)

            fsync = os.fsync
            os.fsync = lambda file: (count("fsync", ()), fsync(file))  # raises no audit event
            sys.addaudithook(count)
            words = f"--scale smoke --first-seed 100 --seeds 1 --resume --out {out}".split()
            with contextlib.redirect_stdout(io.StringIO()):
                os._exit(tiny.without_processes(words, QUICK))
        return os.waitstatus_to_exitcode(os.waitpid(child, 0)[1])

    assert attempt(folder / "whole", 10**6) == 1
    points = 0
    while attempt(folder / str(points), points) == -signal.SIGKILL:
        attempt(folder / str(points), 7 * points % 31)
        assert attempt(folder / str(points), 10**6) == 1, points
        assert arms_of(folder / str(points)) == arms_of(folder / "whole"), points
        points += stride
    print("points", points)


@posix
@pytest.mark.parametrize("stride", [23, pytest.param(1, marks=pytest.mark.slow)])
def test_a_run_killed_before_any_of_its_file_operations_ends_as_if_it_was_not(tmp_path, stride):
    code = f"""import test_command, pathlib
test_command.crash_everywhere(pathlib.Path({str(tmp_path)!r}), {stride})"""
    done = subprocess.run(
        [sys.executable, "-c", code],
        env=os.environ | {"PYTHONPATH": os.pathsep.join(sys.path), "OPENBLAS_NUM_THREADS": "1"},
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    assert int(done.stdout.split()[-1]) > 100


def start(out, *options, script=Path(tiny.__file__)):
    """The command itself, in a process group of its own, as a terminal would start it."""
    words = "--first-seed", "100", "--seeds", "2", "--resume", "--out", str(out), *options
    return subprocess.Popen(
        [sys.executable, str(script), *words],
        env=os.environ | {"PYTHONPATH": str(ROOT)},
        stdout=subprocess.DEVNULL,
        stderr=subprocess.PIPE,
        text=True,
        start_new_session=True,
    )


def epochs_recorded(out):
    return sum(len(path.read_bytes().splitlines()) for path in out.rglob("metrics.jsonl"))


def interrupt(process, out, moments, stop):
    """Let the command train for a while, then stop it; gives what it and its workers said.

    That they have all ended is sure: standard error stays open as long as one of them lives.
    """
    before = epochs_recorded(out)
    while process.poll() is None and epochs_recorded(out) == before:
        time.sleep(0.01)
    time.sleep(moments.uniform(0, 0.3))
    stop(process)
    return process.communicate(timeout=60)[1]


def ctrl_c(process):
    os.killpg(process.pid, signal.SIGINT)


@pytest.fixture(scope="module")
def whole(tmp_path_factory):
    """The arms of a run that nobody interrupted, on one worker."""
    out = tmp_path_factory.mktemp("whole")
    process = start(out, "--scale", "demo", "--workers", "1")
    assert process.communicate()[1] == ""
    assert process.returncode == 1
    return arms_of(out)


@posix
@pytest.mark.parametrize(
    "seed", [0, *(pytest.param(n, marks=pytest.mark.slow) for n in range(1, 8))]
)
def test_a_run_stopped_by_ctrl_c_and_then_killed_ends_with_the_numbers_of_one_left_alone(
    whole, tmp_path, seed
):
    moments, options = random.Random(seed), ("--scale", "demo", "--workers", "2")
    process = start(tmp_path, *options)
    said = interrupt(process, tmp_path, moments, ctrl_c)
    assert process.returncode == 130
    assert re.fullmatch(r"\n\S+: interrupted; to go on add --resume --out \S+\n", said)
    process = start(tmp_path, *options)
    interrupt(process, tmp_path, moments, subprocess.Popen.kill)
    assert process.returncode in (-signal.SIGKILL, 1)  # a fast machine may be done already
    process = start(tmp_path, *options)
    assert process.communicate()[1] == ""
    assert process.returncode == 1
    assert arms_of(tmp_path) == whole


@posix
@pytest.mark.parametrize("kill", [os.kill, os.killpg])  # a scheduler tells the workers too
def test_a_run_that_a_scheduler_ends_says_how_to_go_on(tmp_path, kill):
    def end(process):
        kill(process.pid, signal.SIGTERM)

    process = start(tmp_path, "--scale", "demo", "--workers", "2")
    said = interrupt(process, tmp_path, random.Random(0), end)
    assert process.returncode == 143
    assert re.fullmatch(r"\n\S+: interrupted; to go on add --resume --out \S+\n", said)


@posix
def test_an_error_in_a_worker_leaves_one_line_and_nothing_else(tmp_path):
    process = start(tmp_path, "--scale", "lab", "--workers", "2")
    said = process.communicate()[1]
    assert process.returncode == 1
    assert re.fullmatch(r"\S+: seed 10\d, decay: the loss became .*; the records .*\n", said)


EXAMPLE = ROOT / "examples" / "noisy_memorization.py"


@posix
def test_the_example_is_quiet_about_ctrl_c(tmp_path):
    process = start(tmp_path, "--scale", "smoke", script=EXAMPLE)
    while not list(tmp_path.glob("seed-100/*")):
        assert process.poll() is None
        time.sleep(0.01)
    ctrl_c(process)
    said = process.communicate()[1]
    assert process.returncode == 130
    assert said == f"\n{EXAMPLE.name}: interrupted; to go on add --resume --out {tmp_path}\n"


def test_the_example_says_in_a_line_what_is_wrong(tmp_path):
    (tmp_path / "notes.txt").write_text("mine")
    process = start(tmp_path, script=EXAMPLE)
    said = process.communicate()[1]
    assert process.returncode == 2
    assert re.fullmatch(rf"{EXAMPLE.name}: error: .* is not empty and no run .*\n", said)


def test_the_example_needs_no_docstrings():
    command = [sys.executable, "-OO", str(EXAMPLE), "--help"]
    assert (
        subprocess.run(
            command, env=os.environ | {"PYTHONPATH": str(ROOT)}, check=False, capture_output=True
        ).returncode
        == 0
    )


@pytest.mark.slow
def test_the_example_holds_its_claims_at_smoke_scale(tmp_path):
    process = start(tmp_path, "--scale", "smoke", "--seeds", "1", script=EXAMPLE)
    assert process.communicate()[1] == ""
    assert process.returncode == 0
