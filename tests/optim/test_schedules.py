import json
import math
import pickle
from dataclasses import FrozenInstanceError, dataclass
from fractions import Fraction

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from minidecay.optim import schedules
from minidecay.optim.schedules import (
    Constant,
    Cosine,
    Ramp,
    Schedule,
    Steps,
    as_schedule,
    from_json,
)

rates = st.floats(0, 1e3)
durations = st.floats(0, 1e3)
times = st.floats(0, 5e3)
milestones = st.lists(durations, max_size=5, unique=True).map(sorted)
ranges = st.tuples(rates, rates).map(sorted)
factors = st.floats(0, 10)

basic = st.one_of(
    st.builds(Constant, rates),
    st.builds(Steps, rates, milestones, st.floats(0, 2)),
    st.builds(Ramp, rates, rates, durations),
    st.builds(lambda low_high, n: Cosine(low_high[1], n, low_high[0]), ranges, durations),
)


def composed(inner):
    return st.one_of(
        st.builds(lambda first, second, at: first.then(second, at), inner, inner, durations),
        st.builds(lambda first, second: first.then(second), inner.filter(ends), inner),
        st.builds(lambda s, low_high: s.clip(*low_high), inner, ranges),
        st.builds(lambda s, factor: factor * s, inner, factors),
        st.builds(lambda s, number: s / number, inner, st.floats(0.1, 10)),
        st.builds(lambda s, number: s + number, inner, rates),
        st.builds(lambda s, t: s + t, inner, inner),
        st.builds(lambda s, t: s * t, inner, inner),
    )


def ends(schedule):
    return schedule.epochs < math.inf


any_schedule = st.recursive(basic, composed, max_leaves=5)


# The four kinds


def test_steps_gives_the_rates_of_the_paper():
    decay = Steps(0.3, (10, 15))
    assert [decay(t) for t in (0, 9.999, 10, 14.999, 15, 100)] == pytest.approx(
        [0.3, 0.3, 0.03, 0.03, 0.003, 0.003]
    )


@given(rates, milestones, st.floats(0, 2))
def test_steps_is_lr_times_a_power_of_gamma_and_continuous_from_the_right(lr, passed, gamma):
    decay = Steps(lr, passed, gamma)
    for k, milestone in enumerate(passed):
        assert decay(milestone) == lr * gamma ** (k + 1)
        if milestone > 0:
            assert decay(math.nextafter(milestone, 0)) == lr * gamma**k


@pytest.mark.parametrize("steps_per_epoch", [1, 3, 49, 312, 313, 781])
def test_a_milestone_is_met_at_its_very_step(steps_per_epoch):
    decay = Steps(1.0, range(1, 60), gamma=0.5)
    for epoch in range(1, 60):
        step = epoch * steps_per_epoch
        assert decay((step - 1) / steps_per_epoch) == 0.5 ** (epoch - 1)
        assert decay(step / steps_per_epoch) == 0.5**epoch


@pytest.mark.parametrize("steps_per_epoch", [49, 312, 313, 781])
def test_a_follower_begins_at_its_very_step(steps_per_epoch):
    warm = Ramp(0, 1, epochs=5).then(Steps(2.0, (7, 11), gamma=0.5))
    for epoch, before, from_then_on in [(5, None, 2.0), (12, 2.0, 1.0), (16, 1.0, 0.5)]:
        step = epoch * steps_per_epoch
        assert warm(step / steps_per_epoch) == from_then_on
        assert before is None or warm((step - 1) / steps_per_epoch) == before


@given(rates, rates, durations, times)
def test_a_ramp_is_straight_and_ends_at_its_end(start, end, epochs, t):
    ramp = Ramp(start, end, epochs)
    part = t / epochs if t < epochs else 1
    expected = (1 - part) * start + part * end
    assert ramp(t) == pytest.approx(expected, rel=1e-9, abs=1e-9)
    assert ramp(epochs) == ramp(epochs + 1) == end


def test_a_cosine_is_half_way_down_half_way_through_and_holds_its_end():
    cosine = Cosine(0.5, epochs=8, min_lr=0.1)
    assert [cosine(t) for t in (0, 2, 4, 6, 8, 9)] == pytest.approx(
        [0.5, 0.3 + 0.2 * math.sqrt(0.5), 0.3, 0.3 - 0.2 * math.sqrt(0.5), 0.1, 0.1]
    )
    assert cosine(8) == 0.1


@given(any_schedule, times)
def test_every_rate_is_a_finite_float_of_0_or_more_and_always_the_same(schedule, t):
    assert type(schedule(t)) is float
    assert 0 <= schedule(t) < math.inf
    assert schedule(t) == schedule(t)


