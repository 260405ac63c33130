"""Wide residual networks: their sizes, and every logit and gradient beside a twin in torch."""

import numpy as np
import pytest

import minidecay as md
from minidecay.models import wide_resnet
from minidecay.random import stream


def rng(seed=0):
    return stream(seed, "init")


def count(model):
    return sum(p.size for p in model.parameters())


def by_formula(depth, width, classes=10, channels=3):
    """The parameters of WRN-depth-width, convolution by convolution."""
    blocks, inputs = (depth - 4) // 6, 16
    total = 9 * channels * 16
    for outputs in (16 * width, 32 * width, 64 * width):
        shortcut = inputs * outputs if inputs != outputs else 0
        total += 2 * inputs + 9 * inputs * outputs + 2 * outputs + 9 * outputs**2 + shortcut
        total += (blocks - 1) * (4 * outputs + 18 * outputs**2)
        inputs = outputs
    return total + 2 * inputs + inputs * classes + classes


@pytest.mark.parametrize(
    ("depth", "width", "parameters"),
    [
        (28, 10, 36_479_194),  # 36.5 M in the paper's table 4
        (16, 4, 2_748_890),
        (10, 2, 303_706),
        (40, 1, 563_930),  # 0.6 M there
    ],
)
def test_a_wide_resnet_has_as_many_parameters_as_the_papers(depth, width, parameters):
    assert count(wide_resnet(depth, width)) == by_formula(depth, width) == parameters


def test_classes_and_channels_are_counted_too():
    model = wide_resnet(16, 2, classes=7, channels=1)
    assert count(model) == by_formula(16, 2, classes=7, channels=1)


def test_no_weight_begins_at_zero_and_every_bias_does():
    for name, p in wide_resnet(10, 2, rng=rng()).named_parameters():
        kind = name.rpartition(".")[2]
        values = p.numpy()
        if kind == "bias":
            assert not values.any(), name
        elif "bn" in name:
            assert (values == 1).all(), name
        else:
            fan_in = np.prod(values.shape[:-1])
            assert abs(values.std() * np.sqrt(fan_in / 2) - 1) < 0.2, name


