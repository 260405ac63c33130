"""Every optimiser: torch's steps, groups, settings over time, and a state to go on from."""

import copy
import json
import math
import pickle

import numpy as np
import pytest
from bowls import assert_close, by_hand, by_torch_hand, drawn, leaves, slopes, twins
from hypothesis import given, settings
from hypothesis import strategies as st

import minidecay as md
from minidecay.optim import (
    SGD,
    SGDW,
    Adadelta,
    Adagrad,
    Adam,
    AdamW,
    AutoDecay,
    Cosine,
    Exponential,
    OneCycle,
    Optimizer,
    Ramp,
    RMSprop,
    SGDScheduleFree,
    Steps,
)

ADAM = {"lr": 0.05, "betas": (0.8, 0.95), "eps": 1e-3}
ADAGRAD = {"lr": 0.1, "weight_decay": 0.1, "eps": 1e-3}
ADADELTA = {"lr": 0.5, "rho": 0.8, "eps": 1e-3, "weight_decay": 0.1}
RMS = {"lr": 0.01, "alpha": 0.9, "eps": 1e-3}
PAIRS = [  # ours, and the class and settings of torch's
    (lambda p: Adam(p), "Adam", {}),
    (lambda p: Adam(p, **ADAM, weight_decay=0.1), "Adam", ADAM | {"weight_decay": 0.1}),
    (lambda p: Adam(p, **ADAM, amsgrad=True), "Adam", ADAM | {"amsgrad": True}),
    (lambda p: AdamW(p), "AdamW", {}),
    (lambda p: AdamW(p, **ADAM, weight_decay=0.5), "AdamW", ADAM | {"weight_decay": 0.5}),
    (lambda p: AdamW(p, **ADAM, amsgrad=True), "AdamW", ADAM | {"amsgrad": True}),
    (lambda p: Adagrad(p), "Adagrad", {}),
    (lambda p: Adagrad(p, 0.1, 0.1, 1e-3), "Adagrad", ADAGRAD),
    (lambda p: Adadelta(p), "Adadelta", {}),
    (lambda p: Adadelta(p, **ADADELTA), "Adadelta", ADADELTA),
    (lambda p: RMSprop(p), "RMSprop", {}),
    (lambda p: RMSprop(p, **RMS, weight_decay=0.1), "RMSprop", RMS | {"weight_decay": 0.1}),
    (lambda p: RMSprop(p, **RMS, momentum=0.8), "RMSprop", RMS | {"momentum": 0.8}),
    (lambda p: RMSprop(p, **RMS, centered=True), "RMSprop", RMS | {"centered": True}),
    (
        lambda p: RMSprop(p, **RMS, centered=True, momentum=0.8),
        "RMSprop",
        RMS | {"centered": True, "momentum": 0.8},
    ),
]
NAMES = [f"{name} {given}" for _, name, given in PAIRS]
# Every kind with what it can keep, over schedules.
KINDS = {
    "SGD": lambda p: SGD(p, Cosine(0.1, 5), 0.9, 0.01, True, steps_per_epoch=4),
    "SGDW": lambda p: SGDW(p, Cosine(0.1, 5), Ramp(0.5, 0.9, 3), steps_per_epoch=4),
    "Adam": lambda p: Adam(p, Cosine(0.1, 5), amsgrad=True, steps_per_epoch=4),
    "AdamW": lambda p: AdamW(p, AutoDecay(0.1, window=1, patience=1), steps_per_epoch=4),
    "Adagrad": lambda p: Adagrad(p, Cosine(0.1, 5), steps_per_epoch=4),
    "Adadelta": lambda p: Adadelta(p, Cosine(1.0, 5), rho=Ramp(0.5, 0.9, 3), steps_per_epoch=4),
    "RMSprop": lambda p: RMSprop(p, 0.01, momentum=0.9, centered=True, steps_per_epoch=4),
    "SGDScheduleFree": lambda p: SGDScheduleFree(p, Ramp(0, 0.1, 2), steps_per_epoch=4),
}


