import copy

import numpy as np
import pytest

import minidecay as md
from minidecay import nn
from minidecay.devices.cpu import Cpu


@pytest.fixture(scope="module")
def torch():
    return pytest.importorskip("torch")


def stream(seed=0):
    return np.random.default_rng(seed)


def network(seed=0):
    rng = stream(seed)
    return nn.Sequential(
        nn.Flatten(),
        nn.Linear(12, 4, rng=rng),
        nn.BatchNorm1d(4),
        nn.ReLU(),
        nn.Sequential(nn.Dropout(0.5, rng=rng), nn.Linear(4, 3, bias=False, rng=rng)),
    )


def images(n=6):
    return md.tensor(stream(1).standard_normal((n, 2, 2, 3)).astype(np.float32))


class Scale(nn.Module):
    """A factor that is trained, and a count that is not."""

    def __init__(self, factor=1.0):
        self.factor = nn.Parameter([factor])
        self.calls = md.tensor([0.0])

    def forward(self, x):
        self.calls += 1
        return self.factor * x


class Tied(nn.Module):
    """Encoder and decoder share one weight."""

    def __init__(self):
        self.encoder = nn.Linear(3, 3, bias=False, rng=stream())
        self.decoder = nn.Linear(3, 3, bias=False, rng=stream(1))
        self.decoder.weight = self.encoder.weight

    def forward(self, x):
        return self.decoder(self.encoder(x))


def bytes_of(model):
    return {name: value.tobytes() for name, value in model.state_dict().items()}


# Parameters and buffers


def test_parameters_are_named_by_their_paths_in_order():
    assert [(name, p.shape) for name, p in network().named_parameters()] == [
        ("1.weight", (12, 4)),
        ("1.bias", (4,)),
        ("2.weight", (4,)),
        ("2.bias", (4,)),
        ("4.1.weight", (4, 3)),
    ]


def test_names_and_order_are_torchs(torch):
    twin = torch.nn.Sequential(
        torch.nn.Flatten(),
        torch.nn.Linear(12, 4),
        torch.nn.BatchNorm1d(4),
        torch.nn.ReLU(),
        torch.nn.Sequential(torch.nn.Dropout(), torch.nn.Linear(4, 3, bias=False)),
    )
    names = [name for name, _ in network().named_parameters()]
    assert names == [name for name, _ in twin.named_parameters()]
    ours_alone = {"4.0.state"}  # where our dropout stands
    theirs_alone = {"2.num_batches_tracked"}
    assert set(network().state_dict()) ^ set(twin.state_dict()) == ours_alone | theirs_alone


def test_parameters_are_the_tensors_themselves():
    model = network()
    assert [id(p) for p in model.parameters()] == [id(p) for _, p in model.named_parameters()]
    assert next(model.parameters()) is model[1].weight


def test_buffers_are_in_the_state_but_are_not_trained():
    model = nn.BatchNorm1d(2)
    assert [name for name, _ in model.named_parameters()] == ["weight", "bias"]
    assert list(model.state_dict()) == ["weight", "bias", "running_mean", "running_var"]


def test_a_shared_parameter_comes_once_and_is_saved_under_both_names():
    model = Tied()
    assert [name for name, _ in model.named_parameters()] == ["encoder.weight"]
    assert list(model.state_dict()) == ["encoder.weight", "decoder.weight"]


def test_a_shared_parameter_gathers_both_gradients():
    model = Tied()
    model(md.tensor(np.ones((1, 3), np.float32))).sum().backward()
    w = model.encoder.weight.numpy()
    ones = np.ones((1, 3))
    expected = ones.T @ (ones @ w.T) + (ones @ w).T @ ones
    np.testing.assert_allclose(model.encoder.weight.grad.numpy(), expected, rtol=1e-5)


def test_a_parameter_is_a_float32_leaf_of_its_own():
    given = np.ones(2, np.float32)
    p = nn.Parameter(given)
    given[:] = 0
    assert p.requires_grad and p.is_leaf and p.dtype == np.float32
    np.testing.assert_array_equal(p.numpy(), [1, 1])
    assert nn.Parameter([1, 2]).dtype == np.float32
    assert nn.Parameter(np.ones(2)).dtype == np.float64


def test_a_parameter_of_integers_is_refused():
    with pytest.raises(TypeError, match="int64 has no gradient; use astype"):
        nn.Parameter(np.arange(3))


def test_an_attribute_set_anew_is_what_counts():
    model = network()
    model[1].weight = nn.Parameter(np.zeros((12, 4), np.float32))
    assert next(model.parameters()) is model[1].weight
    model[1].bias = None
    assert "1.bias" not in dict(model.named_parameters())
    setattr(model, "3", nn.Sequential(nn.Linear(4, 4)))
    assert "3.0.weight" in dict(model.named_parameters())


