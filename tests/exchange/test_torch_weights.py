"""Weights go to torch and come back: logits agree, nothing is lost, and what cannot go is told."""

import subprocess
import sys

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

import minidecay as md
from minidecay import functions as F
from minidecay import nn
from minidecay.models import mlp, small_cnn
from minidecay.random import stream


class Residual(nn.Module):
    """relu(x + norm(conv(relu(norm(conv(x)))))), with a 1x1 convolution where channels change."""

    def __init__(self, c_in, c_out, rng=None):
        self.body = nn.Sequential(
            nn.Conv2d(c_in, c_out, 3, padding=1, bias=False, rng=rng),
            nn.BatchNorm2d(c_out),
            nn.ReLU(),
            nn.Conv2d(c_out, c_out, (3, 1), padding=(1, 0), rng=rng),
            nn.BatchNorm2d(c_out),
        )
        self.shortcut = nn.Conv2d(c_in, c_out, 1, rng=rng) if c_in != c_out else None
        self.scale = nn.Parameter(np.full(1, 0.5, np.float32))

    def forward(self, x):
        kept = x if self.shortcut is None else self.shortcut(x)
        return F.relu(kept + self.scale * self.body(x))


class Heads(nn.Module):
    """Two linear layers on one flattened image, the second behind a batch norm and a dropout."""

    def __init__(self, features, rng=None):
        self.flatten = nn.Flatten()
        self.first = nn.Linear(features, 3, rng=rng)
        self.second = nn.Sequential(
            nn.BatchNorm1d(features), nn.ReLU(), nn.Dropout(0.5), nn.Linear(features, 3, rng=rng)
        )

    def forward(self, x):
        x = self.flatten(x)
        return self.first(x) + self.second(x)


def twin(module):
    """The same in torch, with the same names."""
    torch = pytest.importorskip("torch")

    class Block(torch.nn.Module):
        def forward(self, x):
            kept = x if self.shortcut is None else self.shortcut(x)
            return torch.relu(kept + self.scale * self.body(x))

    class Two(torch.nn.Module):
        def forward(self, x):
            x = self.flatten(x)
            return self.first(x) + self.second(x)

    match module:
        case nn.Linear():
            return torch.nn.Linear(*module.weight.shape, bias=module.bias is not None)
        case nn.Conv2d():
            *kernel, c_in, c_out = module.weight.shape
            options = {"stride": module.stride, "padding": module.padding}
            return torch.nn.Conv2d(c_in, c_out, kernel, bias=module.bias is not None, **options)
        case nn.BatchNorm1d() | nn.BatchNorm2d():
            return getattr(torch.nn, type(module).__name__)(module.weight.size, eps=module.eps)
        case nn.MaxPool2d():
            return torch.nn.MaxPool2d(module.size, module.stride, module.padding)
        case nn.GlobalAvgPool2d():
            return torch.nn.Sequential(torch.nn.AdaptiveAvgPool2d(1), torch.nn.Flatten())
        case nn.Flatten() | nn.ReLU():
            return getattr(torch.nn, type(module).__name__)()
        case nn.Dropout():
            return torch.nn.Dropout(module.p)
    made = {Residual: Block, Heads: Two, nn.Sequential: torch.nn.Sequential}[type(module)]()
    for name, child in module.children():
        made.add_module(name, twin(child))
    if isinstance(module, Residual):
        made.shortcut = made.shortcut if module.shortcut is not None else None
        made.scale = torch.nn.Parameter(torch.zeros(1))
    return made


def shaken(model, rng):
    """The model with all weights and statistics moved, so that none is like another."""
    state = model.state_dict()
    for name, value in state.items():
        if value.dtype == np.float32:
            noise = rng.uniform(0.5, 1.5, value.shape).astype(np.float32)
            state[name] = value * noise if value.ndim > 1 else value + noise * np.float32(0.3)
    model.load_state_dict(state)
    return model.eval()


def images_of(rng, shape, n=3):
    return rng.standard_normal((n, *shape), dtype=np.float32)


def in_torch(network, images):
    """Torch's logits for images NHWC, or features."""
    torch = pytest.importorskip("torch")
    x = torch.from_numpy(images)
    with torch.no_grad():
        return network.eval()(x.permute(0, 3, 1, 2) if x.ndim == 4 else x).numpy()


def same_logits(model, network, images):
    ours, theirs = model(md.tensor(images)).numpy(), in_torch(network, images)
    np.testing.assert_allclose(ours, theirs, rtol=1e-4, atol=1e-4 * np.abs(theirs).max())