@pytest.fixture(scope="module")
def torch():
    return pytest.importorskip("torch")


# Against torch


def both(torch, make, name, given, dtype, device="cpu"):
    start = drawn(dtype=dtype)
    ours, theirs = leaves(start, device), twins(torch, start)
    return ours, make(ours), theirs, getattr(torch.optim, name)(theirs, **given)


def step_both(torch, ours, optimizer, theirs, twin, seed):
    for p, q, g, h in zip(ours, theirs, slopes(ours, seed), slopes(theirs, seed), strict=True):
        by_hand(p, g)
        by_torch_hand(torch, q, h)
    optimizer.step()
    twin.step()


@pytest.mark.parametrize(("make", "name", "given"), PAIRS, ids=NAMES)
def test_a_hundred_steps_are_torchs(torch, make, name, given):
    pair = both(torch, make, name, given, np.float64)
    for step in range(100):
        step_both(torch, *pair, seed=step + 1)
    assert_close(pair[0], pair[2], 1e-9)
    assert not np.allclose(pair[0][0].numpy(), drawn()[0])


@pytest.mark.parametrize(("make", "name", "given"), PAIRS, ids=NAMES)
def test_a_hundred_steps_in_float32_are_torchs_to_its_precision(torch, device, make, name, given):
    pair = both(torch, make, name, given, np.float32, device)
    for step in range(100):
        step_both(torch, *pair, seed=step + 1)
    assert_close(pair[0], pair[2], 2e-4)


@pytest.mark.parametrize(("make", "name", "given"), PAIRS[1:2] + PAIRS[4:6] + PAIRS[8:10])
def test_a_parameter_without_a_gradient_is_skipped_and_its_updates_are_its_own(
    torch, make, name, given
):
    ours, optimizer, theirs, twin = both(torch, make, name, given, np.float64)
    rng = np.random.default_rng(1)
    for step in range(30):
        for p, q, g in zip(ours, theirs, drawn(seed=step), strict=True):
            chosen = g if rng.random() < 0.6 else None
            by_hand(p, chosen)
            by_torch_hand(torch, q, chosen)
        optimizer.step()
        twin.step()
        assert_close(ours, theirs, 1e-9)


@pytest.mark.parametrize("nesterov", [False, True])
def test_sgdw_is_sgd_after_a_shrinking_of_the_weights(nesterov, device):
    dtype = np.float64 if device == "cpu" else np.float32
    ours, plain = leaves(drawn(dtype=dtype), device), leaves(drawn(dtype=dtype), device)
    optimizer = SGDW(ours, 0.05, 0.9, weight_decay=0.2, nesterov=nesterov)
    other = SGD(plain, 0.05, 0.9, nesterov=nesterov)
    for step in range(100):
        for params in (ours, plain):
            for p, g in zip(params, slopes(params, step), strict=True):
                by_hand(p, g)
        with md.no_grad():
            for p in plain:
                p[...] = p * (1 - 0.05 * 0.2)
        optimizer.step()
        other.step()
    for p, q in zip(ours, plain, strict=True):
        np.testing.assert_allclose(p.numpy(), q.numpy(), rtol=1e-4 if dtype == np.float32 else 1e-9)


@pytest.mark.parametrize(
    ("ours", "named"),
    [(SGDW, SGD), (AdamW, Adam)],
)
def test_decoupled_weight_decay_can_be_asked_for_by_name_too(ours, named):
    trained = []
    for kind, options in ((ours, {}), (named, {"decoupled_weight_decay": True})):
        params = leaves(drawn())
        optimizer = kind(params, lr=0.1, weight_decay=0.1, **options)
        for p, g in zip(params, drawn(seed=1), strict=True):
            by_hand(p, g)
        optimizer.step()
        trained.append([p.numpy() for p in params])
    for mine, theirs in zip(*trained, strict=True):
        np.testing.assert_array_equal(mine, theirs)


