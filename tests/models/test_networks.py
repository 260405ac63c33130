import numpy as np
import pytest

import minidecay as md
from minidecay import nn
from minidecay.models import mlp, small_cnn
from minidecay.random import stream


@pytest.fixture(scope="module")
def torch():
    return pytest.importorskip("torch")


def rng(seed=0):
    return stream(seed, "init")


def batch(*shape, classes=10, seed=0):
    data = stream(seed, "data")
    return data.standard_normal(shape), data.integers(0, classes, shape[0])


def count(model):
    return sum(p.size for p in model.parameters())


def kinds(model):
    return [type(layer).__name__ for layer in model]


# The parts


@pytest.mark.parametrize(
    ("widths", "batch_norm", "parameters"),
    [
        ((4, 3), False, 4 * 3 + 3),
        ((4, 8, 3), False, 4 * 8 + 8 + 8 * 3 + 3),
        ((4, 8, 3), True, 4 * 8 + 8 + 2 * 8 + 8 * 3 + 3),
        ((192, 256, 256, 10), True, 192 * 256 + 256 * 256 + 256 * 10 + 6 * 256 + 10),
    ],
)
def test_an_mlp_has_the_parameters_of_its_widths(widths, batch_norm, parameters):
    assert count(mlp(*widths, batch_norm=batch_norm)) == parameters


def test_an_mlp_normalises_before_each_relu_and_ends_in_logits():
    hidden = ["Linear", "BatchNorm1d", "ReLU"]
    assert kinds(mlp(4, 8, 8, 3, batch_norm=True)) == ["Flatten", *hidden, *hidden, "Linear"]
    assert kinds(mlp(4, 8, 3)) == ["Flatten", "Linear", "ReLU", "Linear"]
    assert kinds(mlp(4, 3)) == ["Flatten", "Linear"]


@pytest.mark.parametrize(
    ("settings", "parameters"),
    [
        ({}, 27 * 16 + 2 * 16 + 144 * 32 + 2 * 32 + 128 * 128 + 2 * 128 + 128 * 10 + 10),
        ({"hidden": None}, 27 * 16 + 2 * 16 + 144 * 32 + 2 * 32 + 2 * 2 * 32 * 10 + 10),
        (
            {"channels": 1, "size": 9, "widths": (5,), "hidden": 7, "classes": 3},
            9 * 5 + 2 * 5 + 4 * 4 * 5 * 7 + 2 * 7 + 7 * 3 + 3,
        ),
        ({"size": 2, "widths": (), "hidden": None}, 2 * 2 * 3 * 10 + 10),
    ],
)
def test_a_small_cnn_has_the_parameters_of_its_sizes(settings, parameters):
    assert count(small_cnn(**settings)) == parameters


def test_a_small_cnn_is_convolutions_then_linear_layers():
    block, end = ["Conv2d", "BatchNorm2d", "ReLU", "MaxPool2d"], ["Flatten", "Linear"]
    assert kinds(small_cnn(hidden=None)) == [*block, *block, *end]
    assert kinds(small_cnn()) == [*block, *block, *end, "BatchNorm1d", "ReLU", "Linear"]


# What they answer


@pytest.mark.parametrize("shape", [(5, 12), (5, 2, 2, 3), (1, 3, 4)])
def test_an_mlp_takes_inputs_of_any_shape(device, shape):
    x = md.tensor(np.ones(shape, np.float32), device=device)
    assert mlp(12, 8, 4).to(device)(x).shape == (shape[0], 4)


@pytest.mark.parametrize(
    ("channels", "size", "widths", "hidden", "classes"),
    [
        (3, 8, (16, 32), 128, 10),
        (1, 28, (4, 4, 4), None, 10),
        (2, 5, (3, 6), 4, 3),
        (3, 1, (), 2, 2),
    ],
)
def test_a_small_cnn_gives_logits_for_images_of_its_size(
    device, channels, size, widths, hidden, classes
):
    model = small_cnn(channels, size, widths, hidden, classes).to(device)
    x = md.tensor(np.ones((2, size, size, channels), np.float32), device=device)
    assert model(x).shape == (2, classes)
    assert model.eval()(x).shape == (2, classes)


@pytest.mark.parametrize(
    "make",
    [lambda rng: mlp(12, 8, 4, batch_norm=True, rng=rng), lambda rng: small_cnn(rng=rng)],
    ids=["mlp", "small_cnn"],
)
def test_a_seed_gives_the_same_network_each_time(make):
    def bits(model):
        return {name: value.tobytes() for name, value in model.state_dict().items()}

    assert bits(make(rng(1))) == bits(make(rng(1)))
    assert bits(make(rng(1))) != bits(make(rng(2)))
    assert bits(make(None)) != bits(make(None))


def test_no_two_layers_begin_alike():
    model = mlp(16, 16, 16, 16, rng=rng())
    weights = [p.numpy() for p in model.parameters() if p.ndim == 2]
    assert len(weights) == 3
    assert len(np.unique(np.stack(weights))) > 0.99 * 3 * 16 * 16


def test_images_of_another_size_are_refused():
    x = md.tensor(np.ones((2, 9, 9, 3), np.float32))
    with pytest.raises(ValueError, match=r"linear: x .* has 243 features, w .* expects 192"):
        mlp(192, 4)(x)
    with pytest.raises(ValueError, match=r"has 512 features, w \(128, 128\) expects 128"):
        small_cnn(size=8)(md.tensor(np.ones((2, 16, 16, 3), np.float32)))


# A training step, against torch


