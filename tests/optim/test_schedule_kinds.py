"""The kinds of schedule: each held to its formula."""

import math

import numpy as np
import pytest
from drawn_schedules import durations, factors, lengths, milestones, ranges, rates, shares, times
from hypothesis import given
from hypothesis import strategies as st

from minidecay.optim.schedules import (
    COOLDOWNS,
    WSD,
    Cosine,
    CosineRestarts,
    Exponential,
    InverseSqrt,
    InverseTime,
    OneCycle,
    Polynomial,
    Ramp,
    Steps,
    Triangular,
)


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


@given(ranges, durations, st.floats(0, 5), times)
def test_a_polynomial_is_a_power_of_what_is_left(low_high, epochs, power, t):
    low, high = low_high
    left = 1 - t / epochs if t < epochs else 0.0
    height = left**power if t < epochs else 0.0
    expected = low + (high - low) * height
    assert Polynomial(high, epochs, power, low)(t) == pytest.approx(expected, rel=1e-9, abs=1e-9)


@given(rates, shares, times)
def test_an_exponential_multiplies_by_gamma_each_epoch(lr, gamma, t):
    schedule = Exponential(lr, gamma)
    assert schedule(0) == lr
    assert schedule(t + 1) == pytest.approx(gamma * schedule(t), rel=1e-9, abs=1e-300)


def test_an_exponential_that_grows_beyond_all_floats_is_an_error():
    with pytest.raises(ValueError, match=r"Exponential\(1, 2\): the rate at t = 5000 is inf"):
        Exponential(1, 2)(5000)


@given(rates, factors, times)
def test_an_inverse_time_is_a_line_of_inverse_rates(lr, decay, t):
    assert InverseTime(lr, decay)(t) * (1 + decay * t) == pytest.approx(lr, rel=1e-9)


@given(rates, lengths, times)
def test_an_inverse_square_root_peaks_after_its_warmup(lr, warmup, t):
    schedule = InverseSqrt(lr, warmup)
    assert schedule(warmup) == lr
    expected = lr * min(t / warmup, math.sqrt(warmup / t) if t else math.inf)
    assert schedule(t) == pytest.approx(expected, rel=1e-9)
    assert schedule(4 * warmup) == pytest.approx(lr / 2)


@given(ranges, lengths, st.floats(1, 3), st.integers(0, 6), shares)
def test_restarts_repeat_one_cosine_longer_each_time(low_high, period, factor, cycle, share):
    low, high = low_high
    start = sum(period * factor**k for k in range(cycle))
    length = period * factor**cycle
    t = start + (0.01 + 0.98 * share) * length
    ours = CosineRestarts(high, period, factor, low)(t)
    assert ours == pytest.approx(Cosine(high, length, low)(t - start), rel=1e-6, abs=1e-6)


@pytest.mark.parametrize("factor", [1, 2, 3])
@pytest.mark.parametrize("steps_per_epoch", [1, 49, 312, 313])
def test_a_restart_is_met_at_its_very_step(factor, steps_per_epoch):
    schedule, epoch, length = CosineRestarts(1.0, 3, factor), 0, 3
    for _ in range(5):
        epoch, length = epoch + length, length * factor
        step = epoch * steps_per_epoch
        assert schedule(step / steps_per_epoch) == 1
        assert schedule((step - 1) / steps_per_epoch) < 0.3


@given(rates, lengths, st.floats(0.01, 0.99), st.sampled_from(("cos", "linear")))
def test_one_cycle_goes_up_to_its_peak_and_down_to_its_end(lr, epochs, pct_start, strategy):
    cycle = OneCycle(lr, epochs, pct_start, anneal_strategy=strategy)
    peak = pct_start * epochs
    assert cycle(0) == pytest.approx(lr / 25)
    assert cycle(peak) == pytest.approx(lr)
    assert cycle(epochs) == cycle(2 * epochs) == lr / 25 / 1e4
    up = [cycle(t) for t in np.linspace(0, peak, 9)[:-1]]
    down = [cycle(t) for t in np.linspace(peak, epochs, 9)]
    assert up == sorted(up) and down == sorted(down, reverse=True)
    assert cycle(peak / 2) == pytest.approx((lr + lr / 25) / 2)


