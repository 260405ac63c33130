"""The primitives of `cpu`: all of the protocol, with every option, against plain formulas."""

import inspect
import math

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from minidecay.devices import device
from minidecay.devices.protocol import Device

CPU = device("cpu")


def normal(*shape, dtype=np.float64, seed=0):
    return np.random.default_rng(seed).standard_normal(shape).astype(dtype)


def test_every_primitive_of_the_protocol_is_there():
    wanted = {name for name, _ in inspect.getmembers(Device, inspect.isfunction) if name[0] != "_"}
    missing = {name for name in wanted if not callable(getattr(CPU, name, None))}
    assert len(wanted) > 50 and not missing


def test_arguments_by_name_are_those_of_the_protocol():
    for name, typed in inspect.getmembers(Device, inspect.isfunction):
        keywords = {p.name for p in inspect.signature(typed).parameters.values() if p.kind == 3}
        if keywords:
            taken = set(inspect.signature(getattr(CPU, name)).parameters)
            assert keywords <= taken, name


def tail(y, bias, residual, activation):
    y = y + (0 if bias is None else bias) + (0 if residual is None else residual)
    return np.maximum(y, 0) if activation else y


options = st.tuples(st.booleans(), st.booleans(), st.sampled_from([None, "relu"]))


@given(options, st.booleans(), st.booleans(), st.integers(1, 4), st.integers(1, 4))
def test_matmul_with_its_tail(chosen, transpose_a, transpose_b, m, k):
    a, b, bias, residual = normal(2, m, k), normal(2, k, 3, seed=1), normal(3), normal(2, m, 3)
    bias, residual = bias if chosen[0] else None, residual if chosen[1] else None
    y = CPU.matmul(
        a.swapaxes(1, 2) if transpose_a else a,
        b.swapaxes(1, 2) if transpose_b else b,
        transpose_a=transpose_a,
        transpose_b=transpose_b,
        bias=bias,
        residual=residual,
        activation=chosen[2],
    )
    expected = np.einsum("bmk,bkn->bmn", a, b)
    np.testing.assert_allclose(y, tail(expected, bias, residual, chosen[2]), atol=1e-12)


def test_matmul_writes_where_it_is_told():
    out = np.empty((2, 4))
    a, b = normal(2, 3), normal(3, 4)
    assert CPU.matmul(a, b, out=out) is out
    np.testing.assert_allclose(out, a @ b)


def plain_conv2d(x, w, stride, padding):
    """The formula, element by element."""
    (ph, pw), (sh, sw), (kh, kw) = padding, stride, w.shape[:2]
    x = np.pad(x, ((0, 0), (ph, ph), (pw, pw), (0, 0)))
    out = (x.shape[1] - kh) // sh + 1, (x.shape[2] - kw) // sw + 1
    y = np.zeros((len(x), *out, w.shape[3]))
    for i, j in np.ndindex(*out):
        window = x[:, i * sh : i * sh + kh, j * sw : j * sw + kw]
        y[:, i, j] = np.einsum("nabc,abco->no", window, w)
    return y


sides = st.tuples(st.integers(1, 3), st.integers(1, 3))


@given(options, sides, sides, st.tuples(st.integers(0, 2), st.integers(0, 2)), sides)
def test_conv2d_with_its_tail_and_its_adjoints(chosen, kernel, stride, padding, extra):
    shape = (2, *(k + e for k, e in zip(kernel, extra, strict=True)), 3)
    x, w = normal(*shape), normal(*kernel, 3, 2, seed=1)
    expected = plain_conv2d(x, w, stride, padding)
    bias, residual = normal(2), normal(*expected.shape, seed=2)
    bias, residual = bias if chosen[0] else None, residual if chosen[1] else None
    y = CPU.conv2d(
        x,
        w,
        stride=stride,
        padding=padding,
        bias=bias,
        residual=residual,
        activation=chosen[2],
    )
    np.testing.assert_allclose(y, tail(expected, bias, residual, chosen[2]), atol=1e-12)
    # A linear map and its adjoint: <gy, conv(x, w)> is the same seen from x and from w.
    gy = normal(*expected.shape, seed=3)
    gx = CPU.conv2d_input_grad(gy, w, x.shape, stride=stride, padding=padding)
    gw = CPU.conv2d_weight_grad(gy, x, w.shape, stride=stride, padding=padding)
    whole = (gy * expected).sum()
    np.testing.assert_allclose([(gx * x).sum(), (gw * w).sum()], [whole, whole], atol=1e-9)