@st.composite
def networks(draw):
    """A network of any of our kinds, and the shape of an example."""
    rng = stream(draw(st.integers(0, 99)), "network")
    channels = draw(st.integers(1, 3))
    height, width = draw(st.integers(4, 7)), draw(st.integers(4, 7))
    shape, widths = (height, width, channels), draw(st.lists(st.integers(1, 4), max_size=2))
    layers = []
    for c_out in widths:
        block = draw(st.booleans())
        layers += (
            [Residual(channels, c_out, rng)]
            if block
            else [nn.Conv2d(channels, c_out, (3, 2), padding=1, rng=rng), nn.ReLU()]
        )
        height, width = height, width + (0 if block else 1)
        channels = c_out
    if draw(st.booleans()):
        layers.append(nn.MaxPool2d(2))
        height, width = height // 2, width // 2
    features = height * width * channels
    match draw(st.sampled_from(["pool", "heads", "linear", "norm"])):
        case "pool":
            layers += [nn.GlobalAvgPool2d(), nn.Linear(channels, 3, rng=rng)]
        case "heads":
            layers.append(Heads(features, rng))
        case "linear":
            layers += [nn.Flatten(), nn.Linear(features, 5, rng=rng), nn.ReLU(),
                       nn.Dropout(0.2, rng=rng), nn.Linear(5, 3, bias=False, rng=rng)]  # fmt: skip
        case "norm":
            layers += [nn.Flatten(), nn.BatchNorm1d(features), nn.Linear(features, 3, rng=rng)]
    return shaken(nn.Sequential(*layers), rng), shape


@settings(max_examples=60)
@given(networks(), st.integers(0, 99))
def test_logits_agree_and_weights_come_back_bit_for_bit(case, seed):
    model, shape = case
    network, images = twin(model), images_of(stream(seed), shape)
    network.load_state_dict(md.to_torch(model, shape))
    same_logits(model, network, images)
    back = md.from_torch(network.state_dict(), model, shape)
    state = model.state_dict()
    assert list(back) == list(state)
    for name, value in state.items():
        assert back[name].tobytes() == value.tobytes() and back[name].shape == value.shape


@settings(max_examples=20)
@given(networks(), st.integers(0, 99))
def test_weights_of_torch_s_own_give_its_logits_here(case, seed):
    model, shape = case
    torch = pytest.importorskip("torch")
    torch.manual_seed(seed)
    network = twin(model)
    with torch.no_grad():
        for name, buffer in network.named_buffers():
            if name.endswith(("mean", "var")):
                buffer.uniform_(0.5, 1.5)
    model.load_state_dict(md.from_torch(network.state_dict(), model, shape))
    same_logits(model, network, images_of(stream(seed), shape))


@pytest.mark.parametrize("batch_norm", [False, True])
@pytest.mark.parametrize("shape", [(12,), (2, 3, 2)])
def test_an_mlp_takes_features_or_images(batch_norm, shape):
    model = shaken(mlp(12, 7, 5, batch_norm=batch_norm, rng=stream(0)), stream(1))
    network = twin(model)
    network.load_state_dict(md.to_torch(model, shape))
    same_logits(model, network, images_of(stream(2), shape))


@pytest.mark.parametrize("hidden", [None, 16])
def test_a_small_cnn_of_the_library(hidden):
    model = shaken(small_cnn(size=8, widths=(4, 6), hidden=hidden, rng=stream(0)), stream(1))
    network = twin(model)
    network.load_state_dict(md.to_torch(model, (8, 8, 3)))
    same_logits(model, network, images_of(stream(2), (8, 8, 3)))
    plain = model.state_dict()["9.weight"].T
    assert not np.array_equal(network[9].weight.detach(), plain)  # flattened features are reordered


def test_without_tensors_the_arrays_are_torch_s_and_torch_stays_away():
    code = """
import sys
import minidecay as md
model = md.models.small_cnn(size=4, widths=(2,), hidden=None)
state = md.to_torch(model, (4, 4, 3), tensors=False)
model.load_state_dict(md.from_torch(state, model, (4, 4, 3)))
assert {name: value.shape for name, value in state.items()} == {
    "0.weight": (2, 3, 3, 3), "1.weight": (2,), "1.bias": (2,), "1.running_mean": (2,),
    "1.running_var": (2,), "1.num_batches_tracked": (), "5.weight": (10, 8), "5.bias": (10,)}
assert "torch" not in sys.modules
"""
    subprocess.run([sys.executable, "-c", code], check=True)


def test_a_conversion_changes_nothing_in_the_model():
    model = small_cnn(size=4, widths=(2,), hidden=3, rng=stream(0))
    model[1].eval()
    before = model.state_dict()
    modes = [module.training for module in model.modules()]
    md.to_torch(model, (4, 4, 3), tensors=False)
    assert [module.training for module in model.modules()] == modes
    assert all("forward" not in vars(module) for module in model.modules())
    for name, value in model.state_dict().items():
        np.testing.assert_array_equal(value, before[name])
    with pytest.raises(ValueError, match="does not fit the model"):
        md.to_torch(model, (5, 4, 4), tensors=False)
    assert [module.training for module in model.modules()] == modes
    assert all("forward" not in vars(module) for module in model.modules())


