"""Schedule-free SGD: the paper's three sequences, and which of them is in place."""

import numpy as np
import pytest
from bowls import SHAPES, by_hand, descend, drawn, leaves, slopes

import minidecay as md
from minidecay.optim import Ramp, SGDScheduleFree


class Paper:
    """Defazio et al. 2024, equations 3 to 5, in float64; c from the squares of the rates."""

    def __init__(self, y, beta, weight_decay):
        self.y = [x.astype(np.float64) for x in y]
        self.z = [x.copy() for x in self.y]
        self.x = [x.copy() for x in self.y]
        self.beta, self.weight_decay, self.squares = beta, weight_decay, []

    def step(self, gradients, lr):
        self.squares.append(lr**2)
        c = lr**2 / sum(self.squares) if lr else 0
        for i, g in enumerate(gradients):
            self.z[i] = self.z[i] - lr * (g + self.weight_decay * self.y[i])
            self.x[i] = (1 - c) * self.x[i] + c * self.z[i]
            self.y[i] = (1 - self.beta) * self.z[i] + self.beta * self.x[i]


def at(arrays, seed):
    """The gradients of the bowls at these places."""
    return [
        2 * scale * (x * scale - 1)
        for x, scale in zip(arrays, drawn(SHAPES, np.float64, seed), strict=True)
    ]


@pytest.mark.parametrize(("beta", "weight_decay"), [(0.9, 0.0), (0.9, 0.1), (0.5, 0.0), (0, 0.1)])
@pytest.mark.parametrize("lr", [0.02, Ramp(0, 0.05, 5)])
def test_a_hundred_steps_are_the_papers(beta, weight_decay, lr):
    params, paper = leaves(drawn()), Paper(drawn(), beta, weight_decay)
    optimizer = SGDScheduleFree(params, lr, beta, weight_decay, steps_per_epoch=10)
    for step in range(100):
        for p, g in zip(params, at([p.numpy() for p in params], step), strict=True):
            by_hand(p, g)
        rate = lr if isinstance(lr, float) else lr(step / 10)
        paper.step(at(paper.y, step), rate)
        optimizer.step()
    for p, y in zip(params, paper.y, strict=True):
        np.testing.assert_allclose(p.numpy(), y, rtol=1e-10, atol=1e-12)
    optimizer.eval()
    for p, x in zip(params, paper.x, strict=True):
        np.testing.assert_allclose(p.numpy(), x, rtol=1e-10, atol=1e-12)


def test_a_hundred_steps_in_float32_are_the_papers_to_its_precision(device):
    params = leaves(drawn(dtype=np.float32), device)
    paper = Paper(drawn(dtype=np.float32), 0.9, 0.1)
    optimizer = SGDScheduleFree(params, 0.02, 0.9, 0.1)
    for step in range(100):
        for p, g in zip(params, slopes(params, step), strict=True):
            by_hand(p, g)
        gradients = [
            2 * s * (y * s - 1)
            for y, s in zip(paper.y, drawn(SHAPES, np.float32, step), strict=True)
        ]
        paper.step(gradients, 0.02)
        optimizer.step()
    for p, y in zip(params, paper.y, strict=True):
        np.testing.assert_allclose(p.numpy(), y, rtol=1e-4, atol=1e-4)


def trained(steps=5):
    params = leaves(drawn(dtype=np.float32))
    optimizer = SGDScheduleFree(params, 0.05)
    for step in range(steps):
        for p, g in zip(params, slopes(params, step), strict=True):
            by_hand(p, g)
        optimizer.step()
    return params, optimizer


def values(params):
    return [p.numpy().copy() for p in params]


def test_looking_at_the_average_loses_no_bit():
    params, optimizer = trained()
    before = values(params)
    optimizer.eval()
    average = values(params)
    assert not np.array_equal(average[0], before[0])
    optimizer.eval()  # again: nothing
    np.testing.assert_array_equal(params[0].numpy(), average[0])
    optimizer.train()
    optimizer.train()
    for p, w in zip(params, before, strict=True):
        np.testing.assert_array_equal(p.numpy(), w)


def test_a_step_at_the_average_is_refused():
    _, optimizer = trained()
    optimizer.eval()
    with pytest.raises(RuntimeError, match=r"averaged weights are in place; call train\(\) before"):
        optimizer.step()


def test_a_backward_across_the_exchange_is_an_error():
    params, optimizer = trained()
    loss = (params[0] * params[0]).sum()
    optimizer.eval()
    with pytest.raises(RuntimeError, match="overwritten since forward"):
        loss.backward()


def test_before_the_first_step_all_three_are_the_weights_whatever_was_loaded():
    model = md.nn.Linear(2, 1)
    optimizer = SGDScheduleFree(model.parameters(), 0.5)
    loaded = {"weight": np.full((2, 1), 5, np.float32), "bias": np.full(1, 7, np.float32)}
    model.load_state_dict(loaded)
    optimizer.eval()
    optimizer.train()
    np.testing.assert_array_equal(model.weight.numpy(), loaded["weight"])
    model(md.tensor([[1.0, 2.0]])).sum().backward()
    optimizer.step()  # x = z = y after one step, which is plain SGD's
    np.testing.assert_array_equal(model.weight.numpy(), [[4.5], [4]])
    np.testing.assert_array_equal(model.bias.numpy(), [6.5])


@pytest.mark.parametrize("looking", [False, True])
def test_a_state_of_either_kind_of_weights_goes_on_bit_for_bit(looking):
    whole, optimizer = trained()
    if looking:
        optimizer.eval()
    resumed = leaves(values(whole))
    second = SGDScheduleFree(resumed, 0.05)
    second.load_state_dict(optimizer.state_dict())
    for params, each in ((whole, optimizer), (resumed, second)):
        each.zero_grad()
        each.train()
        descend(params, drawn(dtype=np.float32, seed=9))
        each.step()
        each.eval()
    for p, q in zip(whole, resumed, strict=True):
        np.testing.assert_array_equal(p.numpy(), q.numpy())


def test_groups_average_by_rates_of_their_own():
    v, w = leaves([np.ones(1), np.ones(1)])
    groups = [{"params": [v]}, {"params": [w], "lr": Ramp(0, 1, 2)}]
    optimizer = SGDScheduleFree(groups, 0.5, steps_per_epoch=1)
    for _ in range(3):
        for p in (v, w):
            by_hand(p, np.ones(1))
        optimizer.step()
    optimizer.eval()
    assert v.numpy() == pytest.approx(np.mean([0.5, 0, -0.5]))
    assert w.numpy() == pytest.approx((0.25 * 0.5 + 1 * -0.5) / 1.25)
