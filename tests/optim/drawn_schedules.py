"""Schedules of every kind and composition, for hypothesis to draw."""

import math

from hypothesis import strategies as st

from minidecay.optim.schedules import (
    COOLDOWNS,
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
    Steps,
    Triangular,
)

rates = st.floats(0, 1e3)
durations = st.floats(0, 1e3)
lengths = st.floats(1e-2, 1e3)  # of what may not last for 0 epochs
times = st.floats(0, 5e3)
milestones = st.lists(durations, max_size=5, unique=True).map(sorted)
ranges = st.tuples(rates, rates).map(sorted)
factors = st.floats(0, 10)
shares = st.floats(0, 1)


def ranged(kind, *others):
    """A kind made of its peak, of others, and of a floor below the peak."""
    return st.builds(lambda ends, rest: kind(ends[1], *rest, ends[0]), ranges, st.tuples(*others))


@st.composite
def one_cycles(draw):
    three_phase = draw(st.booleans())
    return OneCycle(
        draw(rates),
        draw(durations),
        draw(shares) / (2 if three_phase else 1),
        draw(st.floats(1, 1e3)),
        draw(st.floats(1, 1e5)),
        draw(st.sampled_from(("cos", "linear"))),
        three_phase,
    )


@st.composite
def wsds(draw):
    epochs, (first, second) = draw(durations), sorted((draw(shares), draw(shares)))
    low, high = draw(st.tuples(st.floats(1e-3, 1e3), st.floats(1e-3, 1e3)).map(sorted))
    warmup, cooldown = first * epochs * 0.999, (1 - second) * epochs * 0.999
    return WSD(high, epochs, cooldown, draw(st.sampled_from(COOLDOWNS)), warmup, low)


basic = st.one_of(
    st.builds(Constant, rates),
    st.builds(Steps, rates, milestones, st.floats(0, 2)),
    st.builds(Ramp, rates, rates, durations),
    ranged(Cosine, durations),
    ranged(Polynomial, durations, st.floats(0, 5)),
    st.builds(Exponential, rates, shares),
    st.builds(InverseTime, rates, factors),
    st.builds(InverseSqrt, rates, lengths),
    ranged(CosineRestarts, lengths, st.floats(1, 3)),
    ranged(lambda lr, up, down, gamma, low: Triangular(lr, up, down, low, gamma),
           lengths, st.none() | durations, shares),
    one_cycles(),
    wsds(),
)  # fmt: skip


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
