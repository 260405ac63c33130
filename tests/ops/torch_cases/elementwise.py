import numpy as np
import torch
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp

import minidecay as md
from torch_cases.call import SHAPES, Call, normal

F = torch.nn.functional


@st.composite
def unary(draw, name, positive=False, torch_name=None):
    x = normal(draw, draw(SHAPES), positive, apart=name in ("relu", "abs"))
    return Call(getattr(md, name), getattr(torch, torch_name or name), [x])


@st.composite
def binary(draw, name, torch_name=None, positive=False):
    pair = draw(hnp.mutually_broadcastable_shapes(num_shapes=2, max_dims=4, max_side=4))
    arrays = [normal(draw, shape, positive) for shape in pair.input_shapes]
    return Call(getattr(md, name), getattr(torch, torch_name or name), arrays)


@st.composite
def choice(draw):
    shapes = hnp.mutually_broadcastable_shapes(num_shapes=3, max_dims=3, max_side=4)
    c, a, b = draw(shapes).input_shapes
    where = normal(draw, c) > 0
    return Call(
        lambda a, b: md.where(where, a, b),
        lambda a, b: torch.where(torch.from_numpy(np.asarray(where)), a, b),
        [normal(draw, a), normal(draw, b)],
    )


@st.composite
def activation(draw, name, **options):
    """A function of torch.nn.functional of the same name and options."""
    x = 3 * normal(
        draw, draw(SHAPES), apart=name in ("leaky_relu", "elu", "selu", "softsign", "hardtanh")
    )
    return Call(
        lambda x: getattr(md, name)(x, **options), lambda x: getattr(F, name)(x, **options), [x]
    )


@st.composite
def clipping(draw):
    low, high = sorted(draw(st.tuples(st.floats(-1, 1), st.floats(-1, 1))))
    low, high = draw(st.sampled_from([(low, high), (low, None), (None, high)]))
    x = normal(draw, draw(SHAPES), apart=True) + 1e-3  # no value lies on a bound that is drawn
    return Call(lambda x: md.clip(x, low, high), lambda x: torch.clip(x, low, high), [x])


CASES = {
    **{name: unary(name) for name in ("neg", "exp", "abs", "tanh", "sigmoid", "relu")},
    **{name: unary(name, positive=True) for name in ("log", "sqrt")},
    **{name: binary(name) for name in ("add", "sub", "mul", "maximum", "minimum")},
    "div": binary("div", positive=True),
    "pow": binary("pow", positive=True),
    "where": choice(),
    **{
        name: activation(name)
        for name in (
            "softplus",
            "softsign",
            "silu",
            "gelu",
            "leaky_relu",
            "elu",
            "selu",
            "hardtanh",
        )
    },
    "hardtanh": activation("hardtanh"),
    "gelu, tanh": activation("gelu", approximate="tanh"),
    "leaky_relu, steep": activation("leaky_relu", negative_slope=1.5),
    "elu, steep": activation("elu", alpha=1.5),
    "clip": clipping(),
}
