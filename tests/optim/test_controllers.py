"""AutoDecay by its definition, Plateau by torch's, and both as an optimiser's rate."""

import json
import math

import numpy as np
import pytest
from bowls import leaves
from hypothesis import assume, given
from hypothesis import strategies as st

from minidecay.optim import SGD, AutoDecay, Plateau

losses = st.lists(st.floats(0.01, 10), min_size=1, max_size=60)


def rates(controller, losses):
    """The rate after each epoch; the state goes through JSON between any two."""
    state, seen = controller.start(), []
    for loss in losses:
        state = controller.update(json.loads(json.dumps(state)), loss)
        seen.append(state["lr"])
    return seen


def by_definition(losses, lr, factor, window, tol, patience, smoothing, min_lr, max_decays):
    """AutoDecay as it is written down, with all that it saw since the last decay at hand."""
    since, slow, decays, seen = [], 0, 0, []
    for loss in losses:
        since.append(loss)
        progress = None
        if len(since) > window:
            smoothed = []
            for end in (len(since) - window, len(since)):
                weights = [smoothing ** (end - 1 - i) for i in range(end)]
                smoothed.append(np.dot(weights, since[:end]) / sum(weights))
            progress = (smoothed[0] - smoothed[1]) / smoothed[0]
            assume(abs(progress - tol) > 1e-9)  # else rounding decides, here and there otherwise
        slow = slow + 1 if progress is not None and progress < tol else 0
        if slow >= patience and decays < max_decays and lr > min_lr:
            lr, since, slow, decays = max(lr * factor, min_lr), [], 0, decays + 1
        seen.append(lr)
    return seen


@given(
    losses,
    st.integers(1, 5),
    st.sampled_from((0.0, 0.02, 0.1)),
    st.integers(1, 4),
    st.sampled_from((0.0, 0.5, 0.7, 0.9)),
    st.sampled_from((0.0, 0.004)),
    st.integers(0, 3),
)
def test_autodecay_is_its_definition(losses, window, tol, patience, smoothing, min_lr, most):
    ours = AutoDecay(0.3, 0.1, window, tol, patience, smoothing, min_lr, most)
    expected = by_definition(losses, 0.3, 0.1, window, tol, patience, smoothing, min_lr, most)
    assert rates(ours, losses) == pytest.approx(expected, rel=1e-12)


def decays(controller, losses):
    """The epochs, from 1, after which the rate fell."""
    before, at = controller.lr, []
    for epoch, rate in enumerate(rates(controller, losses), 1):
        if rate != before:
            at.append(epoch)
        before = rate
    return at


SETTLING = [0.2 + math.exp(-t / 5) for t in range(1, 80)]


def test_without_an_end_it_decays_for_ever():
    assert decays(AutoDecay(0.3), SETTLING)[:4] == [31, 36, 41, 46]
    assert decays(AutoDecay(0.3, patience=8), SETTLING) == [37, 48, 59, 70]


def test_it_stops_after_max_decays_or_at_min_lr():
    assert decays(AutoDecay(0.3, max_decays=2), SETTLING) == [31, 36]
    assert rates(AutoDecay(0.3, min_lr=0.02), SETTLING)[-1] == 0.02
    assert decays(AutoDecay(0.3, min_lr=0.02), SETTLING) == [31, 36]


def test_a_run_may_stop_a_window_after_the_last_decay():
    decay = AutoDecay(0.3, max_decays=2)
    state, done = decay.start(), []
    for loss in SETTLING:
        state = decay.update(state, loss)
        done.append(decay.done(state))
    assert done.index(True) + 1 == 36 + 3 and all(done[38:])
    assert state["decayed_at"] == [31, 36] and state["epoch"] == len(SETTLING)


def test_a_dip_does_not_put_it_off_as_it_does_plateau():
    level = [1.0] * 12
    dipped = [*level[:9], 0.95, *level[10:]]  # a single record, by noise
    assert decays(Plateau(0.1, patience=9), level) == [11]
    assert decays(Plateau(0.1, patience=9), dipped) == []
    assert decays(AutoDecay(0.1, window=3, patience=2, max_decays=1, smoothing=0.9), dipped) == [5]