def torch_twin(torch, depth, width, classes, channels):
    """The same network in torch's layers, with names of our own paths."""
    nn = torch.nn

    class Block(nn.Module):
        def __init__(self, inputs, outputs, stride):
            super().__init__()
            self.bn1, self.bn2 = nn.BatchNorm2d(inputs), nn.BatchNorm2d(outputs)
            self.conv1 = nn.Conv2d(inputs, outputs, 3, stride, 1, bias=False)
            self.conv2 = nn.Conv2d(outputs, outputs, 3, 1, 1, bias=False)
            if inputs != outputs:
                self.shortcut = nn.Conv2d(inputs, outputs, 1, stride, bias=False)

        def forward(self, x):
            active = self.bn1(x).relu()
            y = self.conv2(self.bn2(self.conv1(active)).relu())
            return y + (self.shortcut(active) if hasattr(self, "shortcut") else x)

    class Network(nn.Module):
        def __init__(self):
            super().__init__()
            self.conv = nn.Conv2d(channels, 16, 3, 1, 1, bias=False)
            widths = [16, 16 * width, 32 * width, 64 * width]
            for i, stride in enumerate((1, 2, 2)):
                blocks = [Block(widths[i], widths[i + 1], stride)]
                blocks += [
                    Block(widths[i + 1], widths[i + 1], 1) for _ in range((depth - 4) // 6 - 1)
                ]
                setattr(self, f"group{i + 1}", nn.Sequential(*blocks))
            self.bn, self.linear = nn.BatchNorm2d(widths[-1]), nn.Linear(widths[-1], classes)

        def forward(self, x):
            x = self.group3(self.group2(self.group1(self.conv(x))))
            return self.linear(self.bn(x).relu().mean((2, 3)))

    return Network().double()


def test_its_weights_go_to_torch_and_come_back_by_name():
    torch = pytest.importorskip("torch")
    model = wide_resnet(10, 2, classes=5, rng=rng())
    model.train()(md.tensor(stream(1, "data").standard_normal((8, 8, 8, 3), np.float32)))
    twin = torch_twin(torch, 10, 2, 5, 3).float()
    twin.load_state_dict(md.to_torch(model))
    images = stream(0, "data").standard_normal((4, 8, 8, 3), np.float32)
    theirs = twin.eval()(torch.tensor(images.transpose(0, 3, 1, 2).copy())).detach().numpy()
    logits = model.eval()(md.tensor(images)).numpy()
    np.testing.assert_allclose(logits, theirs, rtol=1e-5, atol=1e-5)
    other = wide_resnet(10, 2, classes=5, rng=np.random.default_rng(9))
    other.load_state_dict(md.from_torch(twin.state_dict(), other))
    np.testing.assert_array_equal(other.eval()(md.tensor(images)).numpy(), logits)


def to_torchs(array):
    return array.transpose(3, 2, 0, 1) if array.ndim == 4 else array.T


def in_float64(model):
    """Parameters and buffers in float64, away from their first values."""
    data = stream(5, "values")
    for module in model.modules():
        for name, value in list(vars(module).items()):
            if isinstance(value, md.Tensor):
                array = value.numpy() + 0.1 * data.standard_normal(value.shape)
                array = np.abs(array) if name == "running_var" else array
                kind = md.nn.Parameter if isinstance(value, md.nn.Parameter) else md.tensor
                setattr(module, name, kind(array))
    return model


@pytest.mark.parametrize(("depth", "width", "channels"), [(10, 1, 3), (16, 2, 1)])
def test_logits_gradients_and_running_statistics_are_torchs(depth, width, channels):
    torch = pytest.importorskip("torch")
    model = in_float64(wide_resnet(depth, width, classes=5, channels=channels, rng=rng()))
    twin = torch_twin(torch, depth, width, 5, channels)
    state = {k: torch.tensor(to_torchs(v).copy()) for k, v in model.state_dict().items()}
    loaded = twin.load_state_dict(state, strict=False)
    assert not loaded.unexpected_keys
    assert all(key.endswith("num_batches_tracked") for key in loaded.missing_keys)

    data = stream(0, "data")
    images, labels = data.standard_normal((3, 9, 8, channels)), data.integers(0, 5, 3)
    theirs = torch.tensor(images.transpose(0, 3, 1, 2).copy())
    logits, their_logits = model(md.tensor(images)), twin(theirs)
    np.testing.assert_allclose(logits.numpy(), their_logits.detach().numpy(), rtol=1e-9, atol=1e-9)
    md.cross_entropy(logits, labels).backward()
    torch.nn.functional.cross_entropy(their_logits, torch.tensor(labels)).backward()
    their_gradients = {name: p.grad.numpy() for name, p in twin.named_parameters()}
    for name, p in model.named_parameters():
        mine = to_torchs(p.grad.numpy())
        np.testing.assert_allclose(mine, their_gradients[name], rtol=1e-7, atol=1e-9)
    moved = twin.state_dict()
    for name, value in model.state_dict().items():
        np.testing.assert_allclose(to_torchs(value), moved[name].numpy(), rtol=1e-9, atol=1e-12)
    np.testing.assert_allclose(
        model.eval()(md.tensor(images)).numpy(), twin.eval()(theirs).detach().numpy(), rtol=1e-9
    )


def test_a_captured_step_trains_it_bit_for_bit_as_it_stands():
    data = stream(0, "data")
    batches = [
        (data.standard_normal((4, 6, 6, 3), dtype=np.float32), data.integers(0, 10, 4))
        for _ in range(3)
    ]
    states = []
    for is_captured in (False, True):
        model = wide_resnet(10, 1, rng=rng())
        optimizer = md.optim.SGD(model.parameters(), 0.1, momentum=0.9)

        def step(images, labels, model=model, optimizer=optimizer):
            optimizer.zero_grad()
            md.cross_entropy(model(md.from_numpy(images)), labels).backward()
            optimizer.step()

        run = md.capture(step) if is_captured else step
        for images, labels in batches:
            run(images, labels)
        assert not is_captured or run.eager_because is None
        states.append({name: v.tobytes() for name, v in model.state_dict().items()})
    assert states[0] == states[1]


def test_it_takes_images_of_any_size_on_every_device(device):
    model = wide_resnet(10, 1, classes=4, rng=rng()).to(device).eval()
    images = stream(1, "data").standard_normal((2, 5, 3, 3), dtype=np.float32)
    on_cpu = wide_resnet(10, 1, classes=4, rng=rng()).eval()(md.tensor(images))
    y = model(md.tensor(images, device=device))
    assert y.shape == (2, 4)
    np.testing.assert_allclose(y.numpy(), on_cpu.numpy(), rtol=1e-4, atol=1e-4)


def test_dropout_stands_between_the_convolutions_of_every_block():
    model = wide_resnet(16, 1, dropout=0.3, rng=rng())
    drops = [m for m in model.modules() if isinstance(m, md.nn.Dropout)]
    assert len(drops) == 6 and {drop.p for drop in drops} == {0.3}
    assert len({drop.state.numpy().tobytes() for drop in drops}) == 6
    x = md.tensor(np.ones((2, 8, 8, 3), np.float32))
    assert not np.array_equal(model(x).numpy(), model(x).numpy())
    model.eval()
    np.testing.assert_array_equal(model(x).numpy(), model(x).numpy())
    assert not [m for m in wide_resnet(16, 1).modules() if isinstance(m, md.nn.Dropout)]


def test_a_seed_gives_the_same_network_each_time():
    def bits(seed):
        state = wide_resnet(10, 1, 0.1, rng=rng(seed)).state_dict()
        return {name: value.tobytes() for name, value in state.items()}

    assert bits(1) == bits(1) != bits(2)


@pytest.mark.parametrize(
    ("make", "error", "message"),
    [
        (lambda: wide_resnet(12, 1), ValueError, "wide_resnet: depth=12 must be 6 n \\+ 4"),
        (lambda: wide_resnet(4, 1), ValueError, "wide_resnet: depth=4 must be"),
        (lambda: wide_resnet(10.0, 1), ValueError, "depth=10.0 must be a positive integer"),
        (lambda: wide_resnet(10, 0), ValueError, "width=0 must be a positive integer"),
        (lambda: wide_resnet(10, 1, classes=0), ValueError, "classes=0 must be a positive"),
        (lambda: wide_resnet(10, 1, channels=-1), ValueError, "channels=-1 must be a positive"),
        (lambda: wide_resnet(10, 1, 1.0), ValueError, "Dropout: p=1.0 must be"),
        (lambda: wide_resnet(10, 1, rng=0), TypeError, "rng=0 is no generator"),
    ],
)
def test_what_cannot_be_is_refused_by_name(make, error, message):
    with pytest.raises(error, match=message):
        make()
