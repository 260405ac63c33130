import itertools
import math
from itertools import accumulate

import numpy as np
import pytest
from bowls import SHAPES, assert_close, by_hand, by_torch_hand, descend, drawn, leaves, twins

import minidecay as md
from minidecay.devices.cpu import Cpu
from minidecay.optim import SGD, Cosine, Steps

SETTINGS = [
    {"momentum": momentum, "weight_decay": weight_decay, "nesterov": nesterov}
    for momentum, weight_decay, nesterov in itertools.product((0, 0.9), (0, 0.01), (False, True))
    if momentum or not nesterov
]


@pytest.fixture(scope="module")
def torch():
    return pytest.importorskip("torch")


# Against torch


@pytest.mark.parametrize("settings", SETTINGS, ids=str)
def test_a_hundred_steps_are_torchs(torch, settings):
    ours, theirs = leaves(drawn()), twins(torch, drawn())
    optimizer, twin = SGD(ours, 0.05, **settings), torch.optim.SGD(theirs, 0.05, **settings)
    for step in range(100):
        scales = drawn(seed=step + 1)
        optimizer.zero_grad()
        twin.zero_grad()
        descend(ours, scales)
        descend(theirs, [torch.tensor(scale) for scale in scales])
        optimizer.step()
        twin.step()
    assert_close(ours, theirs, 1e-10)
    assert not np.allclose(ours[0].numpy(), drawn()[0])


@pytest.mark.parametrize("settings", SETTINGS, ids=str)
def test_a_hundred_steps_in_float32_are_torchs_to_its_precision(torch, device, settings):
    start = drawn(dtype=np.float32)
    ours, theirs = leaves(start, device), twins(torch, start)
    optimizer, twin = SGD(ours, 0.05, **settings), torch.optim.SGD(theirs, 0.05, **settings)
    for step in range(100):
        scales = drawn(dtype=np.float32, seed=step + 1)
        optimizer.zero_grad()
        twin.zero_grad()
        descend(ours, scales)
        descend(theirs, [torch.tensor(scale) for scale in scales])
        optimizer.step()
        twin.step()
    assert_close(ours, theirs, 1e-4)


def test_a_schedule_by_epochs_is_torchs_multi_step_lr(torch):
    ours, theirs = leaves(drawn()), twins(torch, drawn())
    schedule = Steps(0.1, milestones=[2, 5], gamma=0.2)
    optimizer = SGD(ours, schedule, momentum=0.9, steps_per_epoch=7)
    twin = torch.optim.SGD(theirs, 0.1, momentum=0.9)
    scheduler = torch.optim.lr_scheduler.MultiStepLR(twin, milestones=[2, 5], gamma=0.2)
    for epoch in range(8):
        for step in range(7):
            gradients = drawn(seed=100 * epoch + step)
            for p, q, g in zip(ours, theirs, gradients, strict=True):
                by_hand(p, g)
                by_torch_hand(torch, q, g)
            optimizer.step()
            twin.step()
            assert optimizer.last_lr == pytest.approx(twin.param_groups[0]["lr"], rel=1e-12)
        scheduler.step()
    assert_close(ours, theirs, 1e-10)


@pytest.mark.parametrize("settings", SETTINGS, ids=str)
def test_parameters_without_a_gradient_are_skipped_as_in_torch(torch, settings):
    shapes = [(2,), (3, 2), (), (1, 4), (5,)]
    ours, theirs = leaves(drawn(shapes)), twins(torch, drawn(shapes))
    optimizer, twin = SGD(ours, 0.05, **settings), torch.optim.SGD(theirs, 0.05, **settings)
    rng = np.random.default_rng(1)
    for step in range(30):
        for p, q, g in zip(ours, theirs, drawn(shapes, seed=step), strict=True):
            given = g if rng.random() < 0.6 else None
            by_hand(p, given)
            by_torch_hand(torch, q, given)
        optimizer.step()
        twin.step()
        assert_close(ours, theirs, 1e-10)


# The flat buffer


