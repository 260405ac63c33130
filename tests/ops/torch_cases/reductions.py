import torch
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp

import minidecay as md
from torch_cases.call import AXES, Call, normal


@st.composite
def reduction(draw, name):
    shape = draw(hnp.array_shapes(min_dims=2, max_dims=4, min_side=1, max_side=5))
    axis, keepdims = draw(AXES), draw(st.booleans())
    every = tuple(range(len(shape))) if axis is None else axis
    x = normal(draw, shape, apart=name in ("max", "min"))
    theirs = {
        "sum": lambda x: torch.sum(x, every, keepdim=keepdims),
        "prod": lambda x: torch_prod(x, every, keepdims),
        "mean": lambda x: torch.mean(x, every, keepdim=keepdims),
        "max": lambda x: torch.amax(x, every, keepdim=keepdims),
        "min": lambda x: torch.amin(x, every, keepdim=keepdims),
        "var": lambda x: torch.var(x, every, correction=0, keepdim=keepdims),
        "logsumexp": lambda x: torch.logsumexp(x, every, keepdim=keepdims),
    }[name]
    if name == "prod" and draw(st.booleans()):  # with zeros, whose gradient must be right, too
        x[x < draw(st.floats(-1, 0))] = 0
    return Call(lambda x: getattr(md, name)(x, axis, keepdims), theirs, [x])


def torch_prod(x, axes, keepdims):
    """Torch takes one axis at a time."""
    axes = axes if isinstance(axes, tuple) else (axes,)
    for axis in sorted((axis % x.ndim for axis in axes), reverse=True):
        x = torch.prod(x, axis, keepdim=keepdims)
    return x


@st.composite
def deviation(draw):
    """The standard deviation has a corner at 0, so values differ along every axis."""
    shape = draw(hnp.array_shapes(min_dims=1, max_dims=3, min_side=2, max_side=4))
    axis = draw(st.sampled_from([None, 0, -1]))
    ddof, keepdims = draw(st.integers(0, 1)), draw(st.booleans())
    every = tuple(range(len(shape))) if axis is None else axis
    return Call(
        lambda x: md.std(x, axis, keepdims, ddof),
        lambda x: torch.std(x, every, correction=ddof, keepdim=keepdims),
        [normal(draw, shape, apart=True)],
    )


CASES = {
    **{name: reduction(name) for name in ("sum", "mean", "prod", "max", "min", "var", "logsumexp")},
    "std": deviation(),
}