def test_three_phases_mirror_the_way_up_and_then_go_on_down():
    cycle = OneCycle(0.4, 10, 0.3, div_factor=4, three_phase=True)
    for t in (0, 0.5, 1, 2.25, 3):
        assert cycle(3 + t) == pytest.approx(cycle(3 - t))
    assert cycle(6) == pytest.approx(0.1)
    assert (cycle(8), cycle(10)) == (pytest.approx(0.1 * (1 + 1e-4) / 2), 0.1 / 1e4)


@given(ranges, lengths, lengths, shares, st.integers(0, 5), shares)
def test_a_triangle_is_two_lines_and_each_is_gamma_times_as_high(
    low_high, up, down, gamma, cycle, share
):
    low, high = low_high
    schedule, start = Triangular(high, up, down, low, gamma), cycle * (up + down)
    height = (high - low) * gamma**cycle
    share = 0.01 + 0.98 * share
    close = {"rel": 1e-6, "abs": 1e-6}
    assert schedule(start + share * up) == pytest.approx(low + height * share, **close)
    late = schedule(start + up + share * down)
    assert late == pytest.approx(low + height * (1 - share), **close)


def test_a_triangle_may_have_an_upright_side():
    assert [Triangular(1, up=4, down=0)(t) for t in (0, 3, 4, 7)] == [0, 0.75, 0, 0.75]
    assert [Triangular(1, up=0, down=4)(t) for t in (0, 3, 4, 7)] == [1, 0.25, 1, 0.25]


FORMULAS = {  # the cooldown from 1 to 0, by the papers; the exponential has its own floor
    "linear": lambda x: 1 - x,
    "cosine": lambda x: math.cos(math.pi * x / 2) ** 2,
    "mirror-cosine": lambda x: 1 - x + (1 - x - math.cos(math.pi * x / 2) ** 2),
    "square": lambda x: (1 - x) * (1 + x),
    "1-sqrt": lambda x: 1 - x**0.5,
}


# By shares that t holds exactly, since 1-sqrt falls at once.
@given(st.integers(0, 1024).map(lambda k: k / 1024), st.sampled_from(sorted(FORMULAS)), ranges)
def test_a_cooldown_has_the_shape_of_its_name(x, shape, low_high):
    low, high = low_high
    wsd = WSD(high, epochs=64, cooldown=16, shape=shape, min_lr=low)
    expected = low + (high - low) * FORMULAS[shape](x)
    assert wsd(48 + 16 * x) == pytest.approx(expected, rel=1e-9, abs=1e-9)


@given(shares)
def test_an_exponential_cooldown_comes_down_by_equal_factors(x):
    wsd = WSD(0.5, epochs=64, cooldown=16, shape="exponential", min_lr=0.005)
    assert wsd(48 + 16 * x) == pytest.approx(0.5 * 0.01**x)


def test_every_shape_has_a_formula_here():
    assert sorted(COOLDOWNS) == sorted([*FORMULAS, "exponential"])


@pytest.mark.parametrize("shape", COOLDOWNS)
def test_the_rate_warms_up_stays_and_only_falls_from_then_on(shape):
    wsd = WSD(0.5, epochs=64, cooldown=16, shape=shape, warmup=8, min_lr=0.005)
    assert [wsd(t) for t in (0, 2, 8, 20, 48)] == [0, 0.125, 0.5, 0.5, 0.5]
    cooldown = [wsd(t) for t in np.linspace(48, 64, 100)]
    assert cooldown == sorted(cooldown, reverse=True) and len({*cooldown}) == 100
    assert wsd(64) == wsd(100) == 0.005


def test_without_warmup_or_cooldown_the_rate_is_there_from_the_start_to_the_end():
    assert [WSD(0.5, epochs=4, cooldown=0)(t) for t in (0, 3.99, 4)] == [0.5, 0.5, 0]