# Groups


@pytest.mark.parametrize(
    ("make", "name", "settings", "differs"),
    [
        (lambda p: SGD(p, 0.1, 0.9), "SGD", {"lr": 0.1, "momentum": 0.9}, {"weight_decay": 0.1}),
        (lambda p: SGD(p, 0.1, 0.9), "SGD", {"lr": 0.1, "momentum": 0.9}, {"nesterov": True}),
        (lambda p: AdamW(p, 0.1), "AdamW", {"lr": 0.1}, {"lr": 0.01, "betas": (0.5, 0.6)}),
        (lambda p: Adam(p, 0.1), "Adam", {"lr": 0.1}, {"amsgrad": True}),
        (lambda p: RMSprop(p, 0.01), "RMSprop", {"lr": 0.01}, {"momentum": 0.9}),
        (lambda p: RMSprop(p, 0.01), "RMSprop", {"lr": 0.01}, {"centered": True}),
    ],
)
@pytest.mark.parametrize("first", [True, False])
def test_groups_have_settings_of_their_own_as_in_torch(torch, make, name, settings, differs, first):
    ours, theirs = leaves(drawn()), twins(torch, drawn())

    def groups(params):
        special = {"params": params[:2], **differs}, {"params": params[2:]}
        return list(special if first else reversed(special))

    optimizer = make(groups(ours))
    twin = getattr(torch.optim, name)(groups(theirs), **settings)
    for step in range(30):
        step_both(torch, ours, optimizer, theirs, twin, step)
    assert_close(ours, theirs, 1e-9)


def test_a_group_can_hold_one_tensor_as_in_torch():
    (w,) = leaves([np.ones(2)])
    optimizer = SGD([{"params": w, "lr": 0.5}], lr=0.1)
    w.sum().backward()
    optimizer.step()
    np.testing.assert_array_equal(w.numpy(), [0.5, 0.5])


def test_groups_are_dicts_that_can_be_looked_into_and_written():
    v, w = leaves([np.ones(2), np.ones(2)])
    optimizer = SGD([{"params": [v]}, {"params": [w], "lr": Steps(0.5, [1])}], 0.1, 0.9)
    assert [group["momentum"] for group in optimizer.param_groups] == [0.9, 0.9]
    assert optimizer.param_groups[1]["lr"] == Steps(0.5, [1])
    assert optimizer.param_groups[0]["params"] == [v] and optimizer.params == [v, w]
    optimizer.param_groups[1]["lr"] = 0.25
    assert optimizer.settings(1)["lr"] == 0.25
    optimizer.param_groups[0]["lr"] = -1
    with pytest.raises(ValueError, match="SGD: lr must be finite and 0 or more, got -1"):
        optimizer.step()


def test_the_rate_told_is_the_first_groups():
    v, w = leaves([np.ones(2), np.ones(2)])
    optimizer = SGD([{"params": [v], "lr": 0.5}, {"params": [w]}], 0.1)
    optimizer.step()
    assert optimizer.lr == optimizer.last_lr == 0.5


@pytest.mark.parametrize(
    ("groups", "error", "message"),
    [
        (lambda v, w: [{"params": [v], "lrr": 1}], ValueError, "group 0 has no setting 'lrr'; th"),
        (
            lambda v, w: [{"params": [v]}, w],
            TypeError,
            'group 1 is a Tensor; give each as {"params',
        ),
        (lambda v, w: [{"lr": 1}], TypeError, r"group 0 is \['lr'\]; give each as"),
        (lambda v, w: [{"params": [v]}, {"params": []}], ValueError, "group 1 has no parameters"),
        (lambda v, w: [{"params": [v]}, {"params": [w, v]}], ValueError, "is given twice"),
        (lambda v, w: [{"params": [v], "lr": -1}], ValueError, "lr must be finite and 0 or more"),
        (lambda v, w: [{"params": [v], "nesterov": True}], ValueError, "set momentum > 0"),
    ],
)
def test_groups_that_make_no_sense_are_refused(groups, error, message):
    with pytest.raises(error, match=message):
        SGD(groups(*leaves([np.ones(2), np.ones(2)])), 0.1)


