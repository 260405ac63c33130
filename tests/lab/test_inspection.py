"""What is asked of a network beside its accuracy."""

import numpy as np
import pytest

from minidecay import models
from minidecay.data import PatternSet, batches
from minidecay.lab.machinery.inspection import averaged, silent_units
from minidecay.optim import SGD, update_bn
from minidecay.random import stream
from minidecay.training import evaluate
from minidecay.training.stepping import Step

DATA = PatternSet(400, 100, size=4)


@pytest.fixture
def network():
    return models.mlp(48, 8, 8, 10, batch_norm=True, rng=np.random.default_rng(0))


def test_the_average_is_the_exponential_mean_of_the_weights_of_every_step(network):
    found = averaged(network, DATA, 0.3, 40, stream(0, "a"), epochs=2, steps=5)
    rng, step = stream(0, "a"), Step(network, SGD(network.parameters(), 0.3, 0.9, 3e-3))
    mean = None
    for _ in range(2):
        network.train()
        for images, labels in batches(DATA.train, 40, rng):
            step(images, labels)
            now = network.state_dict()
            mean = now if mean is None else {k: 0.8 * mean[k] + 0.2 * now[k] for k in now}
    network.load_state_dict({name: np.float32(value) for name, value in mean.items()})
    update_bn(batches(DATA.train, 40, rng), network)
    train, test = evaluate(network, DATA.train), evaluate(network, DATA.test)
    assert found["train_loss"] == pytest.approx(train.loss(), rel=1e-4)
    assert found["train"] == pytest.approx(train.accuracy(), abs=0.01)
    assert found["test"] == pytest.approx(test.accuracy(), abs=0.02)


def test_units_that_never_answer_are_silent(network):
    assert silent_units(network, DATA.train) == 0
    state = network.state_dict()
    *_, last = (name for name, value in state.items() if name.endswith("bias") and len(value) == 8)
    state[last][:3] = -1e3  # batch norm's shift, before the second ReLU
    network.load_state_dict(state)
    assert silent_units(network, DATA.train) == pytest.approx(3 / 16)


def test_the_network_stays_as_it_is(network):
    before = network.state_dict()
    averaged(network, DATA, 0.3, 40, stream(0, "a"))
    silent_units(network, DATA.train)
    after = network.state_dict()
    assert all(np.array_equal(before[name], after[name]) for name in before)
    assert all(module.training for module in network.modules())
    assert all(p.grad is None for p in network.parameters())
