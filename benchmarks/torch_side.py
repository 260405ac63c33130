"""The other side: torch eager as one writes it, channels_last and with the fused SGD.

Needs torch; `cases.py` imports this only when a case is to be held against it.
"""

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from itertools import cycle
from typing import Any

import numpy as np
import torch

import minidecay as md
from benchmarks.case import Arrays, Batch, Step
from benchmarks.primitive import Call, Primitive

GPU = "cuda"
IMAGES, WEIGHTS = (0, 3, 1, 2), (3, 2, 0, 1)  # NHWC to NCHW, HWIO to OIHW


class FlattenImages(torch.nn.Module):
    """Flatten in our order, NHWC, which for channels_last memory is a view."""

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        return x.permute(0, 2, 3, 1).flatten(1)


def training_step(
    model: md.nn.Sequential,
    batches: Iterator[Batch],
    lr: float,
    momentum: float,
    weight_decay: float,
) -> Step:
    """The training step of `model`'s twin on the same batches."""
    network = twin(model)
    optimizer = sgd(network.parameters(), lr, momentum, weight_decay)

    def step() -> float:
        images, labels = next(batches)
        x = torch.from_numpy(images)
        if x.ndim == 4:
            x = x.permute(IMAGES)  # a view, and channels_last as it is
        optimizer.zero_grad(set_to_none=True)
        loss = torch.nn.functional.cross_entropy(network(x), torch.from_numpy(labels))
        loss.backward()  # type: ignore[no-untyped-call]
        optimizer.step()
        return loss.item()

    return step


def gpu_training_step(
    model: md.nn.Sequential,
    batches: Sequence[Batch],
    lr: float,
    momentum: float,
    weight_decay: float,
    compiled: bool = False,
) -> Step:
    """The same on batches in the GPU's memory; the loss stays there. `compiled`: torch.compile."""
    network = twin(model).to(GPU)
    optimizer = sgd(network.parameters(), lr, momentum, weight_decay)
    placed = cycle([[on_gpu(images), on_gpu(labels)] for images, labels in batches])

    def loss_of(x: torch.Tensor, labels: torch.Tensor) -> torch.Tensor:
        return torch.nn.functional.cross_entropy(network(x), labels)

    forward = torch.compile(loss_of) if compiled else loss_of

    def step() -> torch.Tensor:
        x, labels = next(placed)
        optimizer.zero_grad(set_to_none=True)
        loss = forward(x, labels)
        loss.backward()  # type: ignore[no-untyped-call]
        optimizer.step()
        return loss.detach()

    return step


def views(arrays: Mapping[str, Any]) -> dict[str, torch.Tensor]:
    """CuPy's arrays as tensors in the same memory; only a convolution's weights are a copy.

    Images in NHWC are torch's channels_last as they lie; weights torch wants in an order of its
    own.
    """
    tensors = {}
    for name, array in arrays.items():
        tensor = torch.utils.dlpack.from_dlpack(array).permute(_order(name, array.ndim))
        is_weights = name == "w" and array.ndim == 4
        tensors[name] = (
            tensor.contiguous(memory_format=torch.channels_last) if is_weights else tensor
        )
    return tensors


def on_gpu(array: np.ndarray) -> torch.Tensor:
    """A copy; images come in channels_last."""
    tensor = torch.from_numpy(array)
    return (tensor.permute(IMAGES) if tensor.ndim == 4 else tensor).to(GPU)


@contextmanager
def precision(name: str) -> Iterator[None]:
    """Within it torch's products and convolutions are "fp32", or may be "tf32".

    Left alone, torch computes convolutions in TF32 and products in float32.
    """
    products, convolutions = torch.backends.cuda.matmul, torch.backends.cudnn
    before = products.allow_tf32, convolutions.allow_tf32
    products.allow_tf32 = convolutions.allow_tf32 = name == "tf32"
    try:
        yield
    finally:
        products.allow_tf32, convolutions.allow_tf32 = before


def operation(function: Callable[..., Any], arrays: Arrays, gy: np.ndarray) -> Step:
    """`function(torch, ...)` and its gradients, the results seen in our layouts."""
    orders = [_order(name, array.ndim) for name, array in arrays.items()]
    leaves = [
        _to_torch(array, order).requires_grad_()
        for array, order in zip(arrays.values(), orders, strict=True)
    ]
    gradient = _to_torch(gy, _order("y", gy.ndim))
    back = [np.argsort(order).tolist() for order in (_order("y", gy.ndim), *orders)]

    def step() -> list[torch.Tensor]:
        for leaf in leaves:
            leaf.grad = None
        y = function(torch, *leaves)
        y.backward(gradient)
        results = [y.detach(), *(leaf.grad for leaf in leaves if leaf.grad is not None)]
        return [result.permute(order) for result, order in zip(results, back, strict=True)]

    return step


