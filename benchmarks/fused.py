"""The primitives beside the two ladders, each one or two launches, most limited by memory."""

from collections.abc import Callable
from math import prod
from typing import Any

import numpy as np

from benchmarks.case import Shape
from benchmarks.primitive import Call, Labels, Primitive
from minidecay.devices import Device

EPS = 1e-5
POOL = ((2, 2), {"stride": (2, 2), "padding": (0, 0)})


def add(n: int) -> Primitive:
    """x + y of n numbers."""
    return _plain(
        f"add-{n}",
        {"x": (n,), "y": (n,)},
        lambda device, x, y: (device.add(x, y),),
        lambda torch, x, y: torch.add(x, y),
        n,
    )


def column_sums(rows: int, columns: int) -> Primitive:
    """The gradient of a bias: (rows, columns) summed over the rows."""
    return _plain(
        f"sum-{rows}x{columns}-columns",
        {"x": (rows, columns)},
        lambda device, x: (device.sum(x, 0),),
        lambda torch, x: torch.sum(x, 0),
        rows * columns,
    )


def bias_relu(rows: int, channels: int) -> Primitive:
    """relu(x + bias) in one pass, by a kernel of its own."""

    def ours(device: Any, x: Any, bias: Any) -> Call:
        y = device.empty((rows, channels))

        def call() -> tuple[Any]:
            device.launch("fused/bias_relu", "bias_relu", x, bias, y, rows, channels)
            return (y,)

        return call

    return Primitive(
        f"bias_relu-{rows}x{channels}",
        "fused",
        {"x": (rows, channels), "bias": (channels,)},
        ("y",),
        ours,
        _eager(_torch_bias_relu),
        2 * rows * channels,
        function=_torch_bias_relu,
        exact=lambda x, bias: (np.maximum(x + bias, 0),),
    )


def batch_norm(images: Shape, residual: bool = False) -> Primitive:
    """relu(batch_norm(x) [+ residual]) by the batch's own statistics."""
    channels = images[-1]

    def ours(device: Device, x: Any, gamma: Any, beta: Any, r: Any = None) -> tuple[Any, ...]:
        return device.batch_norm(x, gamma, beta, EPS, residual=r, activation="relu")

    def theirs(torch: Any, x: Any, gamma: Any, beta: Any, r: Any = None) -> Any:
        y = torch.nn.functional.batch_norm(x, None, None, gamma, beta, training=True, eps=EPS)
        return torch.relu(y if r is None else y + r)

    inputs: dict[str, Shape] = {"x": images, "gamma": (channels,), "beta": (channels,)}
    name = "batch_norm-relu-" + "residual-" * residual + _times(images)
    return _plain(
        name,
        {**inputs, "r": images} if residual else inputs,
        ours,
        theirs,
        (9 + residual) * prod(images),
        outputs=("y", "mean", "var"),
    )


def batch_norm_gradient(images: Shape) -> Primitive:
    """The gradients of x, gamma and beta."""
    channels = images[-1]

    def ours(device: Device, gy: Any, x: Any, gamma: Any) -> Call:
        _, mean, var = device.batch_norm(x, gamma, gamma, EPS)
        return lambda: device.batch_norm_grad(gy, x, gamma, mean, var, EPS)

    def theirs(torch: Any, gy: Any, x: Any, gamma: Any) -> Call:
        mean, var = x.mean((0, 2, 3)), x.var((0, 2, 3), unbiased=False)
        saved = (None, None, mean, (var + EPS).rsqrt(), True, EPS, [True] * 3)
        return lambda: torch.ops.aten.native_batch_norm_backward(gy, x, gamma, *saved)

    return Primitive(
        f"batch_norm-gradient-{_times(images)}",
        "fused",
        {"gy": images, "x": images, "gamma": (channels,)},
        ("y", "ggamma", "gbeta"),
        ours,
        theirs,
        12 * prod(images),
    )


def cross_entropy(rows: int, classes: int) -> Primitive:
    """The losses of softmax and cross entropy, and the probabilities that backward wants."""
    return _plain(
        f"cross_entropy-{rows}x{classes}",
        {"x": (rows, classes), "labels": Labels(rows, classes)},
        lambda device, x, labels: device.softmax_cross_entropy(x, labels),
        lambda torch, x, labels: torch.nn.functional.cross_entropy(x, labels, reduction="none"),
        5 * rows * classes,
        outputs=("losses", "probabilities"),
    )