# Settings over time


def one():
    return leaves([np.ones(2, np.float32)])


def test_momentum_and_weight_decay_are_scheduled_as_the_rate_is():
    cycle = OneCycle(0.4, 5, pct_start=0.4)
    momentum = Cosine(0.95, 2, min_lr=0.85).then(1.8 - Cosine(0.95, 3, min_lr=0.85))
    optimizer = SGD(one(), cycle, momentum, Ramp(0.1, 0, 5), steps_per_epoch=4)
    for k in range(30):
        assert optimizer.settings() == {
            "lr": cycle(k / 4),
            "momentum": momentum(k / 4),
            "weight_decay": Ramp(0.1, 0, 5)(k / 4),
            "nesterov": False,
            "decoupled_weight_decay": False,
        }
        optimizer.step()


def test_one_cycle_of_rate_and_momentum_trains_as_torchs_does(torch):
    ours, theirs = leaves(drawn()), twins(torch, drawn())
    steps, share = 40, (0.3 * 40 - 1) / 39  # torch's last step is N - 1
    up, down = share * 39 / 10, (1 - share) * 39 / 10
    optimizer = SGD(
        ours,
        OneCycle(0.1, 3.9, share),
        Cosine(0.95, up, min_lr=0.85).then(1.8 - Cosine(0.95, down, min_lr=0.85)),
        steps_per_epoch=10,
    )
    twin = torch.optim.SGD(theirs, 0.1, momentum=0.9)
    scheduler = torch.optim.lr_scheduler.OneCycleLR(twin, 0.1, total_steps=steps)
    for step in range(steps):
        step_both(torch, ours, optimizer, theirs, twin, step)
        assert optimizer.last_lr == pytest.approx(twin.param_groups[0]["lr"], rel=1e-9)
        if step < steps - 1:
            scheduler.step()
    assert_close(ours, theirs, 1e-9)


def test_each_beta_can_be_a_schedule(torch):
    ours, theirs = leaves(drawn()), twins(torch, drawn())
    optimizer = Adam(ours, 0.1, betas=(Ramp(0.5, 0.9, 3), 0.9), steps_per_epoch=4)
    twin = torch.optim.Adam(theirs, 0.1, betas=(0.5, 0.9))
    for step in range(16):
        twin.param_groups[0]["betas"] = (Ramp(0.5, 0.9, 3)(step / 4), 0.9)
        step_both(torch, ours, optimizer, theirs, twin, step)
    assert_close(ours, theirs, 1e-9)


@pytest.mark.parametrize(
    ("make", "message"),
    [
        (lambda p: SGD(p, 0.1, lambda t: -t, steps_per_epoch=1), "momentum at epoch 1 must be fin"),
        (
            lambda p: SGD(p, 0.1, 0, lambda t: math.nan, steps_per_epoch=1),
            "weight_decay at epoch 0",
        ),
        (
            lambda p: Adam(p, betas=(0.9, Exponential(0.5, 2)), steps_per_epoch=1),
            "betas at epoch 1",
        ),
        (lambda p: SGD(p, 0.1, Steps(0.9, [1])), "counts in epochs; pass steps_per_epoch"),
    ],
)
def test_a_setting_that_leaves_its_range_is_an_error_at_its_step(make, message):
    optimizer = make(one())
    with pytest.raises(ValueError, match=message):
        for _ in range(2):
            optimizer.step()


