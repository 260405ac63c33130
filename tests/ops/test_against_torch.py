"""Each operation, forward and gradient, against torch's and against differences, in float64."""

import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

import minidecay as md

torch = pytest.importorskip("torch")
from torch_cases import CASES  # noqa: E402 (it needs torch)


def close(a, b, rtol=1e-9, atol=1e-9):
    np.testing.assert_allclose(np.asarray(a), np.asarray(b), rtol=rtol, atol=atol)


@pytest.mark.parametrize("name", CASES)
@settings(max_examples=30)
@given(data=st.data())
def test_values_and_gradients_are_those_of_torch(name, data):
    call = data.draw(CASES[name])
    mine = [md.tensor(x, requires_grad=True) for x in call.arrays]
    theirs = [torch.tensor(x, requires_grad=True) for x in call.arrays]
    y, y_torch = call.ours(*mine), call.torchs(*theirs)
    assert y.shape == tuple(y_torch.shape) and y.dtype == np.float64
    close(y, y_torch.detach())
    gy = np.random.default_rng(0).standard_normal(y.shape)
    y.backward(gy)
    y_torch.backward(torch.from_numpy(np.asarray(gy)))
    for x, x_torch in zip(mine, theirs, strict=True):
        assert x.grad.shape == x.shape
        close(x.grad, x_torch.grad)


@pytest.mark.parametrize("name", CASES)
@settings(max_examples=10, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(data=st.data())
def test_float32_agrees_with_float64_to_its_precision(name, device, data):
    call = data.draw(CASES[name])
    if name.startswith("batch_norm"):
        return  # its running statistics are float64 here; the layers' tests cover float32
    if name in ("conv2d", "conv_transpose2d") and device == "emulated":
        return  # each kernel size is compiled anew; the devices' tests take a few
    wide = [md.tensor(x, requires_grad=True) for x in call.arrays]
    narrow = [md.tensor(x.astype(np.float32), True, device) for x in call.arrays]
    y, y32 = call.ours(*wide), call.ours(*narrow)
    assert y32.dtype == np.float32 and y32.device.name == device
    close(y32, y, rtol=2e-4, atol=2e-4)
    y.backward(np.ones(y.shape))
    y32.backward(np.ones(y.shape, np.float32))
    for x, x32 in zip(wide, narrow, strict=True):
        assert x32.grad.dtype == np.float32
        close(x32.grad, x.grad, rtol=2e-3, atol=2e-3)


@pytest.mark.parametrize("name", CASES)
@settings(max_examples=20)
@given(data=st.data())
def test_gradients_are_those_of_differences(name, data):
    call = data.draw(CASES[name])
    if sum(x.size for x in call.arrays) > 60:
        keep = np.random.default_rng(1)
        tensors = [md.tensor(x, requires_grad=True) for x in call.arrays]
        y = call.ours(*tensors)
        weights = keep.uniform(0.5, 1.5, y.shape)
        y.backward(weights)
        # Too many elements to move one by one: one random direction through all of them.
        way = [keep.standard_normal(x.shape) for x in call.arrays]
        slope = sum((t.grad.numpy() * w).sum() for t, w in zip(tensors, way, strict=True))

        def moved(eps):
            arrays = (x + eps * w for x, w in zip(call.arrays, way, strict=True))
            return (call.ours(*map(md.tensor, arrays)).numpy() * weights).sum()

        ends = moved(1e-6), moved(-1e-6)
        close((ends[0] - ends[1]) / 2e-6, slope, rtol=1e-4, atol=1e-3)
        return
    if sum(x.size for x in call.arrays):
        md.gradcheck(call.ours, *(md.tensor(x, requires_grad=True) for x in call.arrays), atol=1e-4)


@pytest.mark.parametrize("name", CASES)
@settings(max_examples=4)
@given(data=st.data())
def test_a_captured_step_replays_it_bit_for_bit(name, data):
    call = data.draw(CASES[name])
    weights = [md.tensor(x, requires_grad=True) for x in call.arrays]

    def step(*factors):
        pairs = zip(factors, weights, strict=True)
        y = call.ours(*(md.from_numpy(factor) * w for factor, w in pairs))
        (y * y).sum().backward()
        return (y, *(w.grad for w in weights))

    captured, rng = md.capture(step), np.random.default_rng(0)
    for _ in range(3):
        factors, answers = [rng.uniform(0.9, 1.1, x.shape) for x in call.arrays], []
        for each in (step, captured):
            for w in weights:
                w.grad = None
            answers.append([result.numpy().copy() for result in each(*factors)])
        for mine, theirs in zip(*answers, strict=True):
            np.testing.assert_array_equal(mine, theirs)
