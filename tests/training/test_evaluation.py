"""Evaluation: what is said of single examples and of subsets, and that looking changes nothing."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from minidecay import nn
from minidecay.data import Split
from minidecay.random import stream
from minidecay.training import Evaluation, evaluate


class Table(nn.Module):
    """Logits that are the images themselves."""

    def forward(self, x):
        return x


LOGITS = np.array([[2, 1, 0], [0, 3, 1], [1, 0, 5], [0, 0, 1]], np.float32)
LABELS = np.array([0, 2, 2, 1])
ODD = np.array([False, True, False, True])


def seen_by_hand():
    return evaluate(Table(), Split(LOGITS, LABELS, {"odd": ODD, "even": ~ODD}))


def network(rng):
    network = nn.Sequential(
        nn.Flatten(),
        nn.Linear(16, 8, rng=rng),
        nn.BatchNorm1d(8),
        nn.ReLU(),
        nn.Dropout(0.5, rng=rng),
        nn.Linear(8, 3, rng=rng),
    )
    moved = network.state_dict()
    for name in ("2.running_mean", "2.running_var"):
        moved[name] = rng.random(8, dtype=np.float32)
    network.load_state_dict(moved)
    return network


def images(rng, n):
    return Split(rng.standard_normal((n, 4, 4, 1), dtype=np.float32), rng.integers(3, size=n))


def test_predictions_losses_and_margins_are_those_of_the_logits():
    seen = seen_by_hand()
    assert seen.predictions.tolist() == [0, 1, 2, 2]
    assert seen.margins.tolist() == [1, -2, 4, -1]
    exps = np.exp(LOGITS.astype(np.float64))
    losses = -np.log(exps[np.arange(4), LABELS] / exps.sum(axis=1))
    assert seen.losses == pytest.approx(losses, rel=1e-5)
    assert (seen.losses.dtype, seen.margins.dtype) == (np.float32, np.float32)
    assert np.issubdtype(seen.predictions.dtype, np.integer)


def test_accuracy_and_loss_are_means_over_each_subset_and_over_all():
    seen = seen_by_hand()
    assert seen.accuracy() == {"odd": 0.0, "even": 1.0, "all": 0.5}
    a, b, c, d = seen.losses.astype(float)
    assert seen.loss() == pytest.approx(
        {"odd": (b + d) / 2, "even": (a + c) / 2, "all": (a + b + c + d) / 4}
    )


def test_a_large_set_of_small_losses_is_averaged_without_losing_them():
    n = 300_000
    losses = np.full(n, 0.1, np.float32)
    losses[0] = 1e6
    split = Split(np.zeros((n, 1), np.float32), np.zeros(n, int))
    seen = Evaluation(split.labels, losses, losses, split)
    assert seen.loss()["all"] == pytest.approx(losses.astype(float).mean(), rel=1e-12)


@settings(max_examples=20, deadline=None)
@given(n=st.integers(1, 40), batch_size=st.integers(1, 50), seed=st.integers(0, 5))
def test_the_batch_size_does_not_matter(n, batch_size, seed):
    rng = stream(seed, "test")
    model, data = network(rng), images(rng, n)
    whole, parts = evaluate(model, data), evaluate(model, data, batch_size=batch_size)
    assert np.allclose(whole.losses, parts.losses, rtol=1e-5, atol=1e-6)
    assert np.allclose(whole.margins, parts.margins, rtol=1e-4, atol=1e-5)
    assert np.array_equal(whole.predictions, parts.predictions)


def test_looking_leaves_weights_statistics_dropout_and_gradients_as_they_were():
    rng = stream(0, "test")
    model, data = network(rng), images(rng, 30)
    before = model.state_dict()
    evaluate(model, data, batch_size=7)
    after = model.state_dict()
    assert all(before[name].tobytes() == after[name].tobytes() for name in before)
    assert all(parameter.grad is None for parameter in model.parameters())


@pytest.mark.parametrize("broken", [False, True])
def test_each_module_keeps_its_own_mode_even_after_an_error(broken):
    rng = stream(0, "test")
    model, data = network(rng).train(), images(rng, 5)
    model[2].eval()  # as one does to train on with frozen statistics
    if broken:
        data = Split(data.images[:, :2], data.labels)
        with pytest.raises(ValueError, match="features"):
            evaluate(model, data)
    else:
        evaluate(model, data)
    assert [module.training for module in model.modules()] == [True] * 3 + [False] + [True] * 3


@pytest.mark.parametrize(
    ("batch_size", "error", "said"), [(0, ValueError, "least 1, got 0"), (2.5, TypeError, "2.5")]
)
def test_a_batch_size_that_is_no_positive_integer_is_refused(batch_size, error, said):
    with pytest.raises(error, match=f"evaluate: batch_size must be .*{said}"):
        evaluate(Table(), Split(LOGITS, LABELS), batch_size)


def test_what_is_no_split_is_refused():
    model = nn.Linear(3, 2)
    with pytest.raises(TypeError, match=r"evaluate: split is of type tuple; make it data.Split\("):
        evaluate(model, (np.ones((4, 3), np.float32), np.zeros(4, int)))