def test_one_skipped_in_the_middle_stays_as_it_is():
    params = leaves([np.ones(2), np.ones(3), np.ones(4)])
    optimizer = SGD(params, 0.5, momentum=0.9, weight_decay=0.1)
    (params[0].sum() + params[2].sum()).backward()
    optimizer.step()
    assert [set(p.numpy()) for p in params] == [{1 - 0.5 * 1.1}, {1.0}, {1 - 0.5 * 1.1}]


def test_parameters_keep_shape_values_and_dtype_in_the_buffer():
    arrays = [*drawn(dtype=np.float32), np.zeros((0, 3), np.float32)]
    params = leaves(arrays)
    SGD(params, 0.1)
    for p, array in zip(params, arrays, strict=True):
        assert p.shape == array.shape and p.dtype == np.float32
        np.testing.assert_array_equal(p.numpy(), array)


def test_gradients_keep_the_shapes_of_their_parameters():
    params = leaves(drawn())
    SGD(params, 0.1)
    descend(params, drawn())
    assert [p.grad.shape for p in params] == SHAPES


def test_a_gradient_set_by_hand_counts():
    (w,) = leaves([np.ones(3)])
    optimizer = SGD([w], 1.0)
    w.grad = md.tensor(np.array([1.0, 2.0, 3.0]))
    optimizer.step()
    np.testing.assert_array_equal(w.numpy(), [0, -1, -2])


def test_backward_adds_to_a_gradient_set_by_hand():
    (w,) = leaves([np.ones(3)])
    optimizer = SGD([w], 1.0)
    w.grad = md.tensor(np.array([1.0, 2.0, 3.0]))
    w.sum().backward()
    optimizer.step()
    np.testing.assert_array_equal(w.numpy(), [-1, -2, -3])


@pytest.mark.parametrize("shape", [(), (1,), (2, 2), (4,)])
def test_a_gradient_set_by_hand_must_have_the_shape_of_its_parameter(shape):
    (w,) = leaves([np.ones((1, 4))])
    optimizer = SGD([w], 1.0)
    w.grad = md.tensor(np.ones(shape))
    with pytest.raises(ValueError, match=r"gradient \(.*\) of a parameter \(1, 4\) must have its"):
        optimizer.step()
    assert optimizer.step_count == 0 and optimizer.last_lr is None


def test_a_gradient_from_before_the_optimiser_counts():
    (w,) = leaves([np.ones(2)])
    w.sum().backward()
    optimizer = SGD([w], 0.25)
    optimizer.step()
    np.testing.assert_array_equal(w.numpy(), [0.75, 0.75])


def test_gradients_add_up_until_zero_grad():
    (w,) = leaves([np.ones(2)])
    optimizer = SGD([w], 0.1)
    for _ in range(3):
        w.sum().backward()
    np.testing.assert_array_equal(w.grad.numpy(), [3, 3])
    optimizer.zero_grad()
    assert w.grad is None
    w.sum().backward()
    np.testing.assert_array_equal(w.grad.numpy(), [1, 1])


@pytest.mark.parametrize(
    "loss",
    [
        lambda x, w: md.linear(md.linear(x, w), w).sum(),
        lambda x, w: md.linear(w, w).sum(),
        lambda x, w: (md.linear(x, w) * w + w).sum(),
    ],
    ids=["twice in a row", "as both operands", "in three places"],
)
def test_a_weight_used_more_than_once_has_the_gradient_it_has_without_an_optimiser(loss):
    x = md.tensor(drawn([(3, 3)])[0])
    (alone,), (held,) = leaves(drawn([(3, 3)], seed=1)), leaves(drawn([(3, 3)], seed=1))
    SGD([held], 0.1)
    loss(x, alone).backward()
    loss(x, held).backward()
    np.testing.assert_allclose(held.grad.numpy(), alone.grad.numpy(), rtol=1e-12)


def test_after_zero_grad_a_step_moves_nothing():
    (w,) = leaves([np.ones(2)])
    optimizer = SGD([w], 0.1, momentum=0.9, weight_decay=0.1)
    w.sum().backward()
    optimizer.step()
    moved = w.numpy().copy()
    optimizer.zero_grad()
    optimizer.step()
    np.testing.assert_array_equal(w.numpy(), moved)


