"""A step that is replayed trains as one that is not, and no module's own decisions are frozen."""

import numpy as np
import pytest

from minidecay import nn
from minidecay.data import Split
from minidecay.models import mlp, small_cnn
from minidecay.optim import SGD, Adam, Steps
from minidecay.random import stream
from minidecay.training import RunFolder, fit

IMAGES = np.random.default_rng(0).standard_normal((40, 4, 4, 3), dtype=np.float32)
TRAIN = Split(IMAGES, np.arange(40) % 3)


def networks():
    yield mlp(48, 6, 5, 3, batch_norm=True, rng=stream(0, "init"))
    yield small_cnn(size=4, widths=(2, 3), hidden=4, classes=3, rng=stream(0, "init"))


def trained(network, optimizer, **options):
    """The records, but for the clock's, and the weights."""
    records = [
        {k: v for k, v in record.items() if k not in ("seconds", "examples_per_second")}
        for record in fit(
            network, optimizer, TRAIN, batch_size=8, rng=stream(0, "batches"), **options
        )
    ]
    return records, network.state_dict()


@pytest.mark.parametrize("which", [0, 1])
@pytest.mark.parametrize("make", [SGD, Adam])
def test_a_replayed_training_is_the_eager_one_bit_for_bit(which, make):
    outcomes = []
    for captured in (False, True, None):
        network = list(networks())[which]
        optimizer = make(network.parameters(), Steps(0.01, (1, 2)), weight_decay=1e-3)
        outcomes.append(trained(network, optimizer, epochs=3, captured=captured))
    np.testing.assert_equal(outcomes[1], outcomes[0])
    np.testing.assert_equal(outcomes[2], outcomes[0])


def test_a_replayed_training_that_was_cut_goes_on_bit_for_bit(tmp_path):
    def run(folder, *ends):
        for epochs in ends:
            network = next(networks())
            optimizer = SGD(network.parameters(), Steps(0.1, (2,)), momentum=0.9)
            with RunFolder(folder, {}, resume=True) as open_run:
                outcome = trained(network, optimizer, epochs=epochs, captured=True, run=open_run)
        return outcome

    np.testing.assert_equal(run(tmp_path / "cut", 2, 4), run(tmp_path / "whole", 4))


class Counting(nn.Module):
    """Decides something in Python, every time."""

    def __init__(self):
        self.inner = mlp(48, 3, rng=stream(0, "init"))
        self.calls = 0

    def forward(self, x):
        self.calls += self.training
        return self.inner(x)


@pytest.mark.parametrize(("captured", "calls"), [(None, 10), (False, 10), (True, 1)])
def test_what_a_module_of_ones_own_decides_is_decided_at_every_step(captured, calls):
    network = Counting()
    trained(network, SGD(network.parameters(), 0.1), epochs=2, captured=captured)
    assert network.calls == calls


def test_a_replayed_training_with_weights_is_the_eager_one_bit_for_bit():
    outcomes = []
    for captured in (False, True):
        network = next(networks())
        optimizer = SGD(network.parameters(), 0.1, momentum=0.9)
        weights = np.linspace(0, 2, len(TRAIN))
        outcomes.append(trained(network, optimizer, epochs=3, captured=captured, weights=weights))
    np.testing.assert_equal(outcomes[1], outcomes[0])
