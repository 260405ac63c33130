"""The one list of what is timed: the same work by minidecay and by torch, from the same numbers.

To add a case, add an entry to `CASES`; table, pytest and tests all read it.
"""

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from itertools import cycle
from typing import Any, Literal

import numpy as np

import minidecay as md

Arrays = Mapping[str, np.ndarray]
Batch = tuple[np.ndarray, np.ndarray]  # images or features (N, ...), labels (N,)
Shape = tuple[int, ...]
Step = Callable[[], Any]

MOMENTUM, WEIGHT_DECAY = 0.9, 5e-4
CLASSES = 10
BATCHES = 4  # taken in turn


@dataclass(frozen=True)
class Case:
    """The same work by two libraries.

    `ours` and `theirs` each set it up afresh and return a step: a function that does the work once
    and returns what the two must agree on, a training step its loss (a float), an operation its
    output and gradients (arrays, in our layouts). `theirs` raises ImportError without torch.
    """

    name: str
    kind: Literal["step", "operation"]
    ours: Callable[[], Step]
    theirs: Callable[[], Step]


def training_step(
    name: str, shape: Shape, lr: float, model: Callable[[np.random.Generator], md.nn.Sequential]
) -> Case:
    """Forward, loss, backward and SGD on NumPy batches of `shape`, for the network `model(rng)`."""

    def made() -> tuple[md.nn.Sequential, Iterator[Batch]]:
        rng = md.random.stream(0, "batches")
        batches = [
            (rng.standard_normal(shape, np.float32), rng.integers(CLASSES, size=shape[0]))
            for _ in range(BATCHES)
        ]
        return model(md.random.stream(0, "init")), cycle(batches)

    def ours() -> Step:
        network, batches = made()
        optimizer = md.optim.SGD(network.parameters(), lr, MOMENTUM, WEIGHT_DECAY)

        def step() -> float:
            x, labels = next(batches)
            optimizer.zero_grad()
            loss = md.functions.cross_entropy(network(md.from_numpy(x)), labels)
            loss.backward()
            optimizer.step()
            return float(loss)

        return step

    def theirs() -> Step:
        from benchmarks import torch_side

        network, batches = made()
        return torch_side.training_step(network, batches, lr, MOMENTUM, WEIGHT_DECAY)

    return Case(name, "step", ours, theirs)


def operation(
    name: str,
    shapes: Mapping[str, Shape],
    function: Callable[..., md.Tensor],
    in_torch: Callable[..., Any],
) -> Case:
    """`function(x, ...)` and the gradients of its inputs; `in_torch(torch, x, ...)` is its twin.

    Inputs come in the order of `shapes`. Torch gets them in its layouts: a 4-dimensional "w" is a
    convolution's weights, any other 4-dimensional input is images.
    """

    def made() -> tuple[Arrays, np.ndarray]:
        rng = md.random.stream(0, name)
        arrays = {key: rng.standard_normal(shape, np.float32) for key, shape in shapes.items()}
        y = function(*map(md.tensor, arrays.values()))
        return arrays, rng.standard_normal(y.shape, np.float32)

    def ours() -> Step:
        arrays, gy = made()
        leaves = [md.tensor(array, requires_grad=True) for array in arrays.values()]
        gradient = md.tensor(gy)

        def step() -> Sequence[np.ndarray]:
            for leaf in leaves:
                leaf.grad = None
            y = function(*leaves)
            y.backward(gradient)
            return [y.numpy(), *(leaf.grad.numpy() for leaf in leaves if leaf.grad is not None)]

        return step

    def theirs() -> Step:
        from benchmarks import torch_side

        return torch_side.operation(in_torch, *made())

    return Case(name, "operation", ours, theirs)


def mlp(*widths: int, batch: int, batch_norm: bool = False) -> Case:
    """A training step of a fully connected network."""
    name = "-".join(["mlp", *(["bn"] if batch_norm else []), *map(str, widths), f"b{batch}"])
    return training_step(
        name,
        (batch, widths[0]),
        0.05,
        lambda rng: md.models.mlp(*widths, batch_norm=batch_norm, rng=rng),
    )


def cnn(*widths: int, size: int, batch: int) -> Case:
    """A training step of a convolutional network with batch norm, on colour images."""
    name = "-".join(["cnn", *map(str, widths), f"b{batch}"])
    return training_step(
        name,
        (batch, size, size, 3),
        0.002,  # larger ones blow a last digit up beyond the tolerance within ten steps
        lambda rng: md.models.small_cnn(size=size, widths=widths, hidden=None, rng=rng),
    )


CASES = (
    mlp(3072, 256, 256, 10, batch=64),
    mlp(3072, 256, 256, 10, batch=128),
    mlp(64, 64, 10, batch=32),
    mlp(192, 256, 256, 10, batch=64, batch_norm=True),  # the demo's
    cnn(16, 32, 64, size=32, batch=64),
    operation(
        "matmul-512",
        {"a": (512, 512), "b": (512, 512)},
        md.functions.matmul,
        lambda torch, a, b: torch.matmul(a, b),
    ),
    operation(
        "conv2d-3x3-32-b64",
        {"x": (64, 16, 16, 32), "w": (3, 3, 32, 32)},
        lambda x, w: md.functions.conv2d(x, w, padding=1),
        lambda torch, x, w: torch.conv2d(x, w, padding=1),
    ),
    operation(
        "batch_norm-32-b64",
        {"x": (64, 16, 16, 32), "gamma": (32,), "beta": (32,)},
        md.functions.batch_norm,
        lambda torch, x, gamma, beta: torch.nn.functional.batch_norm(
            x, None, None, gamma, beta, training=True
        ),
    ),
)