def primitive(case: Primitive, drawn: Arrays) -> Call:
    """A primitive's call on tensors of these values, its outputs seen in our layouts."""
    tensors = {name: _to_torch(x, _order(name, x.ndim)) for name, x in drawn.items()}
    return seen_as_ours(case, case.theirs(torch, **tensors))


def seen_as_ours(case: Primitive, call: Call) -> Call:
    """The same call, its outputs permuted into our layouts."""

    def seen() -> list[torch.Tensor]:
        return [
            y.detach().permute(np.argsort(_order(name, y.ndim)).tolist())
            for name, y in zip(case.outputs, call(), strict=False)  # they may be fewer
        ]

    return seen


def twin(model: md.nn.Sequential) -> torch.nn.Sequential:
    """`model` in torch, with its weights, in channels_last.

    Raises:
        TypeError: it has a layer that this file does not know yet.
    """
    layers = [layer for _, layer in model.children()]
    if isinstance(layers[0], md.nn.Flatten):  # our batches are flat before they get there
        del layers[0]
    network = torch.nn.Sequential(*map(_layer, layers))
    network.to(memory_format=torch.channels_last)  # type: ignore[call-overload]
    return network


def sgd(
    parameters: Iterable[torch.nn.Parameter], lr: float, momentum: float, weight_decay: float
) -> torch.optim.SGD:
    """The fused SGD; a torch that has none for the CPU (before 2.4) gives its plain one."""
    kept = list(parameters)
    try:
        return torch.optim.SGD(kept, lr, momentum, weight_decay=weight_decay, fused=True)
    except (TypeError, RuntimeError):
        return torch.optim.SGD(kept, lr, momentum, weight_decay=weight_decay)


def report() -> dict[str, Any]:
    """The torch in use: version, threads, instruction set, and what these cases ask of it."""
    fused = sgd([torch.nn.Parameter(torch.zeros(1))], 0.1, 0.9, 0.0).defaults.get("fused")
    return {
        "version": torch.__version__,
        "threads": torch.get_num_threads(),
        "instructions": torch.backends.cpu.get_cpu_capability(),
        "mkl": torch.backends.mkl.is_available(),  # type: ignore[no-untyped-call]
        "onednn": torch.backends.mkldnn.is_available(),  # type: ignore[no-untyped-call]
        "fused_sgd": bool(fused),
    }


def _layer(layer: md.nn.Module) -> torch.nn.Module:
    bias = getattr(layer, "bias", None) is not None
    copy: torch.nn.Module
    match layer:
        case md.nn.Linear():
            inputs, outputs = layer.weight.shape
            copy = torch.nn.Linear(inputs, outputs, bias)
        case md.nn.Conv2d():
            kh, kw, channels, filters = layer.weight.shape
            copy = torch.nn.Conv2d(
                channels, filters, (kh, kw), layer.stride, layer.padding, bias=bias
            )
        case md.nn.BatchNorm1d():
            copy = torch.nn.BatchNorm1d(layer.weight.size, layer.eps, layer.momentum)
        case md.nn.BatchNorm2d():
            copy = torch.nn.BatchNorm2d(layer.weight.size, layer.eps, layer.momentum)
        case md.nn.ReLU():
            copy = torch.nn.ReLU(inplace=True)
        case md.nn.MaxPool2d():
            copy = torch.nn.MaxPool2d(layer.size, layer.stride, layer.padding)
        case md.nn.Flatten():
            copy = FlattenImages()
        case _:
            raise TypeError(f"{type(layer).__name__} has no twin in torch_side.py; add it there")
    with torch.no_grad():
        for name, parameter in copy.named_parameters():
            values = getattr(layer, name).numpy()
            order = {1: (0,), 2: (1, 0), 4: WEIGHTS}[values.ndim]
            parameter.copy_(_to_torch(values, order))
    return copy


def _order(name: str, ndim: int) -> tuple[int, ...]:
    if ndim < 4:
        return tuple(range(ndim))
    return WEIGHTS if name == "w" else IMAGES


def _to_torch(array: np.ndarray, order: tuple[int, ...]) -> torch.Tensor:
    """A copy with its axes in torch's order; images and convolution weights in channels_last."""
    copy = torch.tensor(array).permute(order)
    if copy.ndim == 4:
        return copy.contiguous(memory_format=torch.channels_last)
    return copy.contiguous()
