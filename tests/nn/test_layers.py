import math

import numpy as np
import pytest

import minidecay as md
from minidecay import nn

CLOSE = {"rtol": 1e-4, "atol": 1e-5}  # float32 on both sides, summed in another order


@pytest.fixture(scope="module")
def torch():
    return pytest.importorskip("torch")


def drawn(*shape, seed=0):
    return np.random.default_rng(seed).standard_normal(shape).astype(np.float32)


def stream(seed=0):
    return np.random.default_rng(seed)


def nchw(x):
    return np.ascontiguousarray(x.transpose(0, 3, 1, 2))


def nhwc(x):
    return x.transpose(0, 2, 3, 1)


def same(x):
    return x


def answers(layer, x, gy, device="cpu"):
    """Our output and the gradients of the input and the parameters."""
    x = md.tensor(x, requires_grad=True, device=device)
    y = layer(x)
    y.backward(md.tensor(gy(y.shape), device=device))
    return [y.numpy(), x.grad.numpy(), *(p.grad.numpy() for p in layer.parameters())]


def torch_answers(torch, twin, x, gy, order=same, back=same):
    """Torch's, the images and their gradient in our order."""
    x = torch.tensor(order(x), requires_grad=True)
    y = twin(x)
    shape = back(y.detach().numpy()).shape
    y.backward(torch.tensor(order(gy(shape))))
    gradients = [p.grad.numpy() for p in twin.parameters()]
    return [back(y.detach().numpy()), back(x.grad.numpy()), *gradients]


def gy(shape):
    return drawn(*shape, seed=99)


def assert_all_close(ours, theirs):
    assert len(ours) == len(theirs)
    for mine, other in zip(ours, theirs, strict=True):
        np.testing.assert_allclose(mine, other, **CLOSE)


# Linear and Conv2d


@pytest.mark.parametrize("shape", [(5, 4), (1, 4), (2, 3, 4), (4,)])
@pytest.mark.parametrize("bias", [True, False])
def test_linear_is_torchs_with_the_weight_transposed(torch, device, shape, bias):
    layer = nn.Linear(4, 3, bias=bias, rng=stream()).to(device)
    twin = torch.nn.Linear(4, 3, bias=bias)
    with torch.no_grad():
        twin.weight.copy_(torch.tensor(layer.weight.numpy().T))
        if bias:
            twin.bias.zero_()
    theirs = torch_answers(torch, twin, drawn(*shape), gy)
    theirs[2] = theirs[2].T
    assert_all_close(answers(layer, drawn(*shape), gy, device), theirs)


@pytest.mark.parametrize(
    ("kernel", "stride", "padding"),
    [(3, 1, 1), (3, 2, 0), ((1, 3), (2, 1), (0, 1)), (1, 1, 0), ((2, 3), 2, (1, 0))],
)
@pytest.mark.parametrize("bias", [True, False])
def test_conv2d_is_torchs_in_nhwc(torch, device, kernel, stride, padding, bias):
    layer = nn.Conv2d(3, 4, kernel, stride, padding, bias=bias, rng=stream()).to(device)
    twin = torch.nn.Conv2d(3, 4, kernel, stride, padding, bias=bias)
    with torch.no_grad():
        twin.weight.copy_(torch.tensor(layer.weight.numpy().transpose(3, 2, 0, 1)))
        if bias:
            twin.bias.zero_()
    x = drawn(2, 7, 6, 3)
    theirs = torch_answers(torch, twin, x, gy, nchw, nhwc)
    theirs[2] = theirs[2].transpose(2, 3, 1, 0)
    assert_all_close(answers(layer, x, gy, device), theirs)


@pytest.mark.parametrize(
    ("kernel", "stride", "padding", "more", "bias"),
    [(3, 1, 1, 0, True), ((2, 3), (2, 1), (0, 1), (1, 0), False)],
)
def test_conv_transpose2d_is_torchs_in_nhwc(torch, device, kernel, stride, padding, more, bias):
    layer = nn.ConvTranspose2d(3, 4, kernel, stride, padding, more, bias, stream()).to(device)
    twin = torch.nn.ConvTranspose2d(3, 4, kernel, stride, padding, more, bias=bias)
    with torch.no_grad():
        twin.weight.copy_(torch.tensor(layer.weight.numpy().transpose(2, 3, 0, 1)))
        if bias:
            twin.bias.zero_()
    x = drawn(2, 5, 4, 3)
    theirs = torch_answers(torch, twin, x, gy, nchw, nhwc)
    theirs[2] = theirs[2].transpose(2, 3, 0, 1)
    assert_all_close(answers(layer, x, gy, device), theirs)