def in_float64(model):
    """The model with its parameters and buffers in float64, away from their first values."""
    data = stream(5, "values")
    for module in model.modules():
        for name, value in list(vars(module).items()):
            if isinstance(value, md.Tensor):
                array = value.numpy() + 0.1 * data.standard_normal(value.shape)
                array = np.abs(array) if name == "running_var" else array
                is_parameter = isinstance(value, nn.Parameter)
                setattr(module, name, nn.Parameter(array) if is_parameter else md.tensor(array))
    return model


def to_torchs(name, array, size):
    """Our weights in torch's layout; of the first linear layer after the images, too."""
    if array.ndim == 4:
        return array.transpose(3, 2, 0, 1)
    if array.ndim == 2 and size is not None:  # its inputs come as (height, width, channels)
        inputs, outputs = array.shape
        images = array.reshape(size, size, inputs // size**2, outputs)
        return images.transpose(3, 2, 0, 1).reshape(outputs, inputs)
    return array.T


def torch_mlp(torch):
    return torch.nn.Sequential(
        torch.nn.Flatten(),
        torch.nn.Linear(12, 8),
        torch.nn.BatchNorm1d(8),
        torch.nn.ReLU(),
        torch.nn.Linear(8, 6),
        torch.nn.BatchNorm1d(6),
        torch.nn.ReLU(),
        torch.nn.Linear(6, 10),
    )


def torch_cnn(torch):
    return torch.nn.Sequential(
        torch.nn.Conv2d(3, 4, 3, padding=1, bias=False),
        torch.nn.BatchNorm2d(4),
        torch.nn.ReLU(),
        torch.nn.MaxPool2d(2),
        torch.nn.Conv2d(4, 5, 3, padding=1, bias=False),
        torch.nn.BatchNorm2d(5),
        torch.nn.ReLU(),
        torch.nn.MaxPool2d(2),
        torch.nn.Flatten(),
        torch.nn.Linear(20, 7, bias=False),
        torch.nn.BatchNorm1d(7),
        torch.nn.ReLU(),
        torch.nn.Linear(7, 10),
    )


NETWORKS = {
    "mlp": (lambda: mlp(12, 8, 6, 10, batch_norm=True, rng=rng()), torch_mlp, (16, 12), None),
    "cnn": (lambda: small_cnn(3, 8, (4, 5), 7, rng=rng()), torch_cnn, (16, 8, 8, 3), "9.weight"),
}


@pytest.mark.parametrize("name", NETWORKS)
def test_three_training_steps_are_torchs(torch, name):
    make, make_twin, shape, first_linear = NETWORKS[name]
    model, twin = in_float64(make()), make_twin(torch).double()

    def converted(name, array):
        return to_torchs(name, array, 2 if name == first_linear else None)

    state = {key: converted(key, value) for key, value in model.state_dict().items()}
    loaded = twin.load_state_dict(
        {key: torch.tensor(value.copy()) for key, value in state.items()}, strict=False
    )
    assert not loaded.unexpected_keys
    assert all(key.endswith("num_batches_tracked") for key in loaded.missing_keys)

    settings = {"momentum": 0.9, "weight_decay": 0.01}
    optimizer = md.optim.SGD(model.parameters(), 0.1, **settings)
    other = torch.optim.SGD(twin.parameters(), 0.1, **settings)
    for step in range(3):
        images, labels = batch(*shape, seed=step)
        theirs = torch.tensor(images if images.ndim == 2 else images.transpose(0, 3, 1, 2).copy())
        optimizer.zero_grad()
        other.zero_grad()
        loss = md.cross_entropy(model(md.tensor(images)), labels)
        their_loss = torch.nn.functional.cross_entropy(twin(theirs), torch.tensor(labels))
        loss.backward()
        their_loss.backward()
        assert loss.item() == pytest.approx(their_loss.item(), rel=1e-9)
        for (key, p), q in zip(model.named_parameters(), twin.parameters(), strict=True):
            gradient = converted(key, p.grad.numpy())
            np.testing.assert_allclose(gradient, q.grad.numpy(), rtol=1e-7, atol=1e-10)
        optimizer.step()
        other.step()
    their_state = twin.state_dict()
    for key, value in model.state_dict().items():
        np.testing.assert_allclose(
            converted(key, value), their_state[key].numpy(), rtol=1e-7, atol=1e-10
        )


# What they refuse


@pytest.mark.parametrize(
    ("make", "message"),
    [
        (lambda: mlp(), r"mlp: widths \(\) must name inputs and outputs"),
        (lambda: mlp(4), r"mlp: widths \(4,\) must name inputs and outputs"),
        (lambda: mlp((4, 8, 3)), r"mlp: widths \(\(4, 8, 3\),\) must name inputs and outputs"),
        (lambda: mlp(4, 0, 3), "mlp: width=0 must be a positive integer"),
        (lambda: mlp(4, 8.0, 3), "mlp: width=8.0 must be a positive integer"),
        (lambda: small_cnn(size=3), "small_cnn: size=3 cannot be halved 2 times; drop widths"),
        (lambda: small_cnn(size=0), "small_cnn: size=0 must be a positive integer"),
        (lambda: small_cnn(size=8.0), "small_cnn: size=8.0 must be a positive integer"),
        (lambda: small_cnn(channels=0), "small_cnn: channels=0 must be a positive integer"),
        (lambda: small_cnn(widths=(16, -1)), "small_cnn: width=-1 must be a positive integer"),
        (lambda: small_cnn(hidden=0), "small_cnn: hidden=0 must be a positive integer"),
        (lambda: small_cnn(classes=0), "small_cnn: classes=0 must be a positive integer"),
    ],
)
def test_sizes_that_cannot_be_are_refused_by_name(make, message):
    with pytest.raises(ValueError, match=message):
        make()