@pytest.mark.parametrize(
    ("make", "error", "message"),
    [
        (lambda p: Adam(p, betas=(0.9, 1.0)), ValueError, "Adam: betas must be below 1, got 1.0"),
        (lambda p: Adam(p, betas=(-0.1, 0.9)), ValueError, "Adam: betas must be finite and 0 or"),
        (lambda p: Adam(p, eps=-1), ValueError, "Adam: eps must be finite and 0 or more, got -1"),
        (lambda p: AdamW(p, weight_decay="1"), TypeError, "AdamW: weight_decay must be a number"),
        (lambda p: RMSprop(p, alpha=1), ValueError, "RMSprop: alpha must be below 1, got 1"),
        (
            lambda p: RMSprop(p, momentum=AutoDecay(1)),
            TypeError,
            "momentum must be a number, a sch",
        ),
        (lambda p: SGDScheduleFree(p, momentum=1), ValueError, "momentum must be below 1, got 1"),
        (lambda p: Optimizer(p, {"lr": 1}, 0), ValueError, "steps_per_epoch=0 must be a positive"),
    ],
)
def test_a_setting_out_of_range_is_refused_by_name(make, error, message):
    with pytest.raises(error, match=message):
        make(one())


def test_epochs_may_differ_in_length():
    optimizer = SGD(one(), lambda t: t)
    seen = []
    for epoch, steps in enumerate((4, 2, 5)):
        optimizer.start_epoch(epoch, steps)
        for _ in range(steps):
            optimizer.step()
            seen.append(optimizer.last_lr)
    assert seen == [k / 4 for k in range(4)] + [1, 1.5] + [2 + k / 5 for k in range(5)]
    assert optimizer.epoch == 3


def test_a_kind_of_ones_own_says_its_buffers_and_its_update():
    class Sign(Optimizer):
        """Steps of one length, whatever the gradient."""

        def __init__(self, params, lr):
            super().__init__(params, {"lr": lr}, None)

        def update(self, w, g, kept, settings, step):
            device = self.device
            device.copy_into(w, device.sub(w, device.mul(device.sign(g), settings["lr"])))

    (w,) = leaves([np.array([3.0, -4.0])])
    optimizer = Sign([w], 0.5)
    (w * w).sum().backward()
    optimizer.step()
    assert w.numpy().tolist() == [2.5, -3.5]
    assert optimizer.state_dict() == {"step_count": 1}
    with pytest.raises(NotImplementedError, match="Optimizer has no update; define it"):
        Optimizer([w], {"lr": 1.0}, None).step()


# Going on from a state


def train(params, optimizer, steps):
    for step in steps:
        for p, g in zip(params, slopes(params, step), strict=True):
            by_hand(p, g)
        optimizer.step()
        if step % 4 == 3:
            optimizer.observe(1.0)


def through_a_file(state):
    """What JSON and arrays make of a state."""
    plain = {k: v for k, v in state.items() if not isinstance(v, np.ndarray)}
    return {k: v.copy() for k, v in state.items() if k not in plain} | json.loads(json.dumps(plain))


@pytest.mark.parametrize("kind", KINDS)
@given(before=st.integers(0, 13))
@settings(max_examples=4)
def test_a_run_goes_on_from_its_state_bit_for_bit(kind, before):
    whole = leaves(drawn(dtype=np.float32))
    optimizer = KINDS[kind](whole)
    train(whole, optimizer, range(before))
    weights, state = [p.numpy().copy() for p in whole], through_a_file(optimizer.state_dict())
    train(whole, optimizer, range(before, 20))

    resumed = leaves(weights)
    second = KINDS[kind](resumed)
    second.load_state_dict(state)
    train(resumed, second, range(before, 20))

    assert optimizer.last_lr == second.last_lr
    ours, theirs = optimizer.state_dict(), second.state_dict()
    assert ours.keys() == theirs.keys()
    for p, q in zip(whole, resumed, strict=True):
        np.testing.assert_array_equal(p.numpy(), q.numpy())
    for name, value in ours.items():
        np.testing.assert_equal(value, theirs[name])


def pickled(both):
    return pickle.loads(pickle.dumps(both))


