"""The benchmarks' harness. What it times is nobody's business here."""

import json
import math
import sys

import numpy as np
import pytest

import minidecay as md
from benchmarks import cpu, measure
from benchmarks.case import Case, training_step
from benchmarks.cases import CASES

TINY = next(case for case in CASES if case.name == "mlp-64-64-10-b32")


@pytest.fixture
def torch_side():
    torch = pytest.importorskip("torch")
    from benchmarks import torch_side

    before = torch.get_num_threads()
    torch.set_num_threads(1)  # two libraries' spinning threads would be in each other's way
    yield torch_side
    torch.set_num_threads(before)


@pytest.fixture
def no_torch(monkeypatch):
    monkeypatch.setitem(sys.modules, "torch", None)
    monkeypatch.delitem(sys.modules, "benchmarks.torch_side", raising=False)
    monkeypatch.delattr("benchmarks.torch_side", raising=False)


@pytest.fixture
def short_turns(monkeypatch):
    monkeypatch.setattr(measure, "ROUND_SECONDS", 0.0)


def case(ours, theirs):
    """A case whose two steps give these values."""
    return Case("made-up", "step", lambda: lambda: ours, lambda: lambda: theirs)


def small_step(lr):
    return training_step("small", (8, 4), lr, lambda rng: md.models.mlp(4, 3, 10, rng=rng))


def found(ratios, **changes):
    """A report with a training step for each of these ratios."""
    results = [
        {
            "name": f"case-{i}",
            "kind": "step",
            "agrees": True,
            "seconds": {"minidecay": spread(0.001), "torch": spread(0.001 * ratio)},
            "ratio": spread(ratio),
            "disturbed": False,
        }
        for i, ratio in enumerate(ratios)
    ]
    results[0] |= changes
    environment = measure.report(1, 1, [])["environment"]
    return {"threads": 1, "rounds": 3, "environment": environment, "results": results}


def spread(value):
    return {"median": value, "p10": value, "p90": value}


@pytest.mark.parametrize("each", CASES, ids=lambda each: each.name)
def test_both_sides_of_every_case_agree(each, torch_side):
    assert measure.difference(each.ours(), each.theirs()) <= measure.TOLERANCE


def test_cases_have_names_of_their_own():
    assert len({each.name for each in CASES}) == len(CASES)
    assert {each.kind for each in CASES} == set(cpu.KINDS)


def test_a_side_that_trains_otherwise_is_found_out(torch_side):
    ours, theirs = small_step(lr=0.1).ours(), small_step(lr=0.11).theirs()
    assert measure.difference(ours, theirs) > measure.TOLERANCE


def test_a_layer_without_a_twin_is_refused_by_name(torch_side):
    with pytest.raises(TypeError, match="Dropout has no twin"):
        torch_side.twin(md.nn.Sequential(md.nn.Dropout()))


@pytest.mark.parametrize("theirs", [1.001, math.nan, np.ones(2)])
def test_sides_that_disagree_are_not_timed(theirs):
    result = measure.compare(case(1.0, theirs), rounds=1)
    assert not result["agrees"]
    assert "seconds" not in result


def test_sides_take_turns_and_change_who_goes_first(short_turns):
    turns = []

    def side(name):
        return lambda: lambda: turns.append(name) or 1.0

    result = measure.compare(Case("made-up", "step", side("ours"), side("theirs")), rounds=3)
    # Two steps a turn, as the first is not timed: one turn each to find that, then the rounds.
    order = turns[2 * measure.CHECKED_STEPS :: 2]
    assert order == ["ours", "theirs", "ours", "theirs", "theirs", "ours", "ours", "theirs"]
    assert result["steps"] == 1
    assert len(result["ratio"]["rounds"]) == 3


def test_a_turn_has_steps_enough(monkeypatch):
    monkeypatch.setattr(measure, "ROUND_SECONDS", 0.002)
    result = measure.compare(case(1.0, 1.0), rounds=1)
    assert result["steps"] > 1


def test_a_missing_torch_leaves_ours_alone(no_torch, short_turns):
    result = measure.compare(TINY, rounds=1)
    assert result["ratio"] is None
    assert set(result["seconds"]) == {"minidecay"}
    report = measure.report(1, 1, [TINY.name])
    assert report["environment"]["torch"] is None
    assert "torch      not installed" in cpu.describe(report)


