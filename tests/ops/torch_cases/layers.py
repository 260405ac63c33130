import numpy as np
import torch
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp

import minidecay as md
from torch_cases.call import Call, normal

F = torch.nn.functional


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
def transposed_convolution(draw):
    kernel = draw(st.tuples(st.integers(1, 4), st.integers(1, 4)))
    stride = draw(st.tuples(st.integers(1, 3), st.integers(1, 3)))
    padding = tuple(draw(st.integers(0, (k - 1) // 2)) for k in kernel)
    more = tuple(draw(st.integers(0, s - 1)) for s in stride)
    size = [draw(st.integers(1, 4)) for _ in kernel]
    n, c_in, c_out = (draw(st.integers(1, 3)) for _ in range(3))
    arrays = [normal(draw, (n, *size, c_in)), normal(draw, (*kernel, c_in, c_out))]
    if draw(st.booleans()):
        arrays.append(normal(draw, (c_out,)))

    def theirs(x, w, b=None):
        w = w.permute(2, 3, 0, 1).contiguous()
        return nhwc(F.conv_transpose2d(nchw(x), w, b, stride, padding, more))

    return Call(
        lambda x, w, b=None: md.conv_transpose2d(x, w, b, stride, padding, more), theirs, arrays
    )


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
def softmax(draw, name):
    shape = draw(hnp.array_shapes(min_dims=1, max_dims=3, max_side=5))
    axis = draw(st.integers(-len(shape), len(shape) - 1))
    return Call(
        lambda x: getattr(md, name)(x, axis),
        lambda x: getattr(F, name)(x, axis),
        [5 * normal(draw, shape)],
    )


@st.composite
def layer_normalisation(draw):
    shape = draw(hnp.array_shapes(min_dims=1, max_dims=4, min_side=2, max_side=4))
    last = shape[draw(st.integers(0, len(shape) - 1)) :]
    return Call(
        lambda x, gamma, beta: md.layer_norm(x, gamma, beta, 1e-3),
        lambda x, gamma, beta: F.layer_norm(x, last, gamma, beta, 1e-3),
        [normal(draw, shape), normal(draw, last), normal(draw, last)],
    )


@st.composite
def looking_up(draw):
    rows, features = draw(st.integers(1, 5)), draw(st.integers(1, 4))
    shape = draw(hnp.array_shapes(min_dims=0, max_dims=2, min_side=0, max_side=4))
    indices = np.random.default_rng(draw(st.integers(0, 99))).integers(0, rows, shape)
    return Call(
        lambda w: md.embedding(indices, w),
        lambda w: F.embedding(torch.as_tensor(indices), w),
        [normal(draw, (rows, features))],
    )


CASES = {
    "matmul": product(),
    "linear": dense(),
    "conv2d": convolution(),
    "conv_transpose2d": transposed_convolution(),
    "max_pool2d": pooling("max_pool2d"),
    "avg_pool2d": pooling("avg_pool2d"),
    "global_avg_pool2d": global_pooling(),
    "batch_norm": normalisation(training=True),
    "batch_norm, inference": normalisation(training=False),
    "layer_norm": layer_normalisation(),
    "embedding": looking_up(),
    "softmax": softmax("softmax"),
    "log_softmax": softmax("log_softmax"),
}
