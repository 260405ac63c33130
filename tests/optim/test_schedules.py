import json
import math
import pickle
from dataclasses import FrozenInstanceError, dataclass
from fractions import Fraction

import numpy as np
import pytest
from drawn_schedules import any_schedule, durations, ends, factors, ranges, times
from hypothesis import given

from minidecay.optim import schedules
from minidecay.optim.schedules import (
    WSD,
    Constant,
    Cosine,
    CosineRestarts,
    Exponential,
    InverseSqrt,
    InverseTime,
    OneCycle,
    Polynomial,
    Ramp,
    Schedule,
    Steps,
    Triangular,
    as_schedule,
    from_json,
)


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
    assert (a + b - a)(t) == a(t) + b(t) - a(t)
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


def test_a_schedule_can_be_taken_from_a_number_and_a_number_from_it():
    ramp = Ramp(0, 1, 4)
    for flipped in (1 - ramp, np.float64(1) - ramp):
        assert (flipped(0), flipped(1), flipped(4), flipped.epochs) == (1, 0.75, 0, 4)
    assert (ramp - 0.25)(2) == 0.25
    with pytest.raises(ValueError, match=r"Ramp\(0, 1, 4\) - 0.5: the rate at t = 1 is -0.25"):
        (ramp - 0.5)(1)


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
        (1 - (Ramp(0, 1, 5) - 0.5), "1 - (Ramp(0, 1, 5) - 0.5)"),
        (Triangular(0.1, 5), "Triangular(0.1, 5)"),
        (Triangular(0.1, 5, down=3), "Triangular(0.1, 5, down=3)"),
        (WSD(0.1, 100, 20, shape="cosine"), "WSD(0.1, 100, 20, shape='cosine')"),
        (OneCycle(0.1, 5, three_phase=True), "OneCycle(0.1, 5, three_phase=True)"),
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
        lambda x: Polynomial(0.1, 5, power=x),
        lambda x: Exponential(0.1, x),
        lambda x: InverseTime(0.1, x),
        lambda x: InverseSqrt(0.1, x),
        lambda x: CosineRestarts(0.1, x),
        lambda x: CosineRestarts(0.1, 5, factor=x),
        lambda x: OneCycle(0.1, 5, pct_start=x),
        lambda x: Triangular(0.1, x),
        lambda x: WSD(0.1, 100, x),
        lambda x: Constant(1).clip(x, 2),
        lambda x: Constant(1).clip(0, x),
        lambda x: x * Constant(1),
        lambda x: x + Constant(1),
        lambda x: x - Constant(1),
        lambda x: Constant(1) - x,
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
        (
            lambda: Polynomial(0.1, 5, min_lr=0.2),
            ValueError,
            "min_lr 0.2 is above lr 0.1; exchange",
        ),
        (lambda: CosineRestarts(0.1, 5, min_lr=0.2), ValueError, "min_lr 0.2 is above lr 0.1"),
        (
            lambda: CosineRestarts(0.1, 0),
            ValueError,
            "CosineRestarts: period must be above 0, got 0",
        ),
        (lambda: CosineRestarts(0.1, 5, 0.5), ValueError, "factor 0.5 must be 1 or more"),
        (lambda: InverseSqrt(0.1, 0), ValueError, "InverseSqrt: warmup must be above 0, got 0"),
        (lambda: OneCycle(0.1, 5, 1.5), ValueError, "OneCycle: pct_start 1.5 is above 1"),
        (lambda: OneCycle(0.1, 5, 0.6, three_phase=True), ValueError, "pct_start 0.6 is above 0.5"),
        (lambda: OneCycle(0.1, 5, div_factor=0), ValueError, "div_factor must be above 0, got 0"),
        (
            lambda: OneCycle(0.1, 5, anneal_strategy="line"),
            ValueError,
            "anneal_strategy='line' must be one of cos, linear",
        ),
        (lambda: Triangular(0.1, 0, 0), ValueError, "up and down are both 0; make a cycle longer"),
        (lambda: Triangular(0.1, 0), ValueError, "up and down are both 0"),
        (lambda: Triangular(0.1, 5, min_lr=0.2), ValueError, "min_lr 0.2 is above lr 0.1"),
        (lambda: WSD(0.1, 10, 6, warmup=5), ValueError, "warmup and cooldown take 11 of 10 epochs"),
        (
            lambda: WSD(0.1, 10, 6, "sqrt"),
            ValueError,
            "shape='sqrt' must be one of linear, cosine, ",
        ),
        (lambda: WSD(0.1, 10, 6, "exponential"), ValueError, "never comes to 0; give it a min_lr"),
        (lambda: WSD(0.1, 10, 6, min_lr=0.2), ValueError, "min_lr 0.2 is above lr 0.1"),
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
        ((0.5 * Constant(1)).to_json() | {"symbol": "@"}, ValueError, "no operator '@'; there are"),
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