def test_norms_are_over_all_parameters_and_the_gradients_there_are():
    params = leaves(drawn())
    optimizer = SGD(params, 0.1)
    assert optimizer.weight_norm() == pytest.approx(
        math.sqrt(sum((array**2).sum() for array in drawn()))
    )
    assert optimizer.grad_norm() == 0
    descend(params, drawn(seed=1))
    squares = [(p.grad.numpy() ** 2).sum() for p in params]
    assert optimizer.grad_norm() == pytest.approx(math.sqrt(sum(squares)))
    params[1].grad = None  # what it was is still in the buffer, and must not count
    assert optimizer.grad_norm() == pytest.approx(math.sqrt(sum(squares) - squares[1]))


def test_a_norm_sees_a_gradient_set_by_hand():
    (w,) = leaves([np.ones(2)])
    optimizer = SGD([w], 0.1)
    w.grad = md.tensor(np.array([3.0, 4.0]))
    assert optimizer.grad_norm() == 5


# Who owns the parameters


def test_a_second_optimiser_takes_the_parameters_from_the_first():
    (w,) = leaves([np.ones(2)])
    first = SGD([w], 0.1)
    second = SGD([w], 0.5)
    w.sum().backward()
    with pytest.raises(RuntimeError, match=r"left this .* buffer .* make the optimiser last"):
        first.step()
    second.step()
    np.testing.assert_array_equal(w.numpy(), [0.5, 0.5])


def test_a_model_moved_to_another_device_needs_a_new_optimiser():
    model = md.nn.Linear(2, 1)
    optimizer = SGD(model.parameters(), 0.1)
    model.to(Cpu())  # a second device of the same kind
    with pytest.raises(RuntimeError, match=r"left this optimiser's buffer \(model.to"):
        optimizer.step()


def test_a_model_moved_to_where_it_is_keeps_its_optimiser(device):
    model = md.nn.Linear(2, 1).to(device)
    optimizer = SGD(model.parameters(), 1.0)
    model.to(device)
    model(md.tensor(np.ones((1, 2), np.float32), device=device)).sum().backward()
    optimizer.step()
    np.testing.assert_array_equal(model.bias.numpy(), [-1])


def test_weights_loaded_afterwards_are_the_ones_that_are_trained():
    model = md.nn.Linear(2, 1)
    optimizer = SGD(model.parameters(), 1.0)
    state = {"weight": np.full((2, 1), 5, np.float32), "bias": np.full(1, 7, np.float32)}
    model.load_state_dict(state)
    model(md.tensor([[1.0, 2.0]])).sum().backward()
    optimizer.step()
    np.testing.assert_array_equal(model.weight.numpy(), [[4], [3]])
    np.testing.assert_array_equal(model.bias.numpy(), [6])


def test_a_backward_that_would_read_the_weights_of_before_the_step_is_an_error():
    (w,) = leaves([np.ones(2)])
    optimizer = SGD([w], 0.1)
    loss = (w * w).sum()
    loss.backward(retain_graph=True)
    optimizer.step()
    with pytest.raises(RuntimeError, match="overwritten since forward"):
        loss.backward()


def test_a_backward_through_a_parameter_that_was_skipped_is_none():
    v, w = leaves([np.ones(2), np.ones(2)])
    optimizer = SGD([v, w], 0.1)
    loss = (w * w).sum()
    v.sum().backward()
    optimizer.step()
    loss.backward()
    np.testing.assert_array_equal(w.grad.numpy(), [2, 2])


# Rates


def run(optimizer, steps):
    rates = []
    for _ in range(steps):
        optimizer.step()
        rates.append(optimizer.last_lr)
    return rates


def one():
    return leaves([np.ones(2, np.float32)])


def test_a_number_is_a_constant_rate():
    optimizer = SGD(one(), 0.3)
    assert optimizer.lr == 0.3
    assert run(optimizer, 3) == [0.3] * 3


def test_a_schedule_is_evaluated_at_steps_over_steps_per_epoch():
    schedule = Cosine(0.1, epochs=2)
    assert run(SGD(one(), schedule, steps_per_epoch=3), 7) == [schedule(k / 3) for k in range(7)]


def test_any_function_of_epochs_is_a_schedule():
    assert run(SGD(one(), lambda t: 1 / (1 + t), steps_per_epoch=2), 3) == [1, 1 / 1.5, 1 / 2]