def test_another_missing_module_is_an_error():
    def theirs():
        raise ModuleNotFoundError("no numpy_of_tomorrow", name="numpy_of_tomorrow")

    with pytest.raises(ModuleNotFoundError, match="tomorrow"):
        measure.compare(Case("made-up", "step", lambda: lambda: 1.0, theirs), rounds=1)


def test_the_geometric_mean_has_the_losses_in_it(no_torch):
    text = cpu.describe(found([8.0, 0.5]))
    (line,) = (line for line in text.splitlines() if line.startswith("geometric mean"))
    assert line.split() == ["geometric", "mean,", "2", "of", "2", "2.00"]


def test_a_disagreement_is_told_and_left_out_of_the_mean(no_torch):
    report = found([8.0, 0.5], agrees=False, difference=0.25)
    for key in ("seconds", "ratio", "disturbed"):
        del report["results"][0][key]
    text = cpu.describe(report)
    assert "case-0: the two sides differ by 2.5e-01" in text
    assert "geometric mean, 1 of 2" in text


def test_a_disturbed_measurement_says_so(no_torch):
    assert "DISTURBED" not in cpu.describe(found([2.0]))
    assert "not to be quoted: case-0" in cpu.describe(found([2.0], disturbed=True))


def test_waiting_for_a_core_is_a_disturbance(monkeypatch):
    clocks = iter([(0.0, 0.0, 0.0), (1.0, 0.5, 2.0)])
    monkeypatch.setattr(measure, "_clocks", lambda: next(clocks))
    assert measure._disturbed(measure._clocks(), threads=1)


@pytest.mark.parametrize(("others", "disturbed"), [(0.0, False), (1.0, True), (math.nan, False)])
def test_two_threads_need_two_cores(monkeypatch, others, disturbed):
    monkeypatch.setattr(measure.os, "cpu_count", lambda: 2)
    monkeypatch.setattr(measure, "_clocks", lambda: (1.0, 1.5, 1.5 + others))
    assert measure._disturbed((0.0, 0.0, 0.0), threads=2) == disturbed


def test_no_threadpoolctl_is_no_error(monkeypatch, no_torch):
    monkeypatch.setitem(sys.modules, "threadpoolctl", None)
    assert "unknown architecture" in cpu.describe(found([2.0]))


def test_the_core_type_is_always_shown(monkeypatch, no_torch):
    monkeypatch.delenv("OPENBLAS_CORETYPE", raising=False)
    assert "OPENBLAS_CORETYPE not set" in cpu.describe(found([2.0]))
    monkeypatch.setenv("OPENBLAS_CORETYPE", "Haswell")
    assert "OPENBLAS_CORETYPE=Haswell" in cpu.describe(found([2.0]))


def test_the_table_is_measured_in_a_process_of_its_own_and_kept(tmp_path, capfd):
    path = tmp_path / "report.json"
    arguments = ["--cases", TINY.name, "--rounds", "2", "--threads", "1", "--json", str(path)]
    assert cpu.main(arguments) == 0
    assert TINY.name in capfd.readouterr().out
    (report,) = json.loads(path.read_text())["reports"]
    assert [result["name"] for result in report["results"]] == [TINY.name]
    assert len(report["results"][0]["seconds"]["minidecay"]["rounds"]) == 2
    environment = report["environment"]
    assert environment["variables"]["OPENBLAS_NUM_THREADS"] == "1"
    assert environment["cpu"]
    if environment["blas_in_use"]:
        assert environment["blas_in_use"]["num_threads"] == 1


def test_a_measurement_that_fails_ends_with_1(monkeypatch, capfd):
    monkeypatch.setenv("PYTHONHOME", "/nowhere")  # no interpreter starts with it
    assert cpu.main(["--cases", TINY.name]) == 1
    assert "measuring failed" in capfd.readouterr().err


@pytest.mark.parametrize(
    ("argument", "said"),
    [
        (["--cases", "mlp"], TINY.name),
        (["--threads", "0"], "at least 1"),
        (["--rounds", "many"], "at least 1"),
        (["--json", "/nowhere/report.json"], "missing or not writable"),
    ],
)
def test_wrong_use_is_refused(argument, said, capsys):
    with pytest.raises(SystemExit) as ended:
        cpu.main(argument)
    assert ended.value.code == 2
    assert said in capsys.readouterr().err