@pytest.mark.parametrize("kind", [list, tuple, lambda held: {"a": held[0]}])
@pytest.mark.parametrize("held", [nn.ReLU(), nn.Parameter([1.0])])
def test_modules_and_parameters_in_a_list_are_refused_and_not_ignored(kind, held):
    class Model(nn.Module):
        def __init__(self):
            self.first = nn.Linear(1, 1)
            self.layers = kind([held])

    for use in (nn.Module.parameters, nn.Module.state_dict, nn.Module.train):
        with pytest.raises(TypeError, match=r"Model: .* 'layers' .* use Sequential\(\*modules\)"):
            list(use(Model()))


def test_a_list_of_numbers_or_tensors_is_no_concern_of_the_module():
    model = Scale()
    model.widths, model.seen = [1, 2], {"x": md.tensor([1.0])}
    assert list(model.state_dict()) == ["factor", "calls"]


# The state


def test_a_loaded_model_answers_as_the_saved_one():
    model, other = network(0), network(1)
    model(images())  # moves the running statistics and the dropout's count
    other.load_state_dict(model.state_dict())
    assert bytes_of(other) == bytes_of(model)
    np.testing.assert_array_equal(other(images()).numpy(), model(images()).numpy())


def test_a_state_is_a_copy():
    model = network()
    state = model.state_dict()
    model.load_state_dict(network(1).state_dict())
    np.testing.assert_array_equal(state["1.weight"], network().state_dict()["1.weight"])
    state["1.weight"][:] = 7
    assert not (model[1].weight.numpy() == 7).any()


def test_loading_writes_into_the_tensors_there_are():
    model = network()
    before = list(model.parameters())
    model.load_state_dict(network(1).state_dict())
    assert all(p is q for p, q in zip(model.parameters(), before, strict=True))


def test_a_backward_that_would_read_the_weights_of_before_loading_is_an_error():
    model = nn.Linear(2, 2)
    x = md.tensor([[1.0, 2.0]], requires_grad=True)
    loss = model(x).sum()
    model.load_state_dict(nn.Linear(2, 2).state_dict())
    with pytest.raises(RuntimeError, match="overwritten since forward"):
        loss.backward()


def test_a_state_of_tensors_is_taken():
    model = Scale()
    model.load_state_dict({"factor": md.tensor([5.0]), "calls": md.tensor([2.0])})
    assert model.factor.item() == 5


def test_a_state_that_does_not_fit_is_refused_with_every_difference():
    model = nn.Sequential(nn.Linear(3, 2), nn.BatchNorm1d(2))
    state = model.state_dict()
    del state["0.bias"]
    state["0.extra"] = np.zeros((1, 5), np.float32)
    state["0.weight"] = state["0.weight"].T
    state["1.bias"] = state["1.bias"].astype(np.float64)
    with pytest.raises(ValueError) as refused:
        model.load_state_dict(state)
    assert str(refused.value) == (
        "load_state_dict: 0.weight is float32 (2, 3), the model's float32 (3, 2); "
        "1.bias is float64 (2,), the model's float32 (2,); "
        "missing 0.bias (2,); unknown 0.extra (1, 5)"
    )


@pytest.mark.parametrize(
    "spoil",
    [
        lambda state: state.pop("4.1.weight"),
        lambda state: state.update({"5.weight": np.zeros(1, np.float32)}),
        lambda state: state.update({"4.1.weight": np.zeros((4, 2), np.float32)}),
        lambda state: state.update({"4.1.weight": np.zeros((4, 3))}),
        lambda state: state.update({"4.0.state": np.zeros(3, np.float32)}),
    ],
    ids=["missing", "unknown", "shape", "dtype", "kind"],
)
def test_of_a_state_that_does_not_fit_nothing_is_written(spoil):
    model, state = network(0), network(1).state_dict()
    before = bytes_of(model)
    spoil(state)
    with pytest.raises(ValueError, match="load_state_dict: "):
        model.load_state_dict(state)
    assert bytes_of(model) == before


# Modes, devices, copies


def test_train_and_eval_reach_every_module():
    model = network()
    assert all(module.training for module in model.modules())
    assert model.eval() is model
    assert not any(module.training for module in model.modules())
    assert model.train() is model
    assert all(module.training for module in model.modules())
    assert nn.ReLU().training  # others are left alone


def test_modules_come_outer_before_inner():
    model = network()
    kinds = [type(module).__name__ for module in model.modules()]
    assert kinds == [
        *("Sequential", "Flatten", "Linear", "BatchNorm1d", "ReLU"),
        *("Sequential", "Dropout", "Linear"),
    ]


def test_a_model_knows_its_device(device):
    model = network().to(device)
    assert model.device.name == device
    assert all(value.device is model.device for _, value in model.named_tensors())
    assert nn.ReLU().device.name == "cpu"


