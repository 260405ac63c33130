"""The largest eigenvalue: of matrices whose spectrum is known, of a Hessian as torch has it."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from minidecay import models
from minidecay.data import Split, batches
from minidecay.lab.machinery.curvature import LossGradient, largest_eigenvalue, sharpness
from minidecay.optim import SGD
from minidecay.training.stepping import Step


def symmetric(eigenvalues, seed=0):
    rng = np.random.default_rng(seed)
    q, _ = np.linalg.qr(rng.standard_normal((len(eigenvalues), len(eigenvalues))))
    return q * eigenvalues @ q.T


def start(size, seed=1):
    return np.random.default_rng(seed).standard_normal(size)


@given(st.lists(st.integers(-50, 50), min_size=1, max_size=12), st.integers(0, 99))
def test_the_largest_eigenvalue_is_found_whatever_the_others_are(eigenvalues, seed):
    matrix = symmetric(np.array(eigenvalues, float), seed)
    found = largest_eigenvalue(lambda v: matrix @ v, start(len(matrix), seed), tol=1e-7)
    assert found == pytest.approx(max(eigenvalues), abs=1e-4)


def test_a_negative_eigenvalue_of_larger_magnitude_is_not_taken_for_it():
    matrix = symmetric(np.array([-100.0, -3.0, 0.5, 2.0]))
    assert largest_eigenvalue(lambda v: matrix @ v, start(4), 1e-9) == pytest.approx(2.0)


def test_the_residual_decides_how_many_products_are_taken():
    matrix, taken = symmetric(np.linspace(0, 1, 80) ** 4), []

    def product(v):
        taken.append(v)
        return matrix @ v

    rough = largest_eigenvalue(product, start(80), tol=0.2)
    few = len(taken)
    taken.clear()
    fine = largest_eigenvalue(product, start(80), tol=1e-3)
    assert few < len(taken) < 60 and 0.8 < rough <= fine <= 1 + 1e-12
    taken.clear()
    assert 0.5 < largest_eigenvalue(product, start(80), tol=0.0, most=7) <= 1
    assert len(taken) == 7


@pytest.fixture
def split():
    rng = np.random.default_rng(3)
    return Split(rng.standard_normal((25, 5), np.float32), rng.integers(0, 3, 25))


@pytest.fixture
def network():
    return models.mlp(5, 4, 3, batch_norm=True, rng=np.random.default_rng(5))


def torchs_hessian(network, split, batch_size):
    """All second derivatives, by torch, of a network of our own layers written out for it."""
    torch = pytest.importorskip("torch")
    parameters = [torch.tensor(p.numpy().astype(np.float64)) for p in network.parameters()]
    x, y = torch.tensor(split.images.astype(np.float64)), torch.tensor(split.labels)

    def loss(flat):
        parts = flat.split([p.numel() for p in parameters])
        w1, b1, gamma, beta, w2, b2 = (
            part.reshape(p.shape) for part, p in zip(parts, parameters, strict=True)
        )
        losses = []
        for at in range(0, len(y) - batch_size + 1, batch_size):
            h = x[at : at + batch_size] @ w1 + b1
            h = torch.nn.functional.batch_norm(h, None, None, gamma, beta, training=True)
            logits = torch.relu(h) @ w2 + b2
            losses.append(torch.nn.functional.cross_entropy(logits, y[at : at + batch_size]))
        return sum(losses) / len(losses)

    flat = torch.cat([p.ravel() for p in parameters])
    gradient = torch.autograd.functional.jacobian(loss, flat)
    return gradient.numpy(), torch.autograd.functional.hessian(loss, flat).numpy()


@pytest.mark.parametrize("batch_size", [10, 25])
def test_gradient_and_sharpness_are_those_of_torchs_second_derivatives(network, split, batch_size):
    gradient, hessian = torchs_hessian(network, split, batch_size)
    ours = LossGradient(network, split, batch_size)
    assert ours(ours.weights) == pytest.approx(gradient, abs=1e-12)
    found = sharpness(network, split, batch_size, 0.25, np.random.default_rng(0), tol=1e-4)
    assert found == pytest.approx(np.linalg.eigvalsh(hessian)[-1] + 0.25, rel=1e-4)


def test_an_activation_next_to_zero_does_not_count_as_curvature():
    """The unit's output for (1, 1) is 5e-10: the first step would carry it across the kink."""
    network = models.mlp(2, 1, 2, rng=np.random.default_rng(0))
    state = network.state_dict()
    w, b, *_ = (name for name, _ in network.named_parameters())
    network.load_state_dict(state | {w: np.float32([[1], [-1]]), b: np.float32([5e-10])})
    split = Split(np.float32([[1, 1], [2, 1], [3, 1]]), np.array([0, 1, 1]))
    away = Split(np.float32([[1, 0.999], [2, 1], [3, 1]]), split.labels)
    near, far = (
        sharpness(network, each, 3, 0.0, np.random.default_rng(0)) for each in (split, away)
    )
    assert near == pytest.approx(far, rel=0.01)


def test_a_batch_larger_than_the_split_is_the_split(network, split):
    whole, more = (LossGradient(network, split, size) for size in (25, 26))
    assert np.array_equal(whole(whole.weights), more(more.weights))


def test_training_goes_on_as_if_nothing_had_been_measured(split):
    def train(measured):
        network = models.mlp(5, 4, 3, batch_norm=True, rng=np.random.default_rng(5))
        step = Step(network, SGD(network.parameters(), 0.1, 0.9, 1e-2))
        for images, labels in batches(split, 5, np.random.default_rng(1)):
            step(images, labels)
            if measured:
                before = network.state_dict()
                network[0].eval()
                sharpness(network, split, 10, 0.0, np.random.default_rng(0))
                modes = [module.training for module in network.modules()]
                assert modes == [module is not network[0] for module in network.modules()]
                network.train()
                after = network.state_dict()
                assert all(np.array_equal(before[name], after[name]) for name in before)
        return network.state_dict()

    left, looked_at = train(measured=False), train(measured=True)
    assert all(np.array_equal(left[name], looked_at[name]) for name in left)
