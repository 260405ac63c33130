"""Modules held in lists and by name."""

import numpy as np
import pytest

import minidecay as md
from minidecay import nn


def test_a_module_list_is_indexed_looped_over_and_grows():
    layers = nn.ModuleList([nn.Linear(2, 2), nn.ReLU()])
    layers.append(nn.Linear(2, 1))
    layers.extend([nn.Tanh()])
    assert len(layers) == 4 and type(layers[-1]) is nn.Tanh
    assert [type(layer) for layer in layers] == [nn.Linear, nn.ReLU, nn.Linear, nn.Tanh]
    names = [name for name, _ in layers.named_parameters()]
    assert names == ["0.weight", "0.bias", "2.weight", "2.bias"]
    assert len(nn.ModuleList()) == 0


def test_a_module_dict_is_a_mapping_of_names():
    heads = nn.ModuleDict({"digits": nn.Linear(2, 10)})
    heads["parity"] = nn.Linear(2, 2)
    assert list(heads) == list(heads.keys()) == ["digits", "parity"] and len(heads) == 2
    assert heads["parity"] is heads.parity and "parity" in heads and "letters" not in heads
    assert [type(head) for head in heads.values()] == [nn.Linear] * 2
    assert dict(heads.items())["digits"] is heads["digits"]
    assert "parity.bias" in heads.state_dict()
    with pytest.raises(KeyError):
        heads["letters"]
    assert len(nn.ModuleDict()) == 0


def test_what_is_held_is_trained_moved_and_switched():
    class Heads(nn.Module):
        def __init__(self):
            self.layers = nn.ModuleList([nn.Linear(2, 2), nn.Dropout(0.5)])
            self.heads = nn.ModuleDict({"a": nn.Linear(2, 1), "b": nn.Linear(2, 3)})

        def forward(self, x, head="a"):
            for layer in self.layers:
                x = layer(x)
            return self.heads[head](x)

    model = Heads().eval()
    x = md.tensor(np.ones((4, 2), np.float32))
    assert model(x).shape == (4, 1) and model(x, head="b").shape == (4, 3)
    assert not any(module.training for module in model.modules())
    assert len(list(model.parameters())) == 6
    model(x, "b").sum().backward()
    assert model.heads.b.weight.grad is not None and model.heads.a.weight.grad is None
    model.zero_grad()
    assert all(p.grad is None for p in model.parameters())


@pytest.mark.parametrize(
    ("make", "error", "message"),
    [
        (lambda: nn.ModuleList([md.relu]), TypeError, "ModuleList: element 0 is function, no Mod"),
        (lambda: nn.ModuleDict({"a": 3}), TypeError, "ModuleDict: 'a' is int, no Module"),
        (lambda: nn.ModuleDict({"a.b": nn.ReLU()}), ValueError, "ModuleDict: 'a.b' cannot name"),
        (lambda: nn.ModuleDict({"train": nn.ReLU()}), ValueError, "'train' cannot name a module"),
        (lambda: nn.ModuleDict({0: nn.ReLU()}), ValueError, "ModuleDict: 0 cannot name a module"),
    ],
)
def test_what_cannot_be_held_is_refused(make, error, message):
    with pytest.raises(error, match=message):
        make()


def test_a_buffer_may_be_registered_as_torch_does_it():
    class Counter(nn.Module):
        def __init__(self):
            self.register_buffer("calls", md.tensor([0.0]))
            self.weight = nn.Parameter([1.0])

    model = Counter()
    assert list(model.state_dict()) == ["calls", "weight"]
    assert [buffer is model.calls for buffer in model.buffers()] == [True]
    for wrong in (np.zeros(2), nn.Parameter([1.0])):
        with pytest.raises(TypeError, match=r"register_buffer: 'x' is a .*, no buffer"):
            model.register_buffer("x", wrong)