def test_milestones_are_met_where_a_sum_of_fractions_would_miss_them():
    optimizer = SGD(one(), Steps(1.0, milestones=[1], gamma=0.5), steps_per_epoch=312)
    *_, summed = accumulate([1 / 312] * 312)  # sum() itself corrects from Python 3.12 on
    assert summed < 1
    assert run(optimizer, 313)[-2:] == [1.0, 0.5]


def test_the_rate_can_be_asked_before_and_after_a_step():
    optimizer = SGD(one(), lambda t: 1 + t, steps_per_epoch=1)
    assert (optimizer.lr, optimizer.last_lr) == (1, None)
    optimizer.step()
    assert (optimizer.lr, optimizer.last_lr, optimizer.step_count) == (2, 1, 1)


def test_a_schedule_wants_steps_per_epoch():
    optimizer = SGD(one(), Steps(0.1, milestones=[1]))
    with pytest.raises(ValueError, match="counts in epochs; pass steps_per_epoch"):
        optimizer.step()
    optimizer.steps_per_epoch = 1
    assert run(optimizer, 2) == [0.1, pytest.approx(0.01)]


@pytest.mark.parametrize("rate", [math.nan, math.inf, -0.1])
def test_a_function_that_gives_no_rate_is_an_error_at_its_step(rate):
    (w,) = one()
    optimizer = SGD([w], lambda t: 0.1 if t < 2 else rate, steps_per_epoch=1)
    run(optimizer, 2)
    w.sum().backward()
    with pytest.raises(ValueError, match="SGD: the rate at epoch 2 must be finite and 0 or more"):
        optimizer.step()
    np.testing.assert_array_equal(w.numpy(), [1, 1])
    assert optimizer.step_count == 2


def test_a_function_that_gives_no_number_is_an_error():
    with pytest.raises(TypeError, match="SGD: the rate at epoch 0 must be a number, got None"):
        SGD(one(), lambda t: None, steps_per_epoch=1).step()


def test_numpys_numbers_train_as_pythons_do():
    def trained(kind, count):
        params = leaves(drawn(dtype=np.float32))
        optimizer = SGD(
            params, lambda t: kind(0.1), kind(0.9), kind(0.01), True, steps_per_epoch=count(3)
        )
        for step in range(5):
            for p, g in zip(params, drawn(dtype=np.float32, seed=step), strict=True):
                by_hand(p, g)
            optimizer.step()
        assert type(optimizer.last_lr) is float
        return [p.numpy() for p in params]

    for mine, theirs in zip(trained(np.float64, np.int64), trained(float, int), strict=True):
        np.testing.assert_array_equal(mine, theirs)


# Going on from a state


@pytest.mark.parametrize("settings", SETTINGS, ids=str)
def test_a_run_goes_on_from_its_state_bit_for_bit(settings):
    def begin():
        params = leaves(drawn(dtype=np.float32))
        return params, SGD(params, Cosine(0.1, 5), **settings, steps_per_epoch=4)

    def train(params, optimizer, steps):
        for step in steps:
            optimizer.zero_grad()
            descend(params, drawn(dtype=np.float32, seed=step))
            optimizer.step()

    whole, optimizer = begin()
    train(whole, optimizer, range(6))
    weights, state = [p.numpy().copy() for p in whole], optimizer.state_dict()
    train(whole, optimizer, range(6, 15))

    resumed, second = begin()
    with md.no_grad():
        for p, values in zip(resumed, weights, strict=True):
            p[...] = values
    second.load_state_dict(state)
    train(resumed, second, range(6, 15))

    for p, q in zip(whole, resumed, strict=True):
        np.testing.assert_array_equal(p.numpy(), q.numpy())
    assert optimizer.last_lr == second.last_lr
    np.testing.assert_array_equal(
        optimizer.state_dict()["velocity"], second.state_dict()["velocity"]
    )


def test_a_state_is_a_copy():
    params = leaves(drawn())
    optimizer = SGD(params, 0.1, momentum=0.9)
    state = optimizer.state_dict()
    descend(params, drawn())
    optimizer.step()
    assert state["step_count"] == 0 and not state["velocity"].any()


