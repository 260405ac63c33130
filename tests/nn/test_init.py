import math

import numpy as np
import pytest

import minidecay as md
from minidecay import nn
from minidecay.nn import init
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
    weight = kaiming_normal((400, 400), stream(), gain=20).astype(np.float64).ravel()
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
    assert kaiming_normal((2, 3), stream()).dtype == np.float32
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


DRAWN = {
    "kaiming_normal": lambda fan_in, fan_out: math.sqrt(2 / fan_in),
    "kaiming_uniform": lambda fan_in, fan_out: math.sqrt(2 / fan_in),
    "xavier_normal": lambda fan_in, fan_out: math.sqrt(2 / (fan_in + fan_out)),
    "xavier_uniform": lambda fan_in, fan_out: math.sqrt(2 / (fan_in + fan_out)),
}


@pytest.mark.parametrize("name", DRAWN)
@pytest.mark.parametrize(
    ("shape", "fan_in", "fan_out"), [((300, 200), 300, 200), ((3, 5, 20, 150), 300, 2250)]
)
def test_each_way_of_drawing_has_its_deviation(name, shape, fan_in, fan_out):
    assert init.fans(shape) == (fan_in, fan_out)
    weight = getattr(init, name)(shape, stream()).astype(np.float64).ravel()
    deviation = DRAWN[name](fan_in, fan_out)
    assert abs(weight.mean()) < 5 * deviation / math.sqrt(weight.size)
    assert abs(weight.std() / deviation - 1) < 5 / math.sqrt(2 * weight.size)
    if name.endswith("uniform"):
        bound = math.sqrt(3) * deviation
        assert 0.99 * bound < abs(weight).max() <= bound * (1 + 1e-6)


def test_the_fan_out_keeps_the_scale_of_gradients_through_many_relus():
    rng, g = stream(1), md.tensor(stream().standard_normal((64, 512)).astype(np.float32))
    before = np.square(g.numpy()).mean()
    for _ in range(10):
        weight = init.kaiming_normal((256, 512), rng, mode="fan_out")
        back = init.kaiming_normal((512, 256), rng, mode="fan_out")
        g = g @ weight.T * (rng.random((64, 256)) < 0.5).astype(np.float32)
        g = g @ back.T * (rng.random((64, 512)) < 0.5).astype(np.float32)
    assert 0.3 < np.square(g.numpy()).mean() / before < 3


@pytest.mark.parametrize("shape", [(5, 3), (3, 5), (4, 4), (3, 3, 2, 7), (1, 1, 8, 3)])
def test_orthogonal_weights_are_an_isometry(shape):
    w = init.orthogonal(shape, stream(), gain=2.0).astype(np.float64)
    w = w.reshape(-1, shape[-1])
    narrow = w if w.shape[0] >= w.shape[1] else w.T
    np.testing.assert_allclose(narrow.T @ narrow, 4 * np.eye(narrow.shape[1]), atol=1e-5)


def test_orthogonal_weights_favour_no_direction():
    rng = stream()
    mean = np.mean([init.orthogonal((3, 3), rng) for _ in range(2000)], axis=0)
    assert abs(mean).max() < 5 * math.sqrt(1 / 3 / 2000)  # each entry has variance 1/3


@pytest.mark.parametrize("name", [*DRAWN, "orthogonal"])
def test_each_way_of_drawing_is_repeated_by_its_generator_and_refuses_what_is_none(name):
    draw = getattr(init, name)
    assert draw((4, 3), stream(1)).dtype == np.float32
    np.testing.assert_array_equal(draw((4, 3), stream(1)), draw((4, 3), stream(1)))
    assert not np.array_equal(draw((4, 3)), draw((4, 3)))
    with pytest.raises(TypeError, match="rng=0 is no generator"):
        draw((4, 3), 0)
    for shape in ((3,), (), (0, 4)):
        with pytest.raises(ValueError, match=r"init: shape \(.*\) has no inputs and outputs"):
            draw(shape, stream())


def test_a_fan_that_is_none_is_refused():
    with pytest.raises(ValueError, match="mode='fan' must be 'fan_in' or 'fan_out'"):
        kaiming_normal((2, 2), stream(), mode="fan")