@pytest.mark.parametrize("mode", ["min", "max"])
@pytest.mark.parametrize("threshold_mode", ["rel", "abs"])
@given(
    losses,
    st.integers(0, 4),
    st.integers(0, 3),
    st.sampled_from((0.0, 1e-4, 0.3)),
    st.sampled_from((0.0, 0.004)),
)
def test_plateau_is_torchs(mode, threshold_mode, losses, patience, cooldown, threshold, min_lr):
    torch = pytest.importorskip("torch")
    settings = {
        "mode": mode,
        "factor": 0.3,
        "patience": patience,
        "threshold": threshold,
        "threshold_mode": threshold_mode,
        "cooldown": cooldown,
        "min_lr": min_lr,
    }
    sgd = torch.optim.SGD([torch.nn.Parameter(torch.zeros(1))], lr=0.1)
    scheduler = torch.optim.lr_scheduler.ReduceLROnPlateau(sgd, **settings)
    theirs = []
    for loss in losses:
        scheduler.step(loss)
        theirs.append(sgd.param_groups[0]["lr"])
    assert rates(Plateau(0.1, **settings), losses) == theirs


@given(losses, st.integers(0, 60))
def test_a_state_is_all_that_an_update_needs_and_stays_as_it_is(losses, cut):
    for controller in (AutoDecay(0.3, window=2), Plateau(0.3, patience=1)):
        state = controller.start()
        for loss in losses[:cut]:
            state = controller.update(state, loss)
        kept = json.dumps(state)
        ends = []
        for _ in range(2):
            again = json.loads(kept)
            for loss in losses[cut:]:
                again = controller.update(again, loss)
            ends.append(again)
        assert ends[0] == ends[1]
        controller.update(state, 1.0)
        assert json.dumps(state) == kept


# As a rate


def test_each_groups_rate_falls_by_itself():
    v, w = leaves([np.ones(2), np.ones(2)])
    slow = Plateau(0.2, patience=1)
    optimizer = SGD([{"params": [v], "lr": slow}, {"params": [w]}], Plateau(0.1, patience=0))
    for loss, expected in ((1, (0.2, 0.1)), (1, (0.2, 0.01)), (1, (0.02, 0.001))):
        optimizer.observe(loss)
        rates = tuple(optimizer.settings(i)["lr"] for i in (0, 1))
        assert rates == pytest.approx(expected)
    assert [state["lr"] for state in optimizer.state_dict()["control"]] == [*rates]


def test_observing_without_a_controller_is_nothing():
    optimizer = SGD(leaves([np.ones(2)]), 0.1)
    optimizer.observe(math.nan)
    assert optimizer.lr == 0.1 and "control" not in optimizer.state_dict()


# Values, and what is refused


def test_controllers_are_values():
    assert AutoDecay(0.3) == AutoDecay(np.float64(0.3))
    assert hash(Plateau(0.1)) == hash(Plateau(0.1)) and Plateau(0.1) != Plateau(0.2)
    assert repr(AutoDecay(0.3, max_decays=2)) == "AutoDecay(0.3, max_decays=2)"
    assert repr(Plateau(0.1, "max", patience=3)) == "Plateau(0.1, mode='max', patience=3)"
    assert type(AutoDecay(0.3, window=3.0).window) is int


@pytest.mark.parametrize(
    ("make", "error", "message"),
    [
        (lambda: AutoDecay(-1), ValueError, "AutoDecay: lr must be finite and 0 or more, got -1"),
        (lambda: AutoDecay("x"), TypeError, "AutoDecay: lr must be a number, got 'x'"),
        (lambda: AutoDecay(1, factor=2), ValueError, "factor 2.0 must be 1 or less"),
        (lambda: AutoDecay(1, window=0), ValueError, "window must be above 0, got 0"),
        (lambda: AutoDecay(1, window=2.5), ValueError, "window must be whole, got 2.5"),
        (lambda: AutoDecay(1, patience=0), ValueError, "patience must be above 0, got 0"),
        (lambda: AutoDecay(1, smoothing=1), ValueError, "smoothing 1.0 must be below 1"),
        (lambda: AutoDecay(1, min_lr=2), ValueError, "min_lr 2.0 is above lr 1.0"),
        (lambda: AutoDecay(1, max_decays=-1), ValueError, "max_decays must be finite and 0 or"),
        (lambda: Plateau(1, "least"), ValueError, "mode='least' must be one of min, max"),
        (lambda: Plateau(1, threshold_mode="r"), ValueError, "threshold_mode='r' must be one of"),
        (lambda: Plateau(1, factor=1), ValueError, "factor 1.0 must be below 1"),
        (lambda: rates(Plateau(1), [math.nan]), ValueError, "the loss must be finite, got nan"),
        (lambda: rates(AutoDecay(1), [math.inf]), ValueError, "the loss must be finite, got inf"),
        (lambda: rates(AutoDecay(1), ["1"]), TypeError, "the loss must be a number, got '1'"),
    ],
)
def test_what_makes_no_sense_is_refused(make, error, message):
    with pytest.raises(error, match=message):
        make()


def test_a_loss_of_0_makes_no_progress():
    assert decays(AutoDecay(0.1, window=1, patience=2, max_decays=1), [0, 0, 0, 0]) == [3]
