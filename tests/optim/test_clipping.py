"""Gradient clipping, held to torch's."""

import math

import numpy as np
import pytest
from bowls import SHAPES, by_hand, drawn, leaves, twins

import minidecay as md
from minidecay.optim import SGD, clip_grad_norm_, clip_grad_value_


@pytest.fixture(scope="module")
def torch():
    return pytest.importorskip("torch")


def with_gradients(torch, device, skip=None):
    start = drawn(dtype=np.float32)
    ours, theirs = leaves(start, device), twins(torch, start)
    for i, g in enumerate(drawn(dtype=np.float32, seed=1)):
        if i != skip:
            by_hand(ours[i], g)
            theirs[i].grad = torch.tensor(g)
    return ours, theirs


def assert_same_gradients(ours, theirs):
    for p, q in zip(ours, theirs, strict=True):
        assert (p.grad is None) == (q.grad is None)
        if p.grad is not None:
            np.testing.assert_allclose(p.grad.numpy(), q.grad.numpy(), rtol=1e-5, atol=1e-7)


@pytest.mark.parametrize("norm_type", [2.0, 1, 3.5, math.inf])
@pytest.mark.parametrize("max_norm", [0, 0.1, 2, 1e3])
def test_a_norm_is_clipped_as_torch_does(torch, device, norm_type, max_norm):
    ours, theirs = with_gradients(torch, device, skip=1)
    norm = clip_grad_norm_(ours, max_norm, norm_type)
    other = torch.nn.utils.clip_grad_norm_(theirs, max_norm, norm_type)
    assert norm == pytest.approx(float(other), rel=1e-5)
    assert_same_gradients(ours, theirs)


@pytest.mark.parametrize("value", [0, 0.5, 10])
def test_values_are_clipped_as_torch_does(torch, device, value):
    ours, theirs = with_gradients(torch, device, skip=2)
    clip_grad_value_(ours, value)
    torch.nn.utils.clip_grad_value_(theirs, value)
    assert_same_gradients(ours, theirs)


def test_one_tensor_will_do_and_none_with_a_gradient_too(torch):
    ours, _ = with_gradients(torch, "cpu")
    assert clip_grad_norm_(ours[0], 0.5) > 0.5
    assert np.linalg.norm(ours[0].grad.numpy()) == pytest.approx(0.5, rel=1e-4)
    assert clip_grad_norm_(leaves(drawn()), 1) == 0
    assert clip_grad_norm_(leaves(drawn()), 1, math.inf) == 0


def test_an_optimiser_steps_by_the_clipped_gradients():
    params = leaves(drawn())
    optimizer = SGD(params, 1.0)
    for p in params:
        (p * 3).sum().backward()
    norm = clip_grad_norm_(params, 1.0)
    assert norm == pytest.approx(3 * math.sqrt(sum(math.prod(shape) for shape in SHAPES)))
    assert optimizer.grad_norm() == pytest.approx(1, rel=1e-6)
    optimizer.step()
    for p, before in zip(params, drawn(), strict=True):
        np.testing.assert_allclose(p.numpy(), before - 3 / norm, rtol=1e-6)


def test_a_norm_that_is_not_finite_makes_nan_or_an_error_as_in_torch():
    (w,) = leaves([np.ones(3)])
    w.grad = md.tensor(np.array([1.0, math.inf, 2.0]))
    with pytest.raises(ValueError, match="the norm is inf, not finite"):
        clip_grad_norm_([w], 1.0, error_if_nonfinite=True)
    with np.errstate(invalid="ignore"):
        assert clip_grad_norm_([w], 1.0) == math.inf
    assert w.grad.numpy().tolist()[::2] == [0, 0] and math.isnan(w.grad.numpy()[1])


@pytest.mark.parametrize(
    ("call", "error", "message"),
    [
        (lambda w: clip_grad_norm_(w, -1), ValueError, "max_norm must be finite and 0 or more"),
        (lambda w: clip_grad_norm_(w, "1"), TypeError, "max_norm must be a number, got '1'"),
        (lambda w: clip_grad_norm_(w, 1, 0), ValueError, "norm_type must be above 0, got 0"),
        (lambda w: clip_grad_value_(w, math.nan), ValueError, "clip_value must be finite and 0 or"),
    ],
)
def test_a_bound_that_makes_no_sense_is_refused(call, error, message):
    with pytest.raises(error, match=message):
        call(leaves([np.ones(3)]))