@pytest.mark.parametrize("shape", [(6, 3), (2, 3, 4, 3)])
@pytest.mark.parametrize("residual", [False, True])
@pytest.mark.parametrize("activation", [None, "relu"])
def test_batch_norm_with_its_tail(shape, residual, activation):
    x, gamma, beta = normal(*shape), normal(3, seed=1), normal(3, seed=2)
    added = normal(*shape, seed=3) if residual else None
    y, mean, var = CPU.batch_norm(x, gamma, beta, 1e-3, residual=added, activation=activation)
    axes = tuple(range(x.ndim - 1))
    np.testing.assert_allclose(mean, x.mean(axes), atol=1e-12)
    np.testing.assert_allclose(var, x.var(axes), atol=1e-12)
    expected = tail(gamma * (x - mean) / np.sqrt(var + 1e-3), beta, added, activation)
    np.testing.assert_allclose(y, expected, atol=1e-12)
    again = CPU.batch_norm_inference(
        x, gamma, beta, mean, var, 1e-3, residual=added, activation=activation
    )
    np.testing.assert_allclose(again, expected, atol=1e-12)


def test_the_variance_survives_a_mean_far_larger_than_the_deviation():
    x = (1000 + 0.01 * normal(512, 4)).astype(np.float32)
    _, _, var = CPU.batch_norm(x, np.ones(4, np.float32), np.zeros(4, np.float32), 1e-5)
    np.testing.assert_allclose(var, x.astype(np.float64).var(axis=0), rtol=0.02)


@given(st.integers(1, 300), st.floats(0.01, 0.99), st.integers(0, 2**63), st.integers(0, 9))
def test_dropout_keeps_where_the_counted_word_is_large(n, p, key, counter):
    x = normal(n) + 3
    y = CPU.dropout(x, p, (key, 7), counter)
    philox = np.random.Philox(key=[key, 7], counter=[0, 0, counter, 0])
    kept = philox.random_raw(n) >= int(p * 2.0**64)
    np.testing.assert_allclose(y, np.where(kept, x / (1 - p), 0))


@pytest.mark.parametrize("size", [1, 65_536, 65_537, 200_000])
@pytest.mark.parametrize("nesterov", [False, True])
def test_sgd_step_is_its_formula_across_chunks(size, nesterov):
    w, g, v = normal(size), normal(size, seed=1), normal(size, seed=2)
    step = g + 0.01 * w
    moved = 0.9 * v + step
    expected = w - 0.1 * (step + 0.9 * moved if nesterov else moved)
    kept = g.copy()
    CPU.sgd_step(w, g, v, lr=0.1, momentum=0.9, weight_decay=0.01, nesterov=nesterov)
    np.testing.assert_allclose(w, expected, atol=1e-12)
    np.testing.assert_allclose(v, moved, atol=1e-12)
    np.testing.assert_array_equal(g, kept)


def test_relu_does_not_make_negative_zeros_or_pass_gradients_at_zero():
    y = CPU.relu(np.array([-1.0, 0.0, 2.0], np.float32))
    assert y.tolist() == [0.0, 0.0, 2.0] and not np.signbit(y).any()
    assert CPU.relu_grad(np.ones(3), y).tolist() == [0.0, 0.0, 1.0]
    assert CPU.relu(np.array(-1.0)).item() == 0.0


def test_sigmoid_does_not_overflow():
    with np.errstate(all="raise"):
        assert CPU.sigmoid(np.array([-1e4, 0.0, 1e4])).tolist() == [0.0, 0.5, 1.0]


@given(st.floats(-8, 8) | st.floats(-1e-3, 1e-3) | st.sampled_from([0.46875, 4.0, 6.0, 1e30]))
def test_erf_is_right_to_the_last_digits(x):
    assert CPU.erf(np.array([x]))[0] == pytest.approx(math.erf(x), rel=1e-15, abs=0)
    assert CPU.erf(np.array(-x)) == -CPU.erf(np.array(x))
    assert CPU.erf(np.array([x], np.float32))[0] == pytest.approx(
        math.erf(np.float32(x)), rel=5e-7, abs=1e-45
    )


def test_erf_knows_its_limits():
    with np.errstate(all="raise"):
        assert CPU.erf(np.array([-np.inf, -0.0, np.inf])).tolist() == [-1.0, 0.0, 1.0]
        assert np.isnan(CPU.erf(np.array([np.nan])))


def test_reductions_of_everything_are_arrays_of_no_axes():
    for reduced in (CPU.sum(normal(2, 3)), CPU.max(normal(2, 3))):
        assert isinstance(reduced, np.ndarray) and reduced.shape == ()
    assert CPU.norm(np.array([[3.0, 4.0]])) == 5.0