@given(any_schedule.filter(ends), times, times)
def test_from_its_duration_on_a_schedule_stays_as_it_is(schedule, later, latest):
    last = schedule.epochs * (1 + 1e-12)  # nested starts are subtracted one by one, and rounded
    assert schedule(last + later) == schedule(last + latest)


# The algebra


@given(any_schedule, any_schedule, durations, times)
def test_then_is_the_first_until_at_and_the_second_from_its_own_start(first, second, at, t):
    joined = first.then(second, at)
    assert joined(t) == (first(t) if t < at else second(t - at))
    assert joined(at) == second(0)


@given(any_schedule.filter(ends), any_schedule)
def test_then_begins_where_the_first_ends(first, second):
    assert first.then(second) == first.then(second, at=first.epochs)
    assert first.then(second).epochs == first.epochs + second.epochs


@given(any_schedule, any_schedule, times, factors)
def test_arithmetic_on_schedules_is_arithmetic_on_their_rates(a, b, t, number):
    assert (a + b)(t) == a(t) + b(t)
    assert (a * b)(t) == a(t) * b(t)
    assert (a + number)(t) == a(t) + number
    assert (number * a)(t) == number * a(t)
    assert (a / 3)(t) == a(t) / 3


@given(any_schedule, ranges, times)
def test_clip_is_clip(schedule, low_high, t):
    assert schedule.clip(*low_high)(t) == np.clip(schedule(t), *low_high)


@given(any_schedule, factors)
def test_a_number_may_stand_on_either_side(schedule, number):
    assert number * schedule == schedule * number == np.float64(number) * schedule
    assert number + schedule == schedule + number == np.float64(number) + schedule


def test_a_combination_ends_when_the_longer_does():
    assert (Ramp(0, 1, 5) + Cosine(1, 7)).epochs == 7
    assert (2 * Ramp(0, 1, 5).clip(0.1, 0.5) / 3).epochs == 5
    assert (Ramp(0, 1, 5) * Constant(2)).epochs == math.inf


def test_a_sum_of_schedules_can_be_taken_by_sum():
    assert sum([Constant(1), Ramp(0, 2, 4), Ramp(0, 4, 4)])(2) == 4.0


# Values


@given(any_schedule)
def test_a_schedule_goes_through_json_text_unchanged(schedule):
    stored = json.loads(json.dumps(schedule.to_json(), allow_nan=False))
    assert stored == schedule.to_json()
    assert from_json(stored) == schedule


@given(any_schedule)
def test_the_repr_makes_an_equal_schedule_with_an_equal_hash(schedule):
    again = eval(repr(schedule), vars(schedules))
    assert again == schedule
    assert hash(again) == hash(schedule)
    assert repr(again) == repr(schedule)


@given(any_schedule)
def test_a_schedule_can_be_sent_to_another_process(schedule):
    assert pickle.loads(pickle.dumps(schedule)) == schedule


def test_schedules_of_another_kind_or_another_number_differ():
    different = [Constant(0.1), Constant(0.2), Ramp(0.1, 0, 5), Cosine(0.1, 5), Steps(0.1, ())]
    different += [2 * Constant(0.1), 2 + Constant(0.1), Constant(0.1) / 2]
    different += [Ramp(0.1, 0, 5).then(Constant(0), at=at) for at in (4, 5)]
    assert len(set(different)) == len(different)


@pytest.mark.parametrize(
    ("schedule", "text"),
    [
        (Steps(0.3, [10, 15]), "Steps(0.3, (10, 15))"),
        (Steps(0.3, [10], gamma=0.5), "Steps(0.3, (10,), gamma=0.5)"),
        (Cosine(0.1, 95), "Cosine(0.1, 95)"),
        (Cosine(lr=0.1, epochs=95, min_lr=1e-4), "Cosine(0.1, 95, min_lr=0.0001)"),
        (
            0.5 * Ramp(0, 0.1, 5).then(Cosine(0.1, 95)),
            "0.5 * Ramp(0, 0.1, 5).then(Cosine(0.1, 95))",
        ),
        ((Ramp(0, 1, 5) * 2).then(Constant(1)), "(2 * Ramp(0, 1, 5)).then(Constant(1))"),
        (Constant(0.1).then(Ramp(0.1, 0, 5), at=25), "Constant(0.1).then(Ramp(0.1, 0, 5), at=25)"),
        ((Constant(1) + Constant(2)) / 4 + 0.5, "((Constant(1) + Constant(2)) / 4) + 0.5"),
        (Ramp(0, 1, 5).clip(0.1, 1), "Ramp(0, 1, 5).clip(0.1, 1)"),
    ],
)
def test_the_repr_reads_like_the_code_that_makes_it(schedule, text):
    assert repr(schedule) == text