def test_a_bias_begins_at_zero_and_counts():
    for layer, x in ((nn.Linear(3, 2), drawn(2, 3)), (nn.Conv2d(3, 2, 1), drawn(2, 4, 4, 3))):
        assert not layer.bias.numpy().any()
        before = layer(md.tensor(x)).numpy()
        bias = np.array([1, -2], np.float32)
        layer.bias = nn.Parameter(bias)
        np.testing.assert_allclose(layer(md.tensor(x)).numpy(), before + bias, rtol=1e-5)


def test_layers_say_their_sizes():
    assert repr(nn.Linear(4, 3, bias=False)) == "Linear(4, 3, bias=False)"
    assert repr(nn.Conv2d(3, 8, (1, 3), stride=2, padding=(0, 1), bias=False)) == (
        "Conv2d(3, 8, kernel_size=(1, 3), stride=(2, 2), padding=(0, 1), bias=False)"
    )
    assert repr(nn.ConvTranspose2d(3, 8, 4, 2, 1, bias=False)) == (
        "ConvTranspose2d(3, 8, kernel_size=(4, 4), stride=(2, 2), padding=(1, 1), "
        "output_padding=(0, 0), bias=False)"
    )
    assert repr(nn.MaxPool2d(2)) == "MaxPool2d((2, 2), stride=(2, 2), padding=(0, 0))"
    assert repr(nn.Dropout(0.1)) == "Dropout(p=0.1)"


# Batch normalisation


@pytest.mark.parametrize(
    ("kind", "shape", "order", "back"),
    [("BatchNorm1d", (6, 3), same, same), ("BatchNorm2d", (2, 4, 5, 3), nchw, nhwc)],
)
@pytest.mark.parametrize(("eps", "momentum"), [(1e-5, 0.1), (1e-2, 0.7), (1e-5, 0), (1e-5, 1)])
def test_batch_norm_is_torchs_through_training_and_after(
    torch, device, kind, shape, order, back, eps, momentum
):
    layer = getattr(nn, kind)(3, eps=eps, momentum=momentum)
    twin = getattr(torch.nn, kind)(3, eps=eps, momentum=momentum)
    state = layer.state_dict() | {"weight": drawn(3), "bias": drawn(3, seed=1)}
    layer.load_state_dict(state)
    layer.to(device)
    twin.load_state_dict({name: torch.tensor(value) for name, value in state.items()}, strict=False)
    for step in range(4):
        x = 3 * drawn(*shape, seed=step) + 2
        for p in (*layer.parameters(), *twin.parameters()):
            p.grad = None
        theirs = torch_answers(torch, twin, x, gy, order, back)
        assert_all_close(answers(layer, x, gy, device), theirs)
        for name in ("running_mean", "running_var"):
            np.testing.assert_allclose(
                getattr(layer, name).numpy(), getattr(twin, name).numpy(), **CLOSE
            )
    layer.eval()
    twin.eval()
    for p in (*layer.parameters(), *twin.parameters()):
        p.grad = None
    x = drawn(*shape, seed=9)
    theirs = torch_answers(torch, twin, x, gy, order, back)
    running = layer.running_mean.numpy().copy()
    assert_all_close(answers(layer, x, gy, device), theirs)
    np.testing.assert_array_equal(layer.running_mean.numpy(), running)


def test_in_training_each_channel_has_mean_0_and_variance_1():
    y = nn.BatchNorm2d(3)(md.tensor(5 + 2 * drawn(4, 3, 3, 3))).numpy()
    np.testing.assert_allclose(y.mean((0, 1, 2)), 0, atol=1e-5)
    np.testing.assert_allclose(y.var((0, 1, 2)), 1, rtol=1e-3)


def test_inference_of_one_example_does_not_depend_on_its_batch():
    layer = nn.BatchNorm1d(3)
    layer(md.tensor(drawn(8, 3)))
    layer.eval()
    x = drawn(5, 3, seed=1)
    together = layer(md.tensor(x)).numpy()
    np.testing.assert_allclose(layer(md.tensor(x[:1])).numpy(), together[:1], **CLOSE)


def test_running_statistics_move_also_where_nothing_is_recorded():
    layer = nn.BatchNorm1d(3)
    with md.no_grad():
        layer(md.tensor(drawn(8, 3)))
    assert layer.running_mean.numpy().all()


# Layers without weights


@pytest.mark.parametrize(
    ("size", "stride", "padding"), [(2, None, 0), (3, 2, 1), ((1, 2), None, 0), ((3, 2), (1, 2), 1)]
)
@pytest.mark.parametrize("kind", ["MaxPool2d", "AvgPool2d"])
def test_pools_are_torchs_in_nhwc(torch, device, kind, size, stride, padding):
    layer = getattr(nn, kind)(size, stride, padding)
    twin = getattr(torch.nn, kind)(size, stride, padding)
    x = drawn(2, 7, 6, 3)
    theirs = torch_answers(torch, twin, x, gy, nchw, nhwc)
    assert_all_close(answers(layer, x, gy, device), theirs)


