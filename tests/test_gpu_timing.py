"""What is timed on a GPU, and how, over stand-ins for CuPy and torch.cuda: no time is true."""

import json
import time
from dataclasses import replace

import numpy as np
import pytest

from benchmarks.case import Case
from benchmarks.cases import PRIMITIVES, SMOKE_CASES, SMOKE_PRIMITIVES
from benchmarks.fused import add
from benchmarks.gpu import report, supervise, worker
from benchmarks.gpu.plan import plan
from benchmarks.gpu.primitives import PrimitiveTimer, poisoned
from benchmarks.gpu.steps import compiled_step, step
from benchmarks.gpu.timing import LAUNCHES, Side, Stopwatch, buffers
from benchmarks.primitive import matmul
from minidecay.cuda import names

SMALL = matmul(9, 8, 7, rungs=("05_register_2d",))


@pytest.fixture
def watch(card, compiled):
    return Stopwatch(card.xp)


@pytest.fixture
def torch():
    pytest.importorskip("torch")
    from stand_in import torch_cuda

    with torch_cuda.seen() as module:
        yield module


# -- what is timed -------------------------------------------------------------------------------
@pytest.mark.parametrize("each", SMOKE_PRIMITIVES, ids=lambda each: each.name)
def test_torchs_twin_of_every_primitive_computes_the_same(each):
    pytest.importorskip("torch")
    from benchmarks import torch_side

    drawn = each.drawn()
    exact = each.reference(drawn)
    for got, wanted in zip(torch_side.primitive(each, drawn)(), exact, strict=False):
        np.testing.assert_allclose(got.numpy(), wanted, rtol=1e-4, atol=1e-5)


def test_the_smoke_list_has_every_kind_of_the_full_one():
    kinds = {each.name.split("-")[0] for each in PRIMITIVES}
    assert kinds == {each.name.split("-")[0] for each in SMOKE_PRIMITIVES}


@pytest.mark.parametrize("scale", ["full", "smoke"])
def test_the_plan_names_each_thing_once_and_rungs_that_there_are(scale):
    items = plan(scale)
    assert len({item.name for item in items}) == len(items)
    rungs = {f"{item.primitive.family}/{item.rung}" for item in items if item.rung}
    assert rungs <= set(names())
    if scale == "full":
        assert rungs == {name for name in names() if not name.startswith("fused/")}


def test_a_primitive_can_be_timed_on_a_cpu_too():
    pytest.importorskip("torch")
    from benchmarks import measure

    case = SMALL.case()
    assert measure.difference(case.ours(), case.theirs()) < 1e-5


# -- timing --------------------------------------------------------------------------------------
def test_calls_are_captured_and_replayed(card, watch):
    x = card.from_numpy(np.zeros(3, np.float32))

    def call():
        card.copy_into(x, card.add(x, 1.0))

    turn = watch.ready(Side([call], watch.capture_ours))
    assert turn.method == f"a graph of {LAUNCHES}"
    assert card.to_numpy(x)[0] == turn.made
    turn.run()
    assert card.to_numpy(x)[0] == turn.made + turn.calls