def test_numbers_of_any_kind_become_python_floats():
    ramp = Ramp(np.float32(0.5), np.int64(2), Fraction(5, 2))
    assert ramp == Ramp(0.5, 2.0, 2.5)
    assert {type(x) for x in (ramp.start, ramp.end, ramp.epochs)} == {float}
    assert {type(m) for m in Steps(1, np.array([1, 2])).milestones} == {float}
    assert type((np.float32(0.5) * ramp)(1)) is float
    assert repr(Constant(-0.0)) == "Constant(0)"


def test_a_schedule_cannot_be_changed():
    with pytest.raises(FrozenInstanceError):
        Constant(0.1).lr = 0.2


def test_a_new_kind_needs_its_value_and_its_duration_only():
    @dataclass(frozen=True, repr=False)
    class Sawtooth(Schedule):
        lr: float
        epochs: float

        def value(self, t: float) -> float:
            return self.lr * (1 - t % self.epochs)

    saw = 2 * Sawtooth(np.float32(0.5), 1).then(Constant(0.25))
    assert saw(0.5) == saw(1) == 0.5
    assert repr(saw) == "2 * Sawtooth(0.5, 1).then(Constant(0.25))"
    assert from_json(saw.to_json()) == saw
    with pytest.raises(ValueError, match="Sawtooth: lr must be finite and 0 or more, got -1"):
        Sawtooth(-1, 1)


def test_a_rate_that_a_new_kind_gets_wrong_is_refused():
    @dataclass(frozen=True, repr=False)
    class Sinking(Schedule):
        lr: float
        epochs = math.inf

        def value(self, t: float) -> float:
            return self.lr - t

    with pytest.raises(ValueError, match=r"Sinking\(1\): the rate at t = 3 is -2.0"):
        Sinking(1)(3)


# Bad input

BAD_NUMBERS = [math.nan, math.inf, -math.inf, -0.1, np.float32("nan")]
NO_NUMBERS = ["0.1", None, True, [0.1], 1j, np.array([0.1])]


@pytest.mark.parametrize(
    "make",
    [
        lambda x: Constant(x),
        lambda x: Steps(x, (1, 2)),
        lambda x: Steps(0.1, (1, 2), x),
        lambda x: Steps(0.1, (x,)),
        lambda x: Ramp(x, 0.1, 5),
        lambda x: Ramp(0.1, x, 5),
        lambda x: Ramp(0.1, 0.2, x),
        lambda x: Cosine(x, 5),
        lambda x: Cosine(0.1, x),
        lambda x: Cosine(0.1, 5, x),
        lambda x: Constant(1).clip(x, 2),
        lambda x: Constant(1).clip(0, x),
        lambda x: x * Constant(1),
        lambda x: x + Constant(1),
        lambda x: Constant(1) / x,
        lambda x: Constant(0.1)(x),
    ],
)
def test_a_number_must_be_a_number_finite_and_not_negative(make):
    for bad in BAD_NUMBERS:
        with pytest.raises(ValueError, match=r"^[^\n]* must be finite and 0 or more, got"):
            make(bad)
    for bad in NO_NUMBERS:
        with pytest.raises(TypeError, match=r"^[^\n]* must be a number, got"):
            make(bad)


@pytest.mark.parametrize(
    ("make", "error", "message"),
    [
        (lambda: Steps(0.1, (10, 5)), ValueError, r"milestones \(10, 5\) must increase; sort them"),
        (lambda: Steps(0.1, (5, 5)), ValueError, r"milestones \(5, 5\) must increase"),
        (lambda: Steps(0.1, 10), TypeError, "milestones must be a sequence, got 10"),
        (lambda: Cosine(0.1, 5, 0.2), ValueError, "min_lr 0.2 is above lr 0.1; exchange them"),
        (lambda: Constant(1).clip(2, 1), ValueError, "low 2.0 is above high 1.0; exchange them"),
        (lambda: Constant(1).then(Constant(2)), ValueError, r"Constant\(1\) has no end; say when"),
        (lambda: Steps(1, (5,)).then(Constant(2)), ValueError, "has no end; say when"),
        (lambda: Ramp(0, 1, 5).then(0.1), TypeError, "second must be a schedule, got 0.1"),
        (lambda: Ramp(0, 1, 5).then(Constant(1), at=-1), ValueError, "at must be finite"),
        (lambda: Constant(1) / 0, ValueError, "cannot divide by 0"),
        (lambda: Constant(1) / Constant(2), ValueError, r"cannot divide by Constant\(2\)"),
    ],
)
def test_a_schedule_that_makes_no_sense_is_refused_with_the_mend(make, error, message):
    with pytest.raises(error, match=message):
        make()


