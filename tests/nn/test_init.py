import math

import numpy as np
import pytest

import minidecay as md
from minidecay import nn
from minidecay.nn.init import generator, kaiming_normal


def stream(seed=0):
    return np.random.default_rng(seed)


@pytest.mark.parametrize(
    ("make", "fan_in"),
    [
        (lambda rng: nn.Linear(400, 300, rng=rng), 400),
        (lambda rng: nn.Conv2d(16, 500, (3, 5), rng=rng), 3 * 5 * 16),
    ],
)
@pytest.mark.parametrize("seed", range(3))
def test_weights_have_mean_0_and_variance_2_over_the_inputs(make, fan_in, seed):
    weight = make(stream(seed)).weight.numpy().astype(np.float64).ravel()
    deviation = math.sqrt(2 / fan_in)
    assert abs(weight.mean()) < 5 * deviation / math.sqrt(weight.size)
    assert abs(weight.std() / deviation - 1) < 5 / math.sqrt(2 * weight.size)


def test_weights_are_normal():
    weight = kaiming_normal((400, 400), 2, stream()).astype(np.float64).ravel()
    for within, share in ((1, 0.6827), (2, 0.9545), (3, 0.9973)):
        five_sigma = 5 * math.sqrt(share * (1 - share) / weight.size)
        assert abs((abs(weight) < within).mean() - share) < five_sigma


def test_the_scale_survives_many_relus():
    x = stream().standard_normal((64, 512)).astype(np.float32)
    rng = stream(1)
    y = md.tensor(x)
    for _ in range(10):
        y = md.relu(nn.Linear(512, 512, rng=rng)(y))
    assert 0.5 < np.square(y.numpy()).mean() / np.square(x).mean() < 2


def test_weights_are_float32():
    assert kaiming_normal((2, 3), 2, stream()).dtype == np.float32
    assert nn.Linear(2, 3, rng=stream()).weight.dtype == np.float32


@pytest.mark.parametrize(
    "make",
    [lambda rng: nn.Linear(5, 4, rng=rng), lambda rng: nn.Conv2d(2, 3, 3, rng=rng)],
)
def test_the_same_generator_gives_the_same_weights(make):
    first, second = make(stream(3)).weight.numpy(), make(stream(3)).weight.numpy()
    np.testing.assert_array_equal(first, second)
    assert not np.array_equal(first, make(stream(4)).weight.numpy())


def test_layers_that_share_a_generator_have_weights_of_their_own():
    rng = stream()
    first, second = nn.Linear(5, 4, rng=rng), nn.Linear(5, 4, rng=rng)
    assert not np.intersect1d(first.weight.numpy(), second.weight.numpy()).size


def test_without_a_generator_weights_are_new_each_time():
    assert not np.array_equal(nn.Linear(5, 4).weight.numpy(), nn.Linear(5, 4).weight.numpy())


def test_a_generator_is_used_as_it_is():
    rng = stream()
    assert generator(rng) is rng
    assert isinstance(generator(None), np.random.Generator)


@pytest.mark.parametrize("rng", [0, 1.5, "seed", np.random.RandomState(0), np.random.default_rng])
@pytest.mark.parametrize(
    "make",
    [
        lambda rng: nn.Linear(2, 2, rng=rng),
        lambda rng: nn.Conv2d(2, 2, 3, rng=rng),
        lambda rng: nn.Dropout(rng=rng),
        lambda rng: md.models.mlp(2, 2, rng=rng),
        lambda rng: md.models.small_cnn(rng=rng),
    ],
    ids=["Linear", "Conv2d", "Dropout", "mlp", "small_cnn"],
)
def test_a_seed_in_place_of_a_generator_is_refused(make, rng):
    with pytest.raises(TypeError, match=r"no generator; pass minidecay.random.stream\(seed, "):
        make(rng)


@pytest.mark.parametrize("fan_in", [0, -1, math.nan])
def test_a_fan_in_that_is_not_positive_is_refused(fan_in):
    with pytest.raises(ValueError, match=r"kaiming_normal: fan_in=.* must be positive"):
        kaiming_normal((2, 2), fan_in, stream())