def cross_entropy_both(rows: int, classes: int) -> Primitive:
    """Cross entropy forward and backward in one pass, by a kernel of its own."""

    def ours(device: Any, x: Any, labels: Any) -> Call:
        gx, losses = device.empty((rows, classes)), device.empty((rows,))
        kernel = "softmax_cross_entropy_forward_backward"

        def call() -> tuple[Any, Any]:
            arguments = (x, labels, losses, gx, 1.0, rows, classes)
            device.launch("fused/softmax_cross_entropy", kernel, *arguments)
            return gx, losses

        return call

    def theirs(torch: Any, x: Any, labels: Any) -> Call:
        def call() -> tuple[Any]:
            leaf = x.detach().requires_grad_()
            torch.nn.functional.cross_entropy(leaf, labels, reduction="sum").backward()
            return (leaf.grad,)

        return call

    def exact(x: np.ndarray, labels: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        shifted = x - x.max(axis=1, keepdims=True)
        y = shifted - np.log(np.exp(shifted).sum(axis=1, keepdims=True))
        is_label = np.arange(classes) == labels[:, None]
        return np.exp(y) - is_label, -y[is_label]

    return Primitive(
        f"cross_entropy-both-{rows}x{classes}",
        "fused",
        {"x": (rows, classes), "labels": Labels(rows, classes)},
        ("gx", "losses"),
        ours,
        theirs,
        7 * rows * classes,
        exact=exact,
    )


def max_pool(images: Shape) -> Primitive:
    """The largest of each 2 x 2 window."""
    size, window = POOL
    return _plain(
        f"max_pool-{_times(images)}",
        {"x": images},
        lambda device, x: device.max_pool2d(x, size, **window),
        lambda torch, x: torch.nn.functional.max_pool2d(x, 2),
        prod(images),
        outputs=("y", "place"),
    )


def max_pool_gradient(images: Shape) -> Primitive:
    """The gradient of the images under 2 x 2 windows."""
    n, height, width, channels = images
    size, window = POOL

    def ours(device: Device, gy: Any, x: Any) -> Call:
        _, place = device.max_pool2d(x, size, **window)
        return lambda: (device.max_pool2d_grad(gy, place, images, size, **window),)

    def theirs(torch: Any, gy: Any, x: Any) -> Call:
        _, place = torch.nn.functional.max_pool2d_with_indices(x, 2)
        backward = torch.ops.aten.max_pool2d_with_indices_backward
        rest = ([2, 2], [2, 2], [0, 0], [1, 1], False)
        return lambda: (backward(gy, x, *rest, place),)

    return Primitive(
        f"max_pool-gradient-{_times(images)}",
        "fused",
        {"gy": (n, height // 2, width // 2, channels), "x": images},
        ("y",),
        ours,
        theirs,
        prod(images),
        nbytes=4 * prod(images) * 6 // 4,  # gx written, gy and the places read
    )


def dropout(n: int) -> Primitive:
    """Half of n numbers dropped. Torch draws other words, so what it drops is not compared."""
    name, inputs = f"dropout-{n}", {"x": (n,)}

    def ours(device: Device, x: Any) -> Call:
        return lambda: (device.dropout(x, 0.5, (1, 2), 3),)

    def theirs(torch: Any, x: Any) -> Call:
        def call() -> tuple[()]:
            torch.nn.functional.dropout(x, 0.5)
            return ()

        return call

    return Primitive(name, "fused", inputs, ("y",), ours, theirs, n)


def sgd(n: int) -> Primitive:
    """A step of SGD with momentum and weight decay over n parameters, in place."""
    rates = {"lr": 0.05, "momentum": 0.9, "weight_decay": 5e-4}

    def ours(device: Device, w: Any, g: Any, v: Any) -> Call:
        def call() -> tuple[Any, Any]:
            device.sgd_step(w, g, v, nesterov=False, **rates)
            return w, v

        return call

    def theirs(torch: Any, w: Any, g: Any, v: Any) -> Call:
        parameter = torch.nn.Parameter(w)
        parameter.grad = g
        optimizer = torch.optim.SGD([parameter], fused=True, **rates)
        optimizer.state[parameter]["momentum_buffer"] = v

        def call() -> tuple[Any, Any]:
            optimizer.step()
            return w, v

        return call

    inputs = {"w": (n,), "g": (n,), "v": (n,)}
    return Primitive(
        f"sgd-{n}", "fused", inputs, ("w", "v"), ours, theirs, 6 * n, in_place=True, nbytes=20 * n
    )


def _plain(
    name: str,
    inputs: dict[str, Any],
    ours: Callable[..., tuple[Any, ...]],
    function: Callable[..., Any],
    flops: int,
    outputs: tuple[str, ...] = ("y",),
) -> Primitive:
    """A primitive that prepares nothing, on either side."""
    return Primitive(
        name,
        "fused",
        inputs,
        outputs,
        lambda device, **arrays: lambda: ours(device, **arrays),
        _eager(function),
        flops,
        function=function,
    )


def _eager(function: Callable[..., Any]) -> Callable[..., Call]:
    return lambda torch, **tensors: lambda: (function(torch, **tensors),)


def _torch_bias_relu(torch: Any, x: Any, bias: Any) -> Any:
    return torch.relu(x + bias)


def _times(shape: Shape) -> str:
    return "x".join(map(str, shape))
