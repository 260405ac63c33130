"""Batch norm on `cpu` in pieces is the formula, and its variance survives a large mean."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from minidecay.devices.cpu import normalization

EPS = 1e-5


def by_formula(x, gamma, beta):
    axes = tuple(range(x.ndim - 1))
    mean, var = x.mean(axes), x.var(axes)
    return gamma * (x - mean) / np.sqrt(var + EPS) + beta, mean, var


@given(
    st.one_of(
        st.tuples(st.integers(1, 40), st.integers(1, 9)),
        st.tuples(*(st.integers(1, 6) for _ in range(4))),
    ),
    st.integers(1, 200),
    st.integers(0, 99),
)
def test_pieces_of_any_size_make_the_whole(shape, chunk, seed):
    rng = np.random.default_rng(seed)
    x, residual, gy = rng.standard_normal((3, *shape)) * 3 + 1
    gamma, beta = rng.standard_normal((2, shape[-1]))
    wanted, mean, var = by_formula(x, gamma, beta)
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(normalization, "CHUNK", chunk)
        y, got_mean, got_var = normalization.batch_norm(
            x, gamma, beta, EPS, residual=residual, activation="relu"
        )
        gx, g_gamma, g_beta = normalization.batch_norm_grad(gy, x, gamma, mean, var, EPS)
    for got, expected in ((y, np.maximum(wanted + residual, 0)), (got_mean, mean), (got_var, var)):
        np.testing.assert_allclose(got, expected, atol=1e-10)
    axes, inverse = tuple(range(x.ndim - 1)), 1 / np.sqrt(var + EPS)
    normal = (x - mean) * inverse
    np.testing.assert_allclose(g_beta, gy.sum(axes), atol=1e-10)
    np.testing.assert_allclose(g_gamma, (gy * normal).sum(axes), atol=1e-9)
    slope = gy - gy.mean(axes) - normal * (gy * normal).mean(axes)
    np.testing.assert_allclose(gx, gamma * inverse * slope, atol=1e-8, rtol=1e-7)


@pytest.mark.parametrize("chunk", [64, 1 << 16])
def test_the_variance_survives_a_mean_ten_thousand_times_the_deviation(chunk, monkeypatch):
    """E[x^2] - mean^2 in float32 would be all rounding here: 1e8 carries no digit of 1."""
    monkeypatch.setattr(normalization, "CHUNK", chunk)
    x = np.random.default_rng(0).normal(1e4, 1.0, (64, 4, 4, 3)).astype(np.float32)
    _, mean, var = normalization.batch_norm(x, np.ones(3, "f"), np.zeros(3, "f"), EPS)
    exact = x.astype(np.float64)
    np.testing.assert_allclose(mean, exact.mean((0, 1, 2)), rtol=1e-6)
    np.testing.assert_allclose(var, exact.var((0, 1, 2)), rtol=1e-3)
