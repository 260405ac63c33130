"""Each operation, forward and gradient, against torch's and against differences, in float64."""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp

import minidecay as md

torch = pytest.importorskip("torch")
F = torch.nn.functional

SHAPES = hnp.array_shapes(min_dims=0, max_dims=4, min_side=1, max_side=5)
AXES = st.sampled_from([None, 0, -1, (0, -1), (1, 0)])


@dataclass
class Call:
    """One use of an operation: ours and torch's functions of the same arrays."""

    ours: Callable[..., md.Tensor]
    torchs: Callable[..., Any]
    arrays: list[np.ndarray]


def normal(draw, shape, positive=False, apart=False):
    """N(0, 1) values; positive ones; or values no two of which are near each other."""
    rng = np.random.default_rng(draw(st.integers(0, 2**32 - 1)))
    values = rng.standard_normal(shape)
    if positive:
        return np.abs(values) + 0.5
    if apart:
        size = int(np.prod(shape))
        return (rng.permutation(size).reshape(shape) - size / 2 + 0.25) / 4
    return values


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
def reduction(draw, name):
    shape = draw(hnp.array_shapes(min_dims=2, max_dims=4, min_side=1, max_side=5))
    axis, keepdims = draw(AXES), draw(st.booleans())
    every = tuple(range(len(shape))) if axis is None else axis
    x = normal(draw, shape, apart=name == "max")
    theirs = {
        "sum": lambda x: torch.sum(x, every, keepdim=keepdims),
        "mean": lambda x: torch.mean(x, every, keepdim=keepdims),
        "max": lambda x: torch.amax(x, every, keepdim=keepdims),
        "var": lambda x: torch.var(x, every, correction=0, keepdim=keepdims),
    }[name]
    return Call(lambda x: getattr(md, name)(x, axis, keepdims), theirs, [x])


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
def product(draw):
    m, k, n = (draw(st.integers(1, 6)) for _ in range(3))
    shapes = hnp.mutually_broadcastable_shapes(num_shapes=2, max_dims=2, max_side=3)
    batch_a, batch_b = draw(shapes).input_shapes
    a, b = draw(st.sampled_from([((m, k), (k, n)), ((k,), (k, n)), ((m, k), (k,)), ((k,), (k,))]))
    a = (*batch_a, *a) if len(a) == 2 else a
    b = (*batch_b, *b) if len(b) == 2 else b
    return Call(md.matmul, torch.matmul, [normal(draw, a), normal(draw, b)])


@st.composite
def dense(draw):
    inputs, outputs = draw(st.integers(1, 6)), draw(st.integers(1, 6))
    lead = draw(hnp.array_shapes(min_dims=1, max_dims=3, min_side=0, max_side=4))
    arrays = [normal(draw, (*lead, inputs)), normal(draw, (inputs, outputs))]
    if draw(st.booleans()):
        arrays.append(normal(draw, (outputs,)))
    return Call(md.functions.linear, lambda x, w, b=None: F.linear(x, w.T, b), arrays)


def nchw(x):
    return x.permute(0, 3, 1, 2)


def nhwc(x):
    return x.permute(0, 2, 3, 1)


@st.composite
def convolution(draw):
    kernel = draw(st.tuples(st.integers(1, 5), st.integers(1, 5)))
    stride = draw(st.tuples(st.integers(1, 3), st.integers(1, 3)))
    padding = draw(st.tuples(st.integers(0, 2), st.integers(0, 2)))
    size = [
        draw(st.integers(max(1, k - 2 * p), k + 5)) for k, p in zip(kernel, padding, strict=True)
    ]
    n, c_in, c_out = (draw(st.integers(1, 3)) for _ in range(3))
    arrays = [normal(draw, (n, *size, c_in)), normal(draw, (*kernel, c_in, c_out))]
    if draw(st.booleans()):
        arrays.append(normal(draw, (c_out,)))

    def theirs(x, w, b=None):
        return nhwc(F.conv2d(nchw(x), w.permute(3, 2, 0, 1).contiguous(), b, stride, padding))

    return Call(lambda x, w, b=None: md.conv2d(x, w, b, stride, padding), theirs, arrays)