STEPS = Steps(0.3, (10, 15)).to_json()


@pytest.mark.parametrize(
    ("stored", "error", "message"),
    [
        ("Steps", TypeError, "needs a dict as to_json makes it, got 'Steps'"),
        ({}, ValueError, "no kind 'schedule': 'None'; there are .*'Constant', 'Cosine'"),
        ({"schedule": "Stairs"}, ValueError, "no kind 'schedule': 'Stairs'"),
        ({"schedule": ["Steps"]}, ValueError, "no kind 'schedule'"),
        ({"schedule": "Constant"}, ValueError, r"Constant needs the fields \['lr'\], got \[\]"),
        (STEPS | {"warmup": 5}, ValueError, "Steps needs the fields .* got .*'warmup'"),
        (STEPS | {"lr": -1}, ValueError, "Steps: lr must be finite and 0 or more, got -1"),
        (STEPS | {"lr": "0.3"}, TypeError, "Steps: lr must be a number, got '0.3'"),
        (STEPS | {"milestones": [15, 10]}, ValueError, "must increase"),
        (STEPS | {"milestones": STEPS}, TypeError, "milestones must be a sequence"),
        ((0.5 * Constant(1)).to_json() | {"left": 1}, TypeError, "left must be a schedule, got 1"),
        ((0.5 * Constant(1)).to_json() | {"symbol": "-"}, ValueError, "no operator '-'; there are"),
    ],
)
def test_json_that_no_schedule_stored_is_refused(stored, error, message):
    with pytest.raises(error, match=message):
        from_json(stored)


def test_as_schedule_takes_what_an_optimiser_may_be_given():
    def warm(t: float) -> float:
        return min(t, 1.0)

    assert as_schedule(np.float32(0.5)) == as_schedule(0.5) == Constant(0.5)
    assert as_schedule(Ramp(0, 1, 5)) == Ramp(0, 1, 5)
    assert as_schedule(warm) is warm
    for bad in ("0.1", None, True, [0.1], Cosine):
        with pytest.raises(TypeError, match="must be a number, a schedule or a function of t"):
            as_schedule(bad)


# Against torch's schedulers, epoch by epoch over whole runs


def torch_rates(lr, epochs, scheduler):
    torch = pytest.importorskip("torch")
    sgd = torch.optim.SGD([torch.nn.Parameter(torch.zeros(1))], lr=lr)
    scheduler = scheduler(torch.optim.lr_scheduler, sgd)
    rates = []
    for _ in range(epochs):
        rates.append(sgd.param_groups[0]["lr"])
        sgd.step()
        scheduler.step()
    return rates


@pytest.mark.parametrize(
    ("ours", "lr", "theirs"),
    [
        (Constant(0.1), 0.1, lambda lib, sgd: lib.ConstantLR(sgd, factor=1)),
        (Steps(0.3, (10, 15)), 0.3, lambda lib, sgd: lib.MultiStepLR(sgd, [10, 15])),
        (
            Steps(0.1, range(7, 60, 7), gamma=0.7),
            0.1,
            lambda lib, sgd: lib.StepLR(sgd, step_size=7, gamma=0.7),
        ),
        (
            Ramp(0.1, 0.02, 13),
            0.1,
            lambda lib, sgd: lib.LinearLR(sgd, 1, 0.2, total_iters=13),
        ),
        (Ramp(0.03, 0.1, 13), 0.1, lambda lib, sgd: lib.LinearLR(sgd, 0.3, 1, total_iters=13)),
        (Cosine(0.1, 60, 1e-3), 0.1, lambda lib, sgd: lib.CosineAnnealingLR(sgd, 60, 1e-3)),
        (
            Constant(0.05).then(Constant(0.1), at=20),
            0.1,
            lambda lib, sgd: lib.ConstantLR(sgd, factor=0.5, total_iters=20),
        ),
        (
            Ramp(0.01, 0.1, 5).then(Cosine(0.1, 55)),
            0.1,
            lambda lib, sgd: lib.SequentialLR(
                sgd,
                [lib.LinearLR(sgd, 0.1, 1, total_iters=5), lib.CosineAnnealingLR(sgd, 55)],
                milestones=[5],
            ),
        ),
    ],
)
def test_each_epoch_of_a_run_has_the_rate_that_torch_gives(ours, lr, theirs):
    expected = torch_rates(lr, 60, theirs)
    assert [ours(t) for t in range(60)] == pytest.approx(expected, rel=1e-9, abs=1e-12)
