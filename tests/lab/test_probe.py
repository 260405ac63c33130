"""Linear probes: exact, whatever the scale of the features, and nothing else is touched."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from minidecay import models
from minidecay.data import from_arrays
from minidecay.lab.machinery.probe import features, linear_probe, ridge_regression
from minidecay.training import evaluate


def problem(seed, n, d, k):
    rng = np.random.default_rng(seed)
    return rng.standard_normal((n, d)) + rng.standard_normal(d), rng.standard_normal((n, k))


def by_lstsq(x, y, penalty):
    """The same by least squares: rows of sqrt(penalty) I below the centred ones."""
    d = x.shape[1]
    rows = np.concatenate([x - x.mean(axis=0), np.sqrt(penalty) * np.eye(d)])
    values = np.concatenate([y - y.mean(axis=0), np.zeros((d, y.shape[1]))])
    weight = np.linalg.lstsq(rows, values, rcond=None)[0]
    return weight, y.mean(axis=0) - x.mean(axis=0) @ weight


@given(
    st.integers(0, 99), st.integers(2, 30), st.integers(1, 8), st.integers(1, 4), st.floats(1e-4, 9)
)
def test_it_is_the_least_squares_of_the_penalised_problem(seed, n, d, k, ridge):
    x, y = problem(seed, n, d, k)
    penalty = ridge * n * x.var(axis=0).mean()
    for ours, theirs in zip(ridge_regression(x, y, ridge), by_lstsq(x, y, penalty), strict=True):
        np.testing.assert_allclose(ours, theirs, rtol=1e-6, atol=1e-8)


def test_it_is_scikit_learns_ridge():
    linear_model = pytest.importorskip("sklearn.linear_model")
    x, y = problem(0, 50, 6, 3)
    theirs = linear_model.Ridge(alpha=0.1 * 50 * x.var(axis=0).mean()).fit(x, y)
    weight, bias = ridge_regression(x, y, 0.1)
    np.testing.assert_allclose(weight, theirs.coef_.T, rtol=1e-9)
    np.testing.assert_allclose(bias, theirs.intercept_, rtol=1e-9)


def test_without_a_penalty_what_is_linear_is_found():
    x, _ = problem(1, 20, 4, 1)
    true = np.arange(12.0).reshape(4, 3), np.array([1.0, -2.0, 3.0])
    for ours, theirs in zip(ridge_regression(x, x @ true[0] + true[1], 0.0), true, strict=True):
        np.testing.assert_allclose(ours, theirs, atol=1e-10)


@given(st.floats(1e-3, 1e3))
def test_the_scale_of_the_features_does_not_matter(scale):
    x, y = problem(2, 30, 5, 2)
    (weight, bias), (other, same) = (ridge_regression(s * x, y, 0.3) for s in (1.0, scale))
    np.testing.assert_allclose(other * scale, weight, rtol=1e-7)
    np.testing.assert_allclose(same, bias, rtol=1e-7, atol=1e-9)


def test_features_that_are_constant_have_no_weight():
    _, y = problem(3, 9, 1, 2)
    weight, bias = ridge_regression(np.ones((9, 4)), y, 0.1)
    assert not weight.any()
    np.testing.assert_allclose(bias, y.mean(axis=0))
    x, _ = problem(3, 9, 3, 1)
    x[:, 1] = 7.0  # one that is, beside others: a dead unit
    assert ridge_regression(x, y, 0.1)[0][1] == pytest.approx(0, abs=1e-12)


def small(n=1203, seed=0):
    rng = np.random.default_rng(seed)
    images, labels = rng.standard_normal((n, 2, 2, 1)), rng.integers(0, 3, n)
    return from_arrays(images, labels, {"ones": labels == 1})


def network(seed=0):
    return models.mlp(4, 6, 5, 10, batch_norm=True, rng=np.random.default_rng(seed))


def test_a_probe_predicts_what_the_regression_on_the_features_does():
    split, net = small(), network()
    net.eval()
    x = features(net[:-1], split.images)
    assert x.shape == (1203, 5) and x.dtype == np.float64
    weight, bias = by_lstsq(x, np.eye(3)[split.labels], 1e-3 * len(x) * x.var(axis=0).mean())
    seen = evaluate(linear_probe(net, split), split)
    assert (
        seen.predictions == (x @ weight + bias).argmax(axis=1)
    ).mean() > 0.998  # ties in float32
    assert seen.accuracy().keys() == {"ones", "all"}


def test_a_probe_leaves_the_network_as_it_was():
    net = network()
    before, modes = net.state_dict(), [module.training for module in net.modules()]
    net[1].training = False  # a mode of one's own, too
    modes = [module.training for module in net.modules()]
    evaluate(linear_probe(net, small()), small(seed=1))
    assert [module.training for module in net.modules()] == modes
    after = net.state_dict()
    assert all(np.array_equal(before[name], after[name]) for name in before)


def test_features_are_those_of_evaluation_mode():
    split, net = small(), network()
    np.testing.assert_array_equal(
        features(net.train()[:-1], split.images), features(net.eval()[:-1], split.images)
    )


def test_only_of_a_sequential_the_last_layer_can_be_told():
    with pytest.raises(TypeError, match="network is a WideResNet; give a Sequential, such as"):
        linear_probe(models.wide_resnet(10, 1), small())
