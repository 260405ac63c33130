"""Schedules against torch's over whole runs, whatever the settings: the guide has fixed ones."""

import math

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from minidecay.optim.schedules import (
    CosineRestarts,
    Exponential,
    OneCycle,
    Polynomial,
    Ramp,
    Triangular,
)

STEPS = 40
peaks = st.floats(1e-3, 10)
counts = st.integers(1, 30)


@pytest.fixture(scope="module")
def torch():
    return pytest.importorskip("torch")


def rates(torch, lr, make):
    sgd = torch.optim.SGD([torch.nn.Parameter(torch.zeros(1))], lr=lr)
    scheduler = make(torch.optim.lr_scheduler, sgd)
    seen = []
    for _ in range(STEPS):
        seen.append(sgd.param_groups[0]["lr"])
        sgd.step()
        if len(seen) < STEPS:
            scheduler.step()
    return pytest.approx(seen, rel=1e-7, abs=1e-12)


@given(peaks, counts, st.floats(0.5, 3))
@settings(max_examples=20)
def test_polynomial(torch, lr, total, power):
    theirs = rates(torch, lr, lambda lib, sgd: lib.PolynomialLR(sgd, total, power))
    assert [Polynomial(lr, total, power)(t) for t in range(STEPS)] == theirs


@given(peaks, st.floats(0.5, 1))
@settings(max_examples=20)
def test_exponential(torch, lr, gamma):
    theirs = rates(torch, lr, lambda lib, sgd: lib.ExponentialLR(sgd, gamma))
    assert [Exponential(lr, gamma)(t) for t in range(STEPS)] == theirs


@given(peaks, counts, st.integers(1, 3), st.floats(0, 1))
@settings(max_examples=20)
def test_cosine_restarts(torch, lr, period, factor, share):
    low = share * lr
    theirs = rates(
        torch, lr, lambda lib, sgd: lib.CosineAnnealingWarmRestarts(sgd, period, factor, low)
    )
    assert [CosineRestarts(lr, period, factor, low)(t) for t in range(STEPS)] == theirs


@given(peaks, st.integers(2, STEPS - 4), st.sampled_from(("cos", "linear")), st.booleans())
@settings(max_examples=20)
def test_one_cycle(torch, lr, peak, strategy, three_phase):
    peak = peak // 2 + 1 if three_phase else peak
    share = (peak + 1) / STEPS  # torch's peak is at step share * N - 1, and its end at N - 1
    options = {"anneal_strategy": strategy, "three_phase": three_phase}
    theirs = rates(
        torch,
        lr,
        lambda lib, sgd: lib.OneCycleLR(sgd, lr, total_steps=STEPS, pct_start=share, **options),
    )
    ours = OneCycle(lr, STEPS - 1, peak / (STEPS - 1), **options)
    assert [ours(t) for t in range(STEPS)] == theirs


@given(peaks, st.floats(0, 1), counts, counts, st.sampled_from(("triangular", "triangular2")))
@settings(max_examples=20)
def test_triangular(torch, lr, share, up, down, mode):
    low, gamma = share * lr, 0.5 if mode == "triangular2" else 1
    theirs = rates(
        torch,
        lr,
        lambda lib, sgd: lib.CyclicLR(sgd, low, lr, up, down, mode=mode, cycle_momentum=False),
    )
    assert [Triangular(lr, up, down, low, gamma)(t) for t in range(STEPS)] == theirs


@given(peaks, counts, st.floats(0.1, 1), st.floats(0.1, 1))
@settings(max_examples=20)
def test_a_chain_is_a_product(torch, lr, total, start, gamma):
    theirs = rates(
        torch,
        lr,
        lambda lib, sgd: lib.ChainedScheduler(
            [lib.LinearLR(sgd, start, total_iters=total), lib.ExponentialLR(sgd, gamma)]
        ),
    )
    ours = Ramp(start * lr, lr, total) * Exponential(1, gamma)
    assert [ours(t) for t in range(STEPS)] == theirs


def test_a_half_turn_is_the_same_to_torch_in_any_step(torch):
    """Between whole epochs too, where torch is stepped by fractions."""
    sgd = torch.optim.SGD([torch.nn.Parameter(torch.zeros(1))], lr=0.1)
    scheduler = torch.optim.lr_scheduler.CosineAnnealingWarmRestarts(sgd, 3, 2)
    sgd.step()
    for k in range(80):
        scheduler.step(k / 4)
        assert math.isclose(
            sgd.param_groups[0]["lr"], CosineRestarts(0.1, 3, 2)(k / 4), abs_tol=1e-9
        )