@st.composite
def pooling(draw, name):
    window = draw(st.tuples(st.integers(1, 3), st.integers(1, 3)))
    stride = draw(st.none() | st.tuples(st.integers(1, 3), st.integers(1, 3)))
    padding = tuple(draw(st.integers(0, k // 2)) for k in window)
    size = [draw(st.integers(k, k + 5)) for k in window]
    x = normal(draw, (draw(st.integers(1, 3)), *size, draw(st.integers(1, 3))), apart=True)
    theirs = {"max_pool2d": F.max_pool2d, "avg_pool2d": F.avg_pool2d}[name]
    return Call(
        lambda x: getattr(md, name)(x, window, stride, padding),
        lambda x: nhwc(theirs(nchw(x), window, stride, padding)),
        [x],
    )


@st.composite
def global_pooling(draw):
    x = normal(draw, draw(hnp.array_shapes(min_dims=4, max_dims=4, max_side=4)))
    return Call(md.global_avg_pool2d, lambda x: x.mean((1, 2)), [x])


@st.composite
def normalisation(draw, training):
    shape = draw(hnp.array_shapes(min_dims=2, max_dims=4, min_side=1, max_side=4))
    shape = (draw(st.integers(3, 6)), *shape[1:])
    channels = shape[-1]
    mean, var = normal(draw, channels), normal(draw, channels, positive=True)

    def ours(x, gamma, beta):
        return md.batch_norm(x, gamma, beta, md.tensor(mean), md.tensor(var), training, eps=1e-3)

    def theirs(x, gamma, beta):
        running = torch.from_numpy(mean.copy()), torch.from_numpy(var.copy())
        rows = F.batch_norm(x.reshape(-1, channels), *running, gamma, beta, training, eps=1e-3)
        return rows.reshape(x.shape)

    return Call(ours, theirs, [normal(draw, shape), normal(draw, channels), normal(draw, channels)])


@st.composite
def softmax(draw):
    x = normal(draw, draw(hnp.array_shapes(min_dims=1, max_dims=3, max_side=5)))
    return Call(md.log_softmax, lambda x: F.log_softmax(x, -1), [x])


@st.composite
def classification(draw):
    n, classes = draw(st.integers(1, 7)), draw(st.integers(1, 5))
    labels = np.random.default_rng(draw(st.integers(0, 99))).integers(0, classes, n)
    reduction = draw(st.sampled_from(["mean", "sum", "none"]))
    return Call(
        lambda x: md.cross_entropy(x, labels, reduction),
        lambda x: F.cross_entropy(x, torch.from_numpy(labels), reduction=reduction),
        [30 * normal(draw, (n, classes))],
    )


CASES = {
    **{name: unary(name) for name in ("neg", "exp", "abs", "tanh", "sigmoid", "relu")},
    **{name: unary(name, positive=True) for name in ("log", "sqrt")},
    **{name: binary(name) for name in ("add", "sub", "mul", "maximum")},
    "div": binary("div", positive=True),
    "pow": binary("pow", positive=True),
    "where": choice(),
    **{name: reduction(name) for name in ("sum", "mean", "max", "var")},
    **{name: shaping(name) for name in ("reshape", "transpose", "concatenate", "stack")},
    "getitem": indexing(),
    "matmul": product(),
    "linear": dense(),
    "conv2d": convolution(),
    "max_pool2d": pooling("max_pool2d"),
    "avg_pool2d": pooling("avg_pool2d"),
    "global_avg_pool2d": global_pooling(),
    "batch_norm": normalisation(training=True),
    "batch_norm, inference": normalisation(training=False),
    "log_softmax": softmax(),
    "cross_entropy": classification(),
}


def close(a, b, rtol=1e-9, atol=1e-9):
    np.testing.assert_allclose(np.asarray(a), np.asarray(b), rtol=rtol, atol=atol)


@pytest.mark.parametrize("name", CASES)
@given(data=st.data())
def test_values_and_gradients_are_those_of_torch(name, data):
    call = data.draw(CASES[name])
    mine = [md.tensor(x, requires_grad=True) for x in call.arrays]
    theirs = [torch.tensor(x, requires_grad=True) for x in call.arrays]
    y, y_torch = call.ours(*mine), call.torchs(*theirs)
    assert y.shape == tuple(y_torch.shape) and y.dtype == np.float64
    close(y, y_torch.detach())
    gy = np.random.default_rng(0).standard_normal(y.shape)
    y.backward(gy)
    y_torch.backward(torch.from_numpy(np.asarray(gy)))
    for x, x_torch in zip(mine, theirs, strict=True):
        assert x.grad.shape == x.shape
        close(x.grad, x_torch.grad)


@pytest.mark.parametrize("name", CASES)
@given(data=st.data())
def test_float32_agrees_with_float64_to_its_precision(name, data):
    call = data.draw(CASES[name])
    wide = [md.tensor(x, requires_grad=True) for x in call.arrays]
    narrow = [md.tensor(x.astype(np.float32), requires_grad=True) for x in call.arrays]
    y, y32 = call.ours(*wide), None
    if name.startswith("batch_norm"):
        return  # its running statistics are float64 here; the layers' tests cover float32
    y32 = call.ours(*narrow)
    assert y32.dtype == np.float32
    close(y32, y, rtol=2e-4, atol=2e-4)
    y.backward(np.ones(y.shape))
    y32.backward(np.ones(y.shape))
    for x, x32 in zip(wide, narrow, strict=True):
        assert x32.grad.dtype == np.float32
        close(x32.grad, x.grad, rtol=2e-3, atol=2e-3)


@pytest.mark.parametrize("name", CASES)
@given(data=st.data())
def test_gradients_are_those_of_differences(name, data):
    call = data.draw(CASES[name])
    if sum(x.size for x in call.arrays) > 60:
        keep = np.random.default_rng(1)
        tensors = [md.tensor(x, requires_grad=True) for x in call.arrays]
        y = call.ours(*tensors)
        weights = keep.uniform(0.5, 1.5, y.shape)
        y.backward(weights)
        # Too many elements to move one by one: one random direction through all of them.
        way = [keep.standard_normal(x.shape) for x in call.arrays]
        slope = sum((t.grad.numpy() * w).sum() for t, w in zip(tensors, way, strict=True))

        def moved(eps):
            arrays = (x + eps * w for x, w in zip(call.arrays, way, strict=True))
            return (call.ours(*map(md.tensor, arrays)).numpy() * weights).sum()

        ends = moved(1e-6), moved(-1e-6)
        close((ends[0] - ends[1]) / 2e-6, slope, rtol=1e-4, atol=1e-3)
        return
    if sum(x.size for x in call.arrays):
        md.gradcheck(call.ours, *(md.tensor(x, requires_grad=True) for x in call.arrays), atol=1e-4)
