"""Activations and normalisation of features, as layers, beside torch's."""

import numpy as np
import pytest

import minidecay as md
from minidecay import nn

LAYERS = {
    "Identity": (lambda: nn.Identity(), lambda t: t.Identity()),
    "ReLU": (lambda: nn.ReLU(), lambda t: t.ReLU()),
    "LeakyReLU": (lambda: nn.LeakyReLU(0.2), lambda t: t.LeakyReLU(0.2)),
    "GELU": (lambda: nn.GELU(), lambda t: t.GELU()),
    "GELU, tanh": (lambda: nn.GELU("tanh"), lambda t: t.GELU("tanh")),
    "ELU": (lambda: nn.ELU(1.5), lambda t: t.ELU(1.5)),
    "SELU": (lambda: nn.SELU(), lambda t: t.SELU()),
    "SiLU": (lambda: nn.SiLU(), lambda t: t.SiLU()),
    "Softplus": (lambda: nn.Softplus(), lambda t: t.Softplus()),
    "Sigmoid": (lambda: nn.Sigmoid(), lambda t: t.Sigmoid()),
    "Tanh": (lambda: nn.Tanh(), lambda t: t.Tanh()),
    "Softmax": (lambda: nn.Softmax(1), lambda t: t.Softmax(1)),
    "LogSoftmax": (lambda: nn.LogSoftmax(), lambda t: t.LogSoftmax(-1)),
    "LayerNorm": (lambda: nn.LayerNorm(5), lambda t: t.LayerNorm(5)),
    "LayerNorm, two axes": (lambda: nn.LayerNorm((3, 5), 0.1), lambda t: t.LayerNorm((3, 5), 0.1)),
}


@pytest.mark.parametrize("name", LAYERS)
def test_a_layer_and_its_gradient_are_torchs(name, device):
    torch = pytest.importorskip("torch")
    ours, theirs = LAYERS[name]
    rng = np.random.default_rng(0)
    array, gy = rng.standard_normal((2, 4, 3, 5)).astype(np.float32)
    x = md.tensor(array, requires_grad=True, device=device)
    x_torch = torch.tensor(array, requires_grad=True)
    layer = ours().to(device)
    y, y_torch = layer(x), theirs(torch.nn)(x_torch)
    np.testing.assert_allclose(y.numpy(), y_torch.detach().numpy(), rtol=1e-5, atol=1e-6)
    if name != "Identity":
        assert type(layer).__name__ == type(theirs(torch.nn)).__name__
    y.backward(gy)
    y_torch.backward(torch.tensor(gy))
    np.testing.assert_allclose(x.grad.numpy(), x_torch.grad.numpy(), rtol=1e-4, atol=1e-5)


def test_a_layer_norm_has_a_weight_and_a_bias_that_are_trained():
    layer = nn.LayerNorm((3, 5))
    shapes = {name: p.shape for name, p in layer.named_parameters()}
    assert shapes == {"weight": (3, 5), "bias": (3, 5)}
    gy = np.random.default_rng(0).standard_normal((2, 3, 5)).astype(np.float32)
    layer(md.tensor(gy)).backward(gy)
    np.testing.assert_allclose(layer.bias.grad.numpy(), gy.sum(0), rtol=1e-5)
    assert layer.weight.grad.shape == (3, 5)


def test_layers_print_their_settings():
    assert repr(nn.LeakyReLU(0.2)) == "LeakyReLU(negative_slope=0.2)"
    assert repr(nn.GELU()) == "GELU(approximate='none')"
    assert repr(nn.Softmax(1)) == "Softmax(axis=1)"
    assert repr(nn.LogSoftmax()) == "LogSoftmax(axis=-1)"
    assert repr(nn.LayerNorm((3, 5))) == "LayerNorm((3, 5), eps=1e-05)"
    assert repr(nn.Embedding(10, 3)) == "Embedding(10, 3)"


@pytest.mark.parametrize(
    ("make", "message"),
    [
        (lambda: nn.LeakyReLU("0.1"), "leaky_relu: negative_slope='0.1' must be a number"),
        (lambda: nn.GELU("erf"), "gelu: approximate='erf' must be"),
        (lambda: nn.LayerNorm(0), "LayerNorm: normalized_shape=0 must be a positive integer"),
        (lambda: nn.LayerNorm(()), r"LayerNorm: normalized_shape=\(\) must hold"),
        (lambda: nn.LayerNorm(3, eps=0), "LayerNorm: eps=0 must be a number above 0"),
        (lambda: nn.Embedding(0, 3), "Embedding: num_embeddings=0 must be a positive integer"),
        (lambda: nn.Embedding(3, 1.5), "Embedding: embedding_dim=1.5 must be a positive integer"),
    ],
)
def test_settings_that_cannot_be_are_refused_where_the_layer_is_made(make, message):
    with pytest.raises(ValueError, match=message):
        make()


def test_an_embedding_learns_the_rows_it_is_asked_for(device):
    layer = nn.Embedding(5, 2, rng=np.random.default_rng(0)).to(device)
    before = layer.weight.numpy().copy()
    optimizer = md.optim.SGD(layer.parameters(), 1.0)
    layer(np.array([[1, 3], [1, 1]])).sum().backward()
    optimizer.step()
    moved = before - layer.weight.numpy()
    np.testing.assert_allclose(moved, [[0, 0], [3, 3], [0, 0], [1, 1], [0, 0]], rtol=1e-6)


def test_an_embedding_begins_normal():
    weight = nn.Embedding(300, 100, rng=np.random.default_rng(0)).weight.numpy()
    assert abs(weight.mean()) < 0.03 and abs(weight.std() - 1) < 0.02
