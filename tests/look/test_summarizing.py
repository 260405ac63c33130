"""The table of a model: shapes as they came out, parameters and FLOPs as counted by hand."""

import numpy as np
import pytest

import minidecay as md
from minidecay import nn
from minidecay.look.summarizing import layers


def total(model, shape):
    return sum(layer.flops for layer in layers(model, shape))


def test_a_small_cnn_is_told_layer_by_layer(capsys):
    md.summary(md.models.small_cnn(size=8, widths=(16,), hidden=None), (2, 8, 8, 3))
    assert capsys.readouterr().out.splitlines() == [
        "layer                             output  parameters   FLOPs",
        "-------------------------  -------------  ----------  ------",
        "Sequential                       (2, 10)",
        "  0: Conv2d (3, 3, 3, 16)  (2, 8, 8, 16)         432   111 K",
        "  1: BatchNorm2d (16,)     (2, 8, 8, 16)          32",
        "  2: ReLU                  (2, 8, 8, 16)",
        "  3: MaxPool2d             (2, 4, 4, 16)",
        "  4: Flatten                    (2, 256)",
        "  5: Linear (256, 10)            (2, 10)       2,570  10.2 K",
        "in all                                         3,034   121 K",
    ]


@pytest.mark.parametrize(
    ("depth", "width", "flops"),
    [(16, 4, 785e6), pytest.param(28, 10, 10.49e9, marks=pytest.mark.slow)],
)
def test_wide_residual_networks_have_the_flops_of_their_sizes(depth, width, flops):
    assert total(md.models.wide_resnet(depth, width), (1, 32, 32, 3)) == pytest.approx(flops, 1e-3)


def test_flops_are_two_a_multiply_add_of_products_and_convolutions():
    assert total(nn.Linear(4, 3), (5, 4)) == 2 * 5 * 4 * 3
    assert total(nn.Conv2d(3, 8, (3, 2), stride=2, padding=1), (2, 7, 6, 3)) == (
        2 * (2 * 4 * 4 * 8) * (3 * 2 * 3)
    )
    assert total(nn.Sequential(nn.ReLU(), nn.BatchNorm1d(4)), (5, 4)) == 0

    class Attention(nn.Module):
        def forward(self, x):
            return md.softmax(md.einsum("bij,bkj->bik", x, x)) @ x

    assert total(Attention(), (2, 5, 4)) == 2 * 2 * (5 * 4 * 5) + 2 * 2 * (5 * 5 * 4)


def test_what_a_module_computes_itself_is_its_own_and_not_its_parents():
    class Twice(nn.Module):
        def __init__(self):
            self.inner = nn.Linear(4, 4)
            self.factor = nn.Parameter(np.ones((4, 4), np.float32))

        def forward(self, x):
            return self.inner(self.inner(x)) @ self.factor

    outer, inner = layers(Twice(), (3, 4))
    assert (outer.flops, outer.parameters, outer.shape) == (2 * 3 * 16, 16, (3, 4))
    assert (inner.flops, inner.parameters) == (2 * 2 * 3 * 16, 20)  # called twice


def test_a_transposed_convolution_counts_a_window_for_each_pixel_it_is_given():
    (layer,) = layers(nn.ConvTranspose2d(8, 3, (4, 2), stride=2), (5, 6, 7, 8))
    assert layer.shape == (5, 14, 14, 3)
    assert layer.flops == 2 * (5 * 6 * 7 * 8) * (4 * 2 * 3)


def test_weights_that_are_shared_count_once_in_all(capsys):
    layer = nn.Linear(3, 3)
    md.summary(nn.Sequential(layer, layer), (1, 3))
    assert capsys.readouterr().out.splitlines()[-1].split() == ["in", "all", "12", "36"]


def test_the_model_is_left_as_it_was():
    model = md.models.small_cnn(size=4, widths=(4,), hidden=4)
    model[0].training = False
    modes = [module.training for module in model.modules()]
    before = model.state_dict()
    layers(model, (2, 4, 4, 3))
    assert [module.training for module in model.modules()] == modes
    assert all(np.array_equal(before[k], v) for k, v in model.state_dict().items())
    assert not any("forward" in vars(module) for module in model.modules())
    assert all(p.grad is None for p in model.parameters())


def test_an_input_itself_may_be_given_and_what_does_not_run_is_told(capsys):
    class Words(nn.Module):
        def __init__(self):
            self.rows, self.unused = nn.Embedding(10, 4), nn.Linear(4, 2)

        def forward(self, indices):
            return self.rows(indices)

    md.summary(Words(), np.array([[1, 2, 3]]))
    lines = capsys.readouterr().out.splitlines()
    assert lines[3].split()[-4:] == ["(1,", "3,", "4)", "40"]
    assert lines[4].split() == ["unused:", "Linear", "(4,", "2)", "-", "10"]


def test_a_model_is_summarised_where_it_is(device):
    model = md.models.mlp(4, 3).to(device)
    assert [layer.shape for layer in layers(model, (2, 4))] == [(2, 3), (2, 4), (2, 3)]


def test_an_input_that_does_not_fit_is_told_by_the_layer_and_leaves_nothing_behind():
    model = md.models.mlp(4, 3)
    with pytest.raises(ValueError, match=r"linear: x .* has 5 features"):
        md.summary(model, (2, 5))
    assert model.training and not any("forward" in vars(module) for module in model.modules())