def test_each_buffer_has_its_turn_as_often(watch):
    made = []
    side = Side([lambda i=i: made.append(i) for i in range(3)])
    turn = watch.ready(side)
    assert turn.method == "21 launches"
    assert {made.count(i) for i in range(3)} == {turn.made // 3}


def test_the_next_round_goes_the_other_way_about(watch, monkeypatch):
    monkeypatch.setattr("benchmarks.gpu.timing.TURN_SECONDS", 0)
    order = []
    turns = {name: watch.ready(Side([lambda n=name: order.append(n)])) for name in "ab"}
    order.clear()
    found = watch.compare(turns, rounds=3)
    assert "".join(order[::LAUNCHES]) == "abbaab"
    assert len(found["ratio"]["b"]["rounds"]) == 3
    assert "a" not in found["ratio"]


def test_a_capture_that_fails_is_over(watch):
    def broken():
        raise RuntimeError("not while capturing")

    with pytest.raises(RuntimeError, match="not while"):
        watch.capture_ours(broken)
    assert watch.capture_ours(lambda: None)() is None


def test_buffers_come_to_three_times_the_cache():
    assert buffers(nbytes=10, cache=100) == 30
    assert buffers(nbytes=1000, cache=100) == 1
    assert buffers(nbytes=1, cache=10**9) == 256


# -- primitives ----------------------------------------------------------------------------------
def test_a_primitive_is_checked_and_timed_beside_torch_in_both_precisions(card, torch):
    timer = PrimitiveTimer(card, torch, Stopwatch(card.xp, torch), rounds=2)
    result = timer.time(SMALL, "05_register_2d")
    assert set(result["ratio"]) == {"torch fp32", "torch tf32"}
    assert result["error"]["minidecay"] < 1e-6
    assert result["error"]["torch fp32"] < 1e-6
    assert result["buffers"] == 17
    assert set(result["method"].values()) == {
        "a graph of 34"
    }  # 20 calls or more, all buffers alike
    assert result["flops"] == 2 * 9 * 8 * 7
    assert result["bytes"] == 4 * (9 * 7 + 7 * 8 + 9 * 8)


@pytest.mark.parametrize("each", SMOKE_PRIMITIVES, ids=lambda each: each.name)
def test_every_primitive_is_timed_beside_torch(card, torch, each):
    timer = PrimitiveTimer(card, torch, Stopwatch(card.xp, torch), rounds=1)
    result = timer.time(each)
    assert result["agrees"]
    assert not result["failed"]
    assert not result["not_captured"]
    if each.function:
        assert "torch.compile" in timer.compiled(each)["ratio"]


def test_an_output_that_is_wrong_or_left_unwritten_is_not_timed(card, watch):
    def spoiled(how):
        def ours(device, x, y):
            return lambda: (how(device, device.add(x, y)),)

        return replace(add(100), ours=ours, exact=lambda x, y: (x + y,))

    timer = PrimitiveTimer(card, None, watch, rounds=1)
    for how in (
        lambda device, out: device.add(out, 1e-3),
        lambda device, out: device.empty(out.shape),
        lambda device, out: out[:50],
    ):
        result = timer.time(spoiled(how))
        assert not result["agrees"]
        assert "seconds" not in result


def test_what_torch_cannot_do_costs_only_torch(card, torch):
    def theirs(torch, x, y):
        raise RuntimeError("CUDA error: out of memory\nand more")

    timer = PrimitiveTimer(card, torch, Stopwatch(card.xp, torch), rounds=1)
    result = timer.time(replace(add(100), theirs=theirs))
    assert result["failed"] == {"torch fp32": "RuntimeError: CUDA error: out of memory\nand more"}
    assert result["seconds"]["minidecay"]["median"] > 0


def test_what_cannot_be_captured_is_timed_as_launches(card, watch):
    def ours(device, x, y):
        return lambda: (device.add(x, y), device.to_numpy(x))  # waits for the GPU

    result = PrimitiveTimer(card, None, watch, rounds=1).time(replace(add(100), ours=ours))
    assert "cudaErrorStreamCaptureUnsupported" in result["not_captured"]["minidecay"]
    assert "launches" in result["method"]["minidecay"]
    assert result["seconds"]["minidecay"]["median"] > 0


def test_outputs_begin_as_nan(card):
    with poisoned(card):
        assert np.isnan(card.to_numpy(card.empty((3,)))).all()
    assert card.empty.__func__ is type(card).empty


# -- steps ---------------------------------------------------------------------------------------
@pytest.fixture
def few_steps(monkeypatch):
    monkeypatch.setattr("benchmarks.gpu.timing.LAUNCHES", 4)
    monkeypatch.setattr("benchmarks.gpu.steps.CHECKED_STEPS", 2)


def test_a_step_is_timed_eager_and_captured_on_both_sides(card, torch, few_steps):
    case, watch = SMOKE_CASES[0], Stopwatch(card.xp, torch)
    result = step(case, torch, watch, 1)
    assert set(result["seconds"]) == set(report.STEP_SIDES) - {"torch.compile fp32"}
    assert max(result["error"].values()) < 1e-4
    assert not result["failed"]
    compiled = compiled_step(case, torch, watch, 1)
    assert set(compiled["seconds"]) == {"minidecay", "torch.compile fp32"}


def test_a_step_that_trains_otherwise_is_not_timed(card, watch, few_steps):
    case = SMOKE_CASES[0]

    def ours(device="cpu"):
        honest = case.ours(device)
        return honest if device == "cpu" else lambda: float(honest()) * 1.001

    result = step(Case("made-up", "step", ours, case.theirs), None, watch, 1)
    assert not result["agrees"]
    assert "seconds" not in result


# -- the worker ----------------------------------------------------------------------------------
@pytest.fixture
def log(tmp_path, monkeypatch):
    """The events that a worker in this process reports."""
    path = tmp_path / "log.jsonl"
    monkeypatch.setenv(supervise.LOG, str(path))
    return lambda: [json.loads(line) for line in path.read_text().splitlines()]


@pytest.fixture
def three_things(monkeypatch, card, compiled):
    """A plan of three primitives, the second of which fails."""

    def broken(device, x, y):
        raise MemoryError("out of memory: 3 TB")

    chosen = [add(10), replace(add(20), ours=broken), add(30)]
    items = [item for item in plan("smoke") if item.name == "add-1003"]
    items = [replace(items[0], name=each.name, primitive=each) for each in chosen]
    monkeypatch.setattr(worker, "plan", lambda scale: items)


def done(events):
    return {event["name"]: event["result"] for event in events if event["event"] == "done"}


def test_a_failing_item_does_not_stop_the_others(three_things, log):
    assert worker.main("smoke", 1, time.time() + 100) == 0
    results = done(log())
    assert results["add-20"]["failed"] == {"minidecay": "MemoryError: out of memory: 3 TB"}
    assert results["add-10"]["agrees"]
    assert results["add-30"]["agrees"]


def test_what_there_is_no_time_for_is_not_begun(three_things, log):
    assert worker.main("smoke", 1, time.time() - 1) == 0
    events = log()
    assert [event["event"] for event in events] == ["plan", "torch"]
    assert len(events[0]["names"]) == 3


def test_a_lost_context_ends_the_worker_after_it_said_so(three_things, log, monkeypatch):
    usable = iter([True, False])
    monkeypatch.setattr(worker, "usable", lambda cupy: next(usable))
    assert worker.main("smoke", 1, time.time() + 100) == worker.LOST
    assert set(done(log())) == {"add-10", "add-20"}
