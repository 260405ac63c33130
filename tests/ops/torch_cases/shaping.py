import numpy as np
import torch
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp

import minidecay as md
from torch_cases.call import Call, normal


@st.composite
def shaping(draw, name):
    shape = draw(hnp.array_shapes(min_dims=2, max_dims=4, min_side=1, max_side=4))
    x = normal(draw, shape)
    if name == "reshape":
        return Call(
            lambda x: md.reshape(x, (-1, shape[-1])), lambda x: x.reshape(-1, shape[-1]), [x]
        )
    if name == "transpose":
        axes = draw(st.permutations(range(len(shape))))
        return Call(lambda x: md.transpose(x, axes), lambda x: x.permute(*axes), [x])
    axis = draw(st.integers(-len(shape), len(shape) - 1))
    others = [normal(draw, shape) for _ in range(draw(st.integers(0, 2)))]
    if name == "stack":
        return Call(lambda *xs: md.stack(xs, axis), lambda *xs: torch.stack(xs, axis), [x, *others])
    longer = list(shape)
    longer[axis] += 2
    return Call(
        lambda *xs: md.concatenate(xs, axis),
        lambda *xs: torch.cat(xs, axis),
        [x, *others, normal(draw, longer)],
    )


@st.composite
def indexing(draw):
    shape = draw(hnp.array_shapes(min_dims=2, max_dims=3, min_side=2, max_side=5))
    index = draw(
        st.sampled_from(
            [
                0,
                -1,
                slice(1, None),
                (slice(None), 1),
                (Ellipsis, None),
                (slice(None), slice(None, None, 2)),
                np.array([0, 1, 1, 0, 1]),
                (np.array([1, 0, 1]), np.array([0, 1, 0])),
                "mask",
            ]
        )
    )
    if isinstance(index, str):
        index = normal(draw, shape) > 0

    def theirs(x):
        parts = index if isinstance(index, tuple) else (index,)
        parts = [torch.from_numpy(p) if isinstance(p, np.ndarray) else p for p in parts]
        return x[tuple(parts)]

    return Call(lambda x: md.getitem(x, index), theirs, [normal(draw, shape)])


@st.composite
def padding(draw):
    shape = draw(hnp.array_shapes(min_dims=1, max_dims=4, min_side=1, max_side=4))
    widths = [(draw(st.integers(0, 2)), draw(st.integers(0, 2))) for _ in shape]
    value = draw(st.sampled_from([0.0, 1.5, -2]))
    from_the_last = [n for pair in reversed(widths) for n in pair]
    return Call(
        lambda x: md.pad(x, widths, value),
        lambda x: torch.nn.functional.pad(x, from_the_last, value=value),
        [normal(draw, shape)],
    )


@st.composite
def turning(draw):
    shape = draw(hnp.array_shapes(min_dims=2, max_dims=4, min_side=1, max_side=4))
    axis = draw(st.sampled_from([None, 0, -1, (0, 1)]))
    axes = range(len(shape)) if axis is None else (axis,) if isinstance(axis, int) else axis
    return Call(
        lambda x: md.flip(x, axis), lambda x: torch.flip(x, tuple(axes)), [normal(draw, shape)]
    )


@st.composite
def repeating(draw):
    pair = draw(hnp.mutually_broadcastable_shapes(num_shapes=1, max_dims=4, max_side=3))
    (shape,), target = pair.input_shapes, list(pair.result_shape)
    new = len(target) - len(shape)
    for axis in range(new, len(target)):
        if shape[axis - new] == target[axis] and draw(st.booleans()):
            target[axis] = -1
    return Call(lambda x: md.expand(x, target), lambda x: x.expand(target), [normal(draw, shape)])


@st.composite
def unit_axes(draw, name):
    shape = draw(hnp.array_shapes(min_dims=1, max_dims=4, min_side=1, max_side=3))
    x = normal(draw, shape)
    if name == "unsqueeze":
        axis = draw(st.integers(-len(shape) - 1, len(shape)))
        return Call(lambda x: md.unsqueeze(x, axis), lambda x: torch.unsqueeze(x, axis), [x])
    ones = [axis for axis, n in enumerate(shape) if n == 1]
    some = tuple(draw(st.lists(st.sampled_from(ones), unique=True))) if ones else ()
    axis = draw(st.sampled_from([None, some]))
    return Call(
        lambda x: md.squeeze(x, axis),
        lambda x: x.squeeze() if axis is None else x.squeeze(axis),
        [x],
    )


@st.composite
def cutting(draw):
    shape = draw(hnp.array_shapes(min_dims=1, max_dims=3, min_side=1, max_side=6))
    axis = draw(st.integers(-len(shape), len(shape) - 1))
    size = draw(st.integers(1, 4))
    if draw(st.booleans()):
        first = draw(st.integers(0, shape[axis]))
        size = [first, shape[axis] - first]

    def joined(split, join):
        """The pieces in reverse order, so that each one's gradient is seen."""
        return lambda x: join(list(reversed(split(x))), axis)

    return Call(
        joined(lambda x: md.split(x, size, axis), md.concatenate),
        joined(lambda x: torch.split(x, size, axis), torch.cat),
        [normal(draw, shape)],
    )


CASES = {
    **{name: shaping(name) for name in ("reshape", "transpose", "concatenate", "stack")},
    "getitem": indexing(),
    "pad": padding(),
    "flip": turning(),
    "expand": repeating(),
    "squeeze": unit_axes("squeeze"),
    "unsqueeze": unit_axes("unsqueeze"),
    "split": cutting(),
}