def test_converted_weights_share_no_memory():
    pytest.importorskip("torch")
    model = nn.Sequential(nn.Linear(2, 2, rng=stream(0)), nn.BatchNorm1d(2))
    before = model.state_dict()
    state = md.to_torch(model)
    for value in state.values():
        value.zero_()
    network = twin(model)
    arrays = md.from_torch(network.state_dict(), model)
    for value in arrays.values():
        value[...] = 9
    assert all(value.detach().max() < 9 for value in network.state_dict().values())
    for name, value in model.state_dict().items():
        np.testing.assert_array_equal(value, before[name])


def test_halves_and_doubles_of_torch_become_the_floats_of_the_model():
    torch = pytest.importorskip("torch")
    model = nn.Linear(3, 2, rng=stream(0))
    for dtype in (torch.bfloat16, torch.float16, torch.float64):
        state = {name: value.to(dtype) for name, value in md.to_torch(model).items()}
        back = md.from_torch(state, model)
        assert back["weight"].dtype == np.float32
        expected = state["weight"].float().numpy().T
        np.testing.assert_array_equal(back["weight"], expected)


def test_parameters_that_require_a_gradient_are_taken():
    network = twin(nn.Linear(3, 2))
    model = nn.Linear(3, 2)
    model.load_state_dict(md.from_torch(dict(network.named_parameters()), model))
    same_logits(model, network, images_of(stream(0), (3,)))


class Unseen(nn.Module):
    """What is flattened passes through a function that no module shows."""

    def __init__(self):
        self.flatten, self.linear = nn.Flatten(), nn.Linear(8, 2)

    def forward(self, x):
        return self.linear(F.relu(self.flatten(x)))


CNN = nn.Sequential(nn.Conv2d(2, 2, 1), nn.Flatten(), nn.Linear(8, 2))


@pytest.mark.parametrize("convert", [md.to_torch, lambda m, s=None: md.from_torch({}, m, s)])
@pytest.mark.parametrize(
    ("arguments", "says"),
    [
        ((CNN,), r"the Flatten '1' orders images otherwise than torch's; pass input_shape"),
        ((CNN, (2, 2, 3)), r"input_shape \(2, 2, 3\) does not fit the model \(.*channels"),
        ((CNN, (3, 2, 2)), r"input_shape \(3, 2, 2\) does not fit the model \(.*features"),
        ((Unseen(), (2, 2, 2)), r"images \(2, 2, 2\) are flattened and then go into no Linear"),
        ((nn.Sequential(nn.Flatten()), (2, 2, 2)), "go into no Linear, as far as modules show"),
    ],
)
def test_what_cannot_be_known_of_flattened_images_is_told_in_a_line(convert, arguments, says):
    with pytest.raises(ValueError, match=says) as told:
        convert(*arguments)
    assert "\n" not in str(told.value)


def test_names_and_shapes_that_differ_are_all_listed():
    model = nn.Sequential(nn.Linear(3, 2), nn.BatchNorm1d(2), nn.Dropout(0.5))
    state = md.to_torch(model, tensors=False)
    del state["1.bias"], state["1.num_batches_tracked"]
    state["0.weight"] = state["0.weight"].T
    state["1.running_mean"] = np.zeros(2, np.int64)
    state["2.state"] = np.zeros(3)
    with pytest.raises(ValueError) as told:
        md.from_torch(state, model)
    assert str(told.value) == (
        "from_torch: 0.weight is (3, 2), that of the model in torch (2, 3); "
        "1.running_mean is int64, that of the model float32; "
        "missing 1.bias (2,); unknown 2.state (3,)"
    )


def test_without_torch_the_arrays_are_what_is_proposed(monkeypatch):
    monkeypatch.setitem(sys.modules, "torch", None)
    with pytest.raises(ImportError, match=r"to_torch: torch cannot be imported .*tensors=False"):
        md.to_torch(nn.Linear(2, 2))


def test_a_decoders_weights_go_to_torch_and_come_back():
    torch = pytest.importorskip("torch")
    ours = nn.Sequential(nn.ConvTranspose2d(3, 4, (4, 2), stride=2), nn.ReLU(), nn.Conv2d(4, 2, 3))
    theirs = torch.nn.Sequential(
        torch.nn.ConvTranspose2d(3, 4, (4, 2), stride=2), torch.nn.ReLU(), torch.nn.Conv2d(4, 2, 3)
    )
    theirs.load_state_dict(md.to_torch(ours))
    x = np.random.default_rng(0).standard_normal((2, 5, 6, 3)).astype(np.float32)
    y = theirs(torch.tensor(x.transpose(0, 3, 1, 2))).detach().numpy().transpose(0, 2, 3, 1)
    np.testing.assert_allclose(ours(md.tensor(x)).numpy(), y, rtol=1e-4, atol=1e-5)
    back = md.from_torch(theirs.state_dict(), ours)
    np.testing.assert_equal(back, ours.state_dict())