def test_a_global_pool_is_the_mean_of_each_channel(device):
    x = drawn(2, 3, 4, 5)
    ours = answers(nn.GlobalAvgPool2d(), x, gy, device)
    spread = np.broadcast_to(gy((2, 5))[:, None, None] / 12, x.shape)
    assert_all_close(ours, [x.mean((1, 2)), spread])


def test_relu_is_torchs(torch, device):
    x = drawn(4, 5)
    x[0] = 0
    theirs = torch_answers(torch, torch.nn.ReLU(), x, gy)
    assert_all_close(answers(nn.ReLU(), x, gy, device), theirs)


@pytest.mark.parametrize("shape", [(2, 3, 4, 5), (2, 3, 4), (3,), (0, 2, 2), (2, 0, 3)])
def test_flatten_keeps_the_examples_and_the_order(device, shape):
    x = drawn(*shape)
    flat = (shape[0], math.prod(shape[1:]))
    ours = answers(nn.Flatten(), x, gy, device)
    assert_all_close(ours, [x.reshape(flat), gy(flat).reshape(shape)])


def test_flatten_gives_back_what_is_flat():
    x = md.tensor(drawn(2, 3))
    assert nn.Flatten()(x) is x


# Dropout


def test_dropout_keeps_1_minus_p_and_scales_it(device):
    n, p = 40_000, 0.3
    y = nn.Dropout(p, rng=stream())(md.tensor(np.ones(n, np.float32), device=device)).numpy()
    np.testing.assert_allclose(np.unique(y), [0, 1 / (1 - p)], rtol=1e-6)
    five_sigma = 5 * math.sqrt(p * (1 - p) / n)
    assert abs((y == 0).mean() - p) < five_sigma


def test_dropout_drops_elements_independently():
    y = nn.Dropout(0.5, rng=stream())(md.tensor(np.ones((200, 200), np.float32))).numpy() == 0
    five_sigma = 5 * 0.5 / math.sqrt(200)
    assert abs(y.mean(axis=0) - 0.5).max() < five_sigma
    assert abs(y.mean(axis=1) - 0.5).max() < five_sigma
    agree = (y[:, 1:] == y[:, :-1]).mean()
    assert abs(agree - 0.5) < 5 * 0.5 / math.sqrt(200 * 199)


def test_the_gradient_passes_where_the_value_passed(device):
    x = np.ones((8, 8), np.float32)
    y, gx = answers(
        nn.Dropout(0.5, rng=stream()), x, lambda shape: np.ones(shape, np.float32), device
    )
    np.testing.assert_array_equal(gx, y)


def masks(layer, calls=3):
    x = md.tensor(np.ones((6, 6), np.float32))
    return [layer(x).numpy().tobytes() for _ in range(calls)]


def test_each_call_and_each_layer_drops_others():
    rng = stream()
    assert len({*masks(nn.Dropout(rng=rng)), *masks(nn.Dropout(rng=rng))}) == 6


def test_the_same_generator_gives_the_same_masks():
    assert masks(nn.Dropout(rng=stream(1))) == masks(nn.Dropout(rng=stream(1)))
    assert masks(nn.Dropout(rng=stream(1))) != masks(nn.Dropout(rng=stream(2)))


def test_dropout_goes_on_from_its_state():
    layer = nn.Dropout(rng=stream())
    masks(layer)
    state = layer.state_dict()
    resumed = nn.Dropout(rng=stream(5))
    resumed.load_state_dict(state)
    assert masks(resumed) == masks(layer)


def test_outside_of_training_dropout_does_nothing_and_counts_nothing():
    layer, x = nn.Dropout(0.9, rng=stream()).eval(), md.tensor(drawn(3, 3))
    assert layer(x) is x
    assert masks(layer.train()) == masks(nn.Dropout(0.9, rng=stream()))


def test_dropout_of_nothing_changes_nothing():
    x = drawn(3, 3)
    np.testing.assert_array_equal(nn.Dropout(0)(md.tensor(x)).numpy(), x)


# What layers refuse