def test_moving_a_model_keeps_its_tensors_values_and_answers():
    model, there = network(), Cpu()  # a second device of the same kind
    before, answer = bytes_of(model), model.eval()(images()).numpy()
    parameters = list(model.parameters())
    assert model.to(there) is model
    assert model.device is there
    assert bytes_of(model) == before
    assert all(p is q for p, q in zip(model.parameters(), parameters, strict=True))
    np.testing.assert_array_equal(model(images().to(there)).numpy(), answer)


def test_moving_a_model_forgets_gradients_and_keeps_what_is_shared_and_frozen():
    model = Tied()
    model(md.tensor(np.ones((1, 3), np.float32))).sum().backward()
    model.encoder.weight.requires_grad = False
    model.to(Cpu())
    assert model.decoder.weight is model.encoder.weight
    assert not model.encoder.weight.requires_grad
    assert model.encoder.weight.grad is None


def test_a_backward_through_weights_that_have_moved_is_an_error():
    model = nn.Linear(2, 2)
    x = md.tensor([[1.0, 2.0]], requires_grad=True)
    loss = model(x).sum()
    model.to(Cpu())
    with pytest.raises(RuntimeError, match="overwritten since forward"):
        loss.backward()


def test_an_unknown_device_is_refused():
    with pytest.raises(ValueError, match="device 'tpu' is unknown"):
        network().to("tpu")


def test_a_copy_trains_by_itself():
    model = network()
    twin = copy.deepcopy(model)
    assert bytes_of(twin) == bytes_of(model)
    before = bytes_of(model)
    optimizer = md.optim.SGD(twin.parameters(), 0.1, momentum=0.9)
    for _ in range(3):
        optimizer.zero_grad()
        twin(images()).sum().backward()
        optimizer.step()
    assert bytes_of(model) == before
    assert all(bytes_of(twin)[name] != before[name] for name in ("1.weight", "2.running_mean"))
    assert all(p.grad is None for p in model.parameters())


def test_a_copy_of_a_model_in_training_leaves_its_optimiser_alone():
    model = network()
    optimizer = md.optim.SGD(model.parameters(), 0.1)
    twin = copy.deepcopy(model)
    model(images()).sum().backward()
    optimizer.step()
    assert bytes_of(twin)["1.weight"] != bytes_of(model)["1.weight"]
    assert bytes_of(twin)["1.weight"] == bytes_of(network())["1.weight"]


def test_a_copy_shares_inside_what_the_model_shares():
    twin = copy.deepcopy(Tied())
    assert twin.decoder.weight is twin.encoder.weight


# Calling and printing


def test_a_module_of_ones_own_needs_only_a_forward():
    model = nn.Sequential(Scale(2.0), Scale(3.0))
    x = md.tensor([1.0, 2.0])
    np.testing.assert_array_equal(model(x).numpy(), [6, 12])
    assert [m.calls.item() for m in model] == [1, 1]
    assert list(model.state_dict()) == ["0.factor", "0.calls", "1.factor", "1.calls"]


def test_a_module_without_forward_says_so():
    class Empty(nn.Module):
        pass

    with pytest.raises(NotImplementedError, match="Empty has no forward; define it"):
        Empty()(images())


def test_modules_print_as_a_tree():
    assert repr(network()) == (
        "Sequential(\n"
        "  (0): Flatten()\n"
        "  (1): Linear(12, 4)\n"
        "  (2): BatchNorm1d(4, eps=1e-05, momentum=0.1)\n"
        "  (3): ReLU()\n"
        "  (4): Sequential(\n"
        "    (0): Dropout(p=0.5)\n"
        "    (1): Linear(4, 3, bias=False)\n"
        "  )\n"
        ")"
    )


# Sequential


def test_a_sequential_is_indexed_sliced_and_looped_over():
    model = network()
    assert len(model) == 5
    assert [type(module) for module in model[1:3]] == [nn.Linear, nn.BatchNorm1d]
    assert model[-1] is list(model)[4]
    with pytest.raises(IndexError):
        model[5]


def test_a_slice_is_a_model_of_the_same_layers():
    model = network().eval()
    head = model[:2]
    assert head[1] is model[1]
    np.testing.assert_array_equal(head(images()).numpy(), model[1](model[0](images())).numpy())


def test_an_empty_sequential_gives_back_what_it_is_given():
    x = images()
    assert nn.Sequential()(x) is x


def test_a_sequential_of_anything_but_modules_is_refused():
    with pytest.raises(TypeError, match="Sequential: argument 1 is function, no Module"):
        nn.Sequential(nn.ReLU(), md.relu)
    with pytest.raises(TypeError, match="Sequential: argument 0 is list, no Module"):
        nn.Sequential([nn.ReLU()])