@pytest.mark.parametrize("copied", [copy.deepcopy, pickled], ids=["deepcopy", "pickle"])
@pytest.mark.parametrize("kind", KINDS)
def test_a_copy_of_tensors_and_optimiser_goes_on_as_they_do_and_apart(kind, copied, device):
    params = leaves(drawn(dtype=np.float32), device)
    optimizer = KINDS[kind](params)
    train(params, optimizer, range(5))
    ours, twin = copied((params, optimizer))
    assert all(p is q for p, q in zip(ours, twin.params, strict=True))
    assert twin.device is optimizer.device and twin.last_lr == optimizer.last_lr
    before = [p.numpy().copy() for p in params]
    train(ours, twin, range(5, 12))
    for p, q in zip(params, before, strict=True):
        np.testing.assert_array_equal(p.numpy(), q)
    train(params, optimizer, range(5, 12))
    for p, q, old in zip(params, ours, before, strict=True):
        np.testing.assert_array_equal(p.numpy(), q.numpy())
        assert (q.numpy() != old).all()
    np.testing.assert_equal(twin.state_dict(), optimizer.state_dict())


def test_a_copy_of_an_optimiser_alone_moves_tensors_of_its_own():
    (w,) = leaves([np.ones(2)])
    twin = copy.deepcopy(SGD([w], 0.5))
    (v,) = twin.params
    (v * v).sum().backward()
    twin.step()
    assert v.numpy().tolist() == [0.0, 0.0] and w.numpy().tolist() == [1.0, 1.0]
    assert twin.param_groups[0]["params"][0] is v


def test_a_model_and_its_optimiser_are_copied_together():
    model = md.models.mlp(3, 4, 2, batch_norm=True, rng=md.random.stream(0, "init"))
    optimizer = SGD(model.parameters(), 0.1, momentum=0.9)
    for both in ((model, optimizer), (optimizer, model)):
        twin, moves = sorted(copy.deepcopy(both), key=lambda each: isinstance(each, Optimizer))
        before, weight = twin.state_dict(), next(twin.parameters())
        first = weight.numpy().copy()
        twin(md.tensor(np.eye(3, dtype=np.float32))).max().backward()
        moves.step()
        assert (weight.numpy() != first).any()
        np.testing.assert_equal(model.state_dict(), before)


def test_a_kind_is_known_by_its_state():
    states = {name: sorted(make(one()).state_dict()) for name, make in KINDS.items()}
    assert states == {
        "SGD": ["step_count", "velocity"],
        "SGDW": ["step_count", "velocity"],
        "Adam": ["exp_avg", "exp_avg_sq", "max_exp_avg_sq", "step_count", "updates"],
        "AdamW": ["control", "exp_avg", "exp_avg_sq", "step_count", "updates"],
        "Adagrad": ["step_count", "sum"],
        "Adadelta": ["acc_delta", "square_avg", "step_count"],
        "RMSprop": ["grad_avg", "momentum_buffer", "square_avg", "step_count"],
        "SGDScheduleFree": ["step_count", "training", "weight_sum", "x", "z"],
    }
    with pytest.raises(
        ValueError, match="a state has step_count, exp_avg, exp_avg_sq and updates, n"
    ):
        Adam(one()).load_state_dict(SGD(one(), 0.1).state_dict())


def test_it_says_what_it_is():
    assert repr(Adam(one(), amsgrad=True)) == (
        "Adam(1 tensors, lr=0.001, betas=(0.9, 0.999), eps=1e-08, weight_decay=0, amsgrad=True)"
    )
    v, w = leaves([np.ones(2), np.ones(2)])
    assert repr(SGD([{"params": [v], "lr": 1}, {"params": [w]}], Cosine(0.1, 5))) == (
        "SGD(\n  1 tensors, lr=1, momentum=0, weight_decay=0\n"
        "  1 tensors, lr=Cosine(0.1, 5), momentum=0, weight_decay=0\n)"
    )
