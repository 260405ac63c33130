"""A model as a table: its layers, the shapes they give, parameters, and FLOPs."""

import math
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any

import numpy as np

from minidecay.autograd import Tensor, no_grad, tensor
from minidecay.look.watching import watching
from minidecay.nn import Module, Parameter
from minidecay.nn.module import check_module
from minidecay.ops.base import Op
from minidecay.tables import table


@dataclass
class Layer:
    """A module and what a forward pass showed of it, its children not included.

    Attributes:
        name: its path, "" for the whole model.
        shape: of its last output, or None where it did not run.
        parameters: how many numbers of its own are trained.
        flops: two for each multiply-add of its own matrix products and convolutions.
    """

    name: str
    module: Module
    shape: tuple[int, ...] | None = None
    parameters: int = 0
    flops: int = 0


def summary(model: Module, shape: "Sequence[int] | Tensor | np.ndarray") -> None:
    """Print the layers of `model`, each with its weight, what it gives, its parameters and FLOPs.

    The model runs once, in evaluation mode and without a graph. FLOPs are those of the forward
    pass: two for each multiply-add of products and convolutions, none for what is elementwise.

    Args:
        shape: of the input with its batch, such as (1, 32, 32, 3); or an input itself, where
            zeros will not do.

    Raises:
        ValueError, TypeError: the input does not fit the model; as the layer says it.

    >>> md.summary(md.models.mlp(4, 8, 3), (2, 4))
    layer               output  parameters  FLOPs
    ------------------  ------  ----------  -----
    Sequential          (2, 3)
      0: Flatten        (2, 4)
      1: Linear (4, 8)  (2, 8)          40    128
      2: ReLU           (2, 8)
      3: Linear (8, 3)  (2, 3)          27     96
    in all                              67    224
    """
    check_module("summary: model", model)
    found = layers(model, shape)
    body = [
        [
            _title(layer),
            "-" if layer.shape is None else str(layer.shape),
            f"{layer.parameters:,}" if layer.parameters else "",
            short(layer.flops) if layer.flops else "",
        ]
        for layer in found
    ]
    trained = sum(parameter.size for parameter in model.parameters())  # one used twice counts once
    body.append(["in all", "", f"{trained:,}", short(sum(layer.flops for layer in found))])
    lines = table(["layer", "output", "parameters", "FLOPs"], body)
    print("\n".join(line.rstrip() for line in lines.splitlines()))


def layers(model: Module, shape: "Sequence[int] | Tensor | np.ndarray") -> list[Layer]:
    """The model and all modules inside it, outer before inner, after a forward pass."""
    found = [Layer(name, module) for name, module in _named(model)]
    by_id = {id(layer.module): layer for layer in reversed(found)}
    for layer in found:
        own = [v for v in vars(layer.module).values() if isinstance(v, Parameter)]
        layer.parameters = sum(parameter.size for parameter in own)
    x, running = _input(model, shape), [found[0]]

    def report(op: Op, name: str, given: tuple[Any, ...], result: Any, seconds: float) -> None:
        running[-1].flops += flops(op, given, result)

    with no_grad(), _in_evaluation(model), _followed(by_id, running), watching(report):
        model(x)
    return found


def flops(op: Op, given: Sequence[Any], result: Any) -> int:
    """Two for each multiply-add of a product or a convolution, else 0."""
    if op.name in ("linear", "matmul"):
        return 2 * int(result.size) * int(given[0].shape[-1])
    if op.name == "conv2d":
        return 2 * int(result.size) * int(math.prod(given[1].shape[:3]))
    if op.name == "conv_transpose2d":
        kh, kw, _, c_out = given[1].shape
        return 2 * int(given[0].size) * int(kh * kw * c_out)
    return 0


def short(n: int) -> str:
    """A count in three digits.

    >>> short(999), short(12_345), short(790_000_000)
    ('999', '12.3 K', '790 M')
    """
    for unit, name in ((10**12, "T"), (10**9, "G"), (10**6, "M"), (10**3, "K")):
        if n >= unit:
            return f"{n / unit:.3g} {name}"
    return str(n)


def _title(layer: Layer) -> str:
    depth = layer.name.count(".") + bool(layer.name)
    name = layer.name.rpartition(".")[2]
    kind, weight = type(layer.module).__name__, getattr(layer.module, "weight", None)
    if isinstance(weight, Tensor):
        kind += f" {weight.shape}"
    return "  " * depth + (f"{name}: {kind}" if name else kind)


def _named(module: Module, name: str = "") -> Iterator[tuple[str, Module]]:
    yield name, module
    for own, child in module.children():
        yield from _named(child, f"{name}.{own}".lstrip("."))


def _input(model: Module, shape: "Sequence[int] | Tensor | np.ndarray") -> Tensor:
    if isinstance(shape, Tensor | np.ndarray):
        return tensor(shape, device=model.device)
    dtype = next((parameter.dtype for parameter in model.parameters()), np.float32)
    return tensor(np.zeros(tuple(shape), dtype), device=model.device)


@contextmanager
def _in_evaluation(model: Module) -> Iterator[None]:
    modes = [(module, module.training) for module in model.modules()]
    model.eval()
    try:
        yield
    finally:
        for module, training in modes:
            module.training = training


@contextmanager
def _followed(by_id: dict[int, Layer], running: list[Layer]) -> Iterator[None]:
    """Have each module tell when it runs, and the shape of what it gives."""

    def following(layer: Layer, forward: Any) -> Any:
        def follow(*inputs: Any, **options: Any) -> Any:
            running.append(layer)
            try:
                y = forward(*inputs, **options)
            finally:
                running.pop()
            layer.shape = getattr(y, "shape", None)
            return y

        return follow

    for layer in by_id.values():
        vars(layer.module)["forward"] = following(layer, layer.module.forward)
    try:
        yield
    finally:
        for layer in by_id.values():
            vars(layer.module).pop("forward", None)
