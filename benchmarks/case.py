"""What a case is: the same work by minidecay and by torch, from the same numbers."""

from collections.abc import Callable, Mapping, Sequence
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
    and returns what the two must agree on, a training step its loss, an operation its output and
    gradients (arrays, in our layouts). `theirs` raises ImportError without torch.

    On a CPU a training step begins at NumPy's batch and ends with a float; ours is captured, as
    `fit` trains. `ours("cuda")` and
    `theirs("cuda")` begin at batches in the GPU's memory and leave the loss there, so that nothing
    is waited for; `theirs("cuda", compiled=True)` goes through torch.compile.
    """

    name: str
    kind: Literal["step", "operation", "primitive"]
    ours: Callable[..., Step]
    theirs: Callable[..., Step]


def training_step(
    name: str, shape: Shape, lr: float, model: Callable[[np.random.Generator], md.nn.Sequential]
) -> Case:
    """Forward, loss, backward and SGD on NumPy batches of `shape`, for the network `model(rng)`."""

    def made() -> tuple[md.nn.Sequential, list[Batch]]:
        rng = md.random.stream(0, "batches")
        batches = [
            (rng.standard_normal(shape, np.float32), rng.integers(CLASSES, size=shape[0]))
            for _ in range(BATCHES)
        ]
        return model(md.random.stream(0, "init")), batches

    def ours(device: str = "cpu") -> Step:
        network, drawn = made()
        network.to(device)
        optimizer = md.optim.SGD(network.parameters(), lr, MOMENTUM, WEIGHT_DECAY)

        def step(x: md.Tensor, labels: Any) -> md.Tensor:
            optimizer.zero_grad()
            loss = md.functions.cross_entropy(network(x), labels)
            loss.backward()
            optimizer.step()
            return loss

        if device == "cpu":
            captured = md.capture(lambda x, labels: step(md.from_numpy(x), labels))
            batches = cycle(drawn)
            return lambda: float(captured(*next(batches)))
        there = cycle([[md.tensor(x, device=device) for x in batch] for batch in drawn])
        return lambda: step(*next(there))

    def theirs(device: str = "cpu", compiled: bool = False) -> Step:
        from benchmarks import torch_side

        network, batches = made()
        rates = (lr, MOMENTUM, WEIGHT_DECAY)
        if device == "cpu":
            return torch_side.training_step(network, cycle(batches), *rates)
        return torch_side.gpu_training_step(network, batches, *rates, compiled=compiled)

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