@pytest.mark.parametrize(
    ("state", "message"),
    [
        ({"step_count": 1, "velocity": np.zeros(3)}, r"float64 \(3,\) does not fit .* \(2,\)"),
        ({"step_count": 1, "velocity": np.zeros(2)}, r"float64 \(2,\) does not fit .*float32"),
        ({"velocity": np.zeros(2, np.float32)}, r"a state has step_count and velocity, not \['vel"),
    ],
)
def test_a_state_that_does_not_fit_is_refused_whole(state, message):
    optimizer = SGD(one(), 0.1)
    with pytest.raises(ValueError, match=message):
        optimizer.load_state_dict(state)
    assert optimizer.step_count == 0


# What it refuses


@pytest.mark.parametrize(
    ("settings", "error", "message"),
    [
        ({"lr": -0.1}, ValueError, "lr must be finite and 0 or more, got -0.1"),
        ({"lr": math.nan}, ValueError, "lr must be finite and 0 or more, got nan"),
        ({"lr": "fast"}, TypeError, "lr must be a number, a schedule or a function"),
        ({"lr": None}, TypeError, "lr must be a number, a schedule or a function"),
        ({"momentum": -1}, ValueError, "SGD: momentum must be finite and 0 or more, got -1"),
        ({"momentum": math.nan}, ValueError, "SGD: momentum must be finite"),
        ({"momentum": "0.9"}, TypeError, "SGD: momentum must be a number, a schedule .*got '0.9'"),
        ({"momentum": True}, TypeError, "SGD: momentum must be a number, a schedule .*got True"),
        ({"weight_decay": -1e-4}, ValueError, "SGD: weight_decay must be finite"),
        ({"weight_decay": math.inf}, ValueError, "SGD: weight_decay must be finite"),
        ({"nesterov": True}, ValueError, "set momentum > 0"),
        ({"steps_per_epoch": 0}, ValueError, "steps_per_epoch=0 must be a positive integer"),
        ({"steps_per_epoch": 1.5}, ValueError, "steps_per_epoch=1.5 must be a positive integer"),
    ],
    ids=str,
)
def test_a_setting_out_of_range_is_refused_by_name(settings, error, message):
    with pytest.raises(error, match=message):
        SGD(one(), **{"lr": 0.1, **settings})


def test_no_parameters_are_refused():
    with pytest.raises(ValueError, match=r"no parameters; pass model.parameters\(\)"):
        SGD(md.nn.ReLU().parameters(), 0.1)


def test_a_model_in_place_of_its_parameters_is_refused():
    with pytest.raises(TypeError, match=r"parameter 0 is a Linear, no tensor; pass model.param"):
        SGD(md.nn.Sequential(md.nn.Linear(1, 1)), 0.1)


def test_integers_frozen_tensors_and_results_are_refused():
    (w,) = one()
    for p in (md.tensor(np.arange(3)), md.tensor([1.0]), w * 2):
        with pytest.raises(ValueError, match=r"parameter 1 .* is no leaf with requires_grad=True"):
            SGD([w, p], 0.1)


def test_a_parameter_given_twice_is_refused():
    (w,) = one()
    with pytest.raises(ValueError, match="given twice"):
        SGD([w, w], 0.1)


def test_parameters_of_two_dtypes_are_refused():
    arrays = [np.ones(1, np.float32), np.ones(1)]
    with pytest.raises(ValueError, match="are float32 on cpu and float64 on cpu; they must be of"):
        SGD(leaves(arrays), 0.1)


def test_what_is_refused_is_left_as_it_was():
    v, w = leaves([np.ones(2), np.ones(2)])
    optimizer = SGD([w], 0.5)
    with pytest.raises(ValueError, match="given twice"):
        SGD([v, w, w], 0.1)
    w.sum().backward()
    optimizer.step()
    np.testing.assert_array_equal(w.numpy(), [0.5, 0.5])


def test_it_says_what_it_is():
    optimizer = SGD(one(), Steps(0.1, [3]), momentum=0.9)
    assert repr(optimizer) == ("SGD(1 tensors, lr=Steps(0.1, (3,)), momentum=0.9, weight_decay=0)")