@pytest.mark.parametrize(
    ("layer", "shape", "message"),
    [
        (nn.Linear(3, 2), (5, 4), r"linear: x (5, 4) has 4 features, w (3, 2) expects 3"),
        (nn.Linear(3, 2), (), r"linear: x () has no features, w (3, 2) expects 3"),
        (
            nn.Conv2d(4, 2, 3),
            (8, 5, 5, 3),
            "conv2d: x (8, 5, 5, 3) has 3 channels, w (3, 3, 4, 2) expects 4",
        ),
        (nn.Conv2d(3, 2, 3), (5, 5, 3), "conv2d: x (5, 5, 3) must be (N, H, W, C)"),
        (nn.Conv2d(3, 2, 3), (1, 2, 5, 3), "has height 2, less than the kernel's 3"),
        (nn.BatchNorm1d(3), (5, 4), "BatchNorm1d: x (5, 4) must be (N, 3)"),
        (nn.BatchNorm1d(3), (5, 4, 4, 3), "BatchNorm1d: x (5, 4, 4, 3) must be (N, 3)"),
        (nn.BatchNorm2d(3), (5, 3), "BatchNorm2d: x (5, 3) must be (N, H, W, 3)"),
        (nn.BatchNorm1d(3), (1, 3), "has 1 value a channel, which has no variance"),
        (nn.MaxPool2d(2), (5, 4), "max_pool2d: x (5, 4) must be (N, H, W, C)"),
        (nn.AvgPool2d(3), (1, 2, 4, 1), "avg_pool2d: x (1, 2, 4, 1) is smaller than the window"),
        (nn.GlobalAvgPool2d(), (5, 4), "global_avg_pool2d: x (5, 4) must be (N, H, W, C)"),
        (nn.Flatten(), (), "Flatten: x () must be (N, ...)"),
    ],
)
def test_an_input_of_a_shape_that_does_not_fit_is_refused_in_a_line(layer, shape, message):
    with pytest.raises(ValueError) as refused:
        layer(md.tensor(np.zeros(shape, np.float32)))
    assert message in str(refused.value)
    assert "\n" not in str(refused.value)


@pytest.mark.parametrize("layer", [nn.Linear(3, 2), nn.BatchNorm1d(3)], ids=repr)
@pytest.mark.parametrize("dtype", [np.float64, np.int64])
def test_an_input_of_another_dtype_is_refused(layer, dtype):
    with pytest.raises(TypeError, match=r"dtypes .* differ; use astype"):
        layer(md.tensor(np.ones((2, 3), dtype)))


@pytest.mark.parametrize(
    ("make", "message"),
    [
        (lambda: nn.Linear(0, 2), "Linear: inputs=0 must be a positive integer"),
        (lambda: nn.Linear(3, 2.0), "Linear: outputs=2.0 must be a positive integer"),
        (lambda: nn.Linear(3, True), "Linear: outputs=True must be a positive integer"),
        (lambda: nn.Conv2d(-1, 2, 3), "Conv2d: in_channels=-1 must be a positive integer"),
        (lambda: nn.Conv2d(1, "2", 3), "Conv2d: out_channels='2' must be a positive integer"),
        (lambda: nn.ConvTranspose2d(0, 2, 3), "ConvTranspose2d: in_channels=0 must be a positive"),
        (lambda: nn.Conv2d(1, 2, 0), "conv2d: kernel_size=0 must be an integer of at least 1"),
        (lambda: nn.Conv2d(1, 2, (3,)), "conv2d: kernel_size=(3,) must be an integer of at leas"),
        (lambda: nn.Conv2d(1, 2, 3, stride=0), "conv2d: stride=0 must be an integer of at least 1"),
        (lambda: nn.Conv2d(1, 2, 3, padding=-1), "conv2d: padding=-1 must be an integer of at l"),
        (lambda: nn.MaxPool2d(0), "size=0 must be an integer of at least 1"),
        (lambda: nn.AvgPool2d(2, stride=(1, 0)), "stride=(1, 0) must be an integer of at least 1"),
        (lambda: nn.AvgPool2d(2, padding=2), "padding (2, 2) is more than half of the window"),
        (lambda: nn.BatchNorm1d(0), "BatchNorm1d: channels=0 must be a positive integer"),
        (lambda: nn.BatchNorm1d(2, eps=0), "BatchNorm1d: eps=0 must be a number above 0"),
        (lambda: nn.BatchNorm2d(2, eps=math.nan), "BatchNorm2d: eps=nan must be a number above 0"),
        (lambda: nn.BatchNorm2d(2, momentum=1.5), "momentum=1.5 must be a number from 0 to 1"),
        (lambda: nn.BatchNorm2d(2, momentum=None), "momentum=None must be a number from 0 to 1"),
        (lambda: nn.Dropout(1), "Dropout: p=1 must be a number of at least 0 and less than 1"),
        (lambda: nn.Dropout(-0.1), "Dropout: p=-0.1 must be a number of at least 0"),
        (lambda: nn.Dropout(math.nan), "Dropout: p=nan must be a number of at least 0"),
        (lambda: nn.Dropout("0.5"), "Dropout: p='0.5' must be a number of at least 0"),
    ],
)
def test_a_size_that_cannot_be_is_refused_where_the_layer_is_made(make, message):
    with pytest.raises(ValueError) as refused:
        make()
    assert message in str(refused.value)


def test_numpys_integers_are_sizes_too():
    layer = nn.Linear(np.int64(3), np.int32(2))
    assert layer.weight.shape == (3, 2)
