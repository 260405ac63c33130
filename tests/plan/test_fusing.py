"""What a plan joins, and what it leaves alone."""

import numpy as np
import pytest

import minidecay as md
from minidecay.recording import Call


def names(captured):
    ((plan,),) = captured.plans.values()
    return [call.name for call in plan.calls if isinstance(call, Call)]


def trained(model, shape):
    """The plan of a step of `model`, which the tests of capture hold to the eager step."""
    optimizer = md.optim.SGD(model.parameters(), lr=0.1)

    @md.capture
    def step(x, labels):
        optimizer.zero_grad()
        loss = md.cross_entropy(model(md.from_numpy(x)), labels)
        loss.backward()
        optimizer.step()
        return loss

    step(np.ones((3, *shape), np.float32), np.array([0, 1, 2]))
    return names(step)


def test_batch_norm_takes_the_relu_with_it_and_its_gradient():
    called = trained(md.models.mlp(4, 5, 6, 3, batch_norm=True), (4,))
    assert called.count("batch_norm") == called.count("batch_norm_grad") == 2
    assert not {"relu", "relu_grad"} & set(called)


def test_a_product_takes_the_relu_with_it():
    called = trained(md.models.mlp(4, 5, 6, 3), (4,))
    assert called.count("relu_grad") == 2 and "relu" not in called


@pytest.mark.parametrize("batch_norm", [False, True])
def test_what_someone_else_reads_is_not_joined(batch_norm):
    class Forked(md.nn.Module):
        def __init__(self):
            self.first = md.nn.Linear(4, 3)
            self.norm = md.nn.BatchNorm1d(3) if batch_norm else md.nn.Sequential()

        def forward(self, x):
            h = self.norm(self.first(x))
            return md.relu(h) + h

    assert {"relu", "relu_grad"} <= set(trained(Forked(), (4,)))


def test_a_result_that_the_caller_gets_is_not_joined():
    w = md.tensor(np.array([[1.0, -1.0]], np.float32), requires_grad=True)

    @md.capture
    def step(x):
        y = md.from_numpy(x) @ w
        return y, md.relu(y)

    for sign in (1, -1, 2):
        y, z = step(np.full((1, 1), sign, np.float32))
        assert y.numpy().tolist() == [[sign, -sign]]
        assert z.numpy().tolist() == [[max(sign, 0), max(-sign, 0)]]
    assert {"matmul", "relu"} <= set(names(step))
