"""Weights to and from torch: the same names, other layouts.

    layer                       here                        torch
    Linear.weight               (inputs, outputs)           (outputs, inputs)
    Conv2d.weight               (kh, kw, C_in, C_out)       (C_out, C_in, kh, kw)
    ConvTranspose2d.weight      (kh, kw, C_in, C_out)       (C_in, C_out, kh, kw)
    after Flatten of images     (height, width, channels)   (channels, height, width)
    BatchNorm                   -                           num_batches_tracked beside
    Dropout.state               a buffer here               -

The layout goes by the type of the module that holds a tensor, never by its number of axes. What is
not in the table is the same on both sides.
"""

import math
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from importlib import import_module
from typing import Any

import numpy as np
from numpy.typing import NDArray

from minidecay.autograd import Tensor
from minidecay.devices.protocol import Shape
from minidecay.exchange.flattening import flattened, named_modules
from minidecay.nn import BatchNorm1d, BatchNorm2d, Conv2d, ConvTranspose2d, Dropout, Linear, Module
from minidecay.nn.module import check_module


def to_torch(
    model: Module, input_shape: Shape | None = None, tensors: bool = True
) -> dict[str, Any]:
    """The weights of `model` in torch's layouts, for `torch_model.load_state_dict`.

    Args:
        model: its modules have the names that they have in torch.
        input_shape: of one example, such as (32, 32, 3) or (784,); needed where there is a
            `Flatten`, as torch flattens channels first.
        tensors: give torch's tensors; else NumPy arrays, which needs no torch.

    Returns:
        Tensors or arrays by name, copies all, on the CPU.

    Raises:
        ValueError: there is a `Flatten` and no `input_shape`; one that does not fit the model; or
            what is flattened there goes into no `Linear`.
        ImportError: tensors are wanted, and torch is missing.

    >>> import minidecay as md
    >>> model = md.models.small_cnn(channels=3, size=8, hidden=None)
    >>> state = to_torch(model, (8, 8, 3), tensors=False)
    >>> state["0.weight"].shape, state["9.weight"].shape, state["1.num_batches_tracked"]
    ((16, 3, 3, 3), (10, 128), array(0))
    """
    check_module("to_torch: model", model)
    state: dict[str, Any] = {}
    for name, (layout, value) in _exchanged("to_torch", model, input_shape).items():
        state[name] = np.array(layout.to_torch(value.numpy()), order="C")
    state |= {name: np.array(0) for name in _counts(model)}
    if not tensors:
        return state
    try:
        torch = import_module("torch")
    except ImportError as error:
        raise ImportError(
            f"to_torch: torch cannot be imported ({error}); install it, or pass tensors=False"
        ) from error
    return {name: torch.from_numpy(value) for name, value in state.items()}


def from_torch(
    state_dict: Mapping[str, Any], model: Module, input_shape: Shape | None = None
) -> dict[str, NDArray[Any]]:
    """Weights in torch's layouts as `model` has them, for `model.load_state_dict`.

    Args:
        state_dict: tensors of torch, or arrays, by name; floats become those of `model`.
        model: its modules have the names that they have in torch. It is not changed.
        input_shape: of one example, such as (32, 32, 3) or (784,); needed where there is a
            `Flatten`, as torch flattens channels first.

    Returns:
        Arrays by name, copies all. A `Dropout` keeps the state that it has in `model`.

    Raises:
        ValueError: names are missing or unknown, shapes differ, or integers stand where `model`
            has floats; each is listed. Or what `to_torch` raises it for.
        TypeError: `state_dict` is no dict, or `model` no Module of ours.

    >>> import minidecay as md
    >>> ours = md.nn.Sequential(md.nn.Linear(3, 2))
    >>> theirs = {"0.weight": np.ones((2, 3)), "0.bias": np.zeros(2)}
    >>> ours.load_state_dict(from_torch(theirs, ours))
    >>> ours[0].weight.shape
    (3, 2)
    """
    check_module("from_torch: model", model)
    if not isinstance(state_dict, Mapping):
        raise TypeError(
            f"from_torch: state_dict is of type {type(state_dict).__name__}; "
            "pass torch_model.state_dict(), and the model after it"
        )
    exchanged, counts = _exchanged("from_torch", model, input_shape), _counts(model)
    given = {name: _array(value) for name, value in state_dict.items() if name not in counts}
    if problems := sorted(_problems(exchanged, given)):
        raise ValueError("from_torch: " + "; ".join(problems))
    state = model.state_dict()
    for name, (layout, value) in exchanged.items():
        state[name] = layout.from_torch(given[name]).astype(value.dtype, order="C")
    return state


@dataclass(frozen=True)
class _Layout:
    """How an array lies: `ours` here, `theirs` in torch.

    Between them stands `parted`, which is `ours` with the axis of flattened images parted again,
    and `axes`, the order in which torch has its axes.
    """

    ours: Shape
    parted: Shape
    axes: Shape
    theirs: Shape

    def to_torch(self, x: NDArray[Any]) -> NDArray[Any]:
        return x.reshape(self.parted).transpose(self.axes).reshape(self.theirs)

    def from_torch(self, x: NDArray[Any]) -> NDArray[Any]:
        permuted = x.reshape([self.parted[axis] for axis in self.axes])
        return permuted.transpose(np.argsort(self.axes)).reshape(self.ours)


def _layout(module: Module, name: str, shape: Shape, image: Shape | None) -> _Layout:
    """Of the tensor `name` of `module`, whose inputs are flattened images of shape `image`."""
    if isinstance(module, Conv2d) and name == "weight":
        kh, kw, c_in, c_out = shape
        return _Layout(shape, shape, (3, 2, 0, 1), (c_out, c_in, kh, kw))
    if isinstance(module, ConvTranspose2d) and name == "weight":
        kh, kw, c_in, c_out = shape
        return _Layout(shape, shape, (2, 3, 0, 1), (c_in, c_out, kh, kw))
    if isinstance(module, Linear) and name == "weight":
        inputs, outputs = shape
        if image is None:
            return _Layout(shape, shape, (1, 0), (outputs, inputs))
        return _Layout(shape, (*image, outputs), (3, 2, 0, 1), (outputs, inputs))
    if image is not None and shape == (math.prod(image),) and not isinstance(module, Linear):
        return _Layout(shape, image, (2, 0, 1), shape)
    return _Layout(shape, shape, tuple(range(len(shape))), shape)


_Exchanged = dict[str, tuple[_Layout, Tensor]]


def _exchanged(where: str, model: Module, input_shape: Shape | None) -> _Exchanged:
    """The tensors that both sides have, by name, and how they lie."""
    images = flattened(where, model, input_shape)
    found = {}
    for prefix, module in named_modules(model):
        for name, value in vars(module).items():
            if isinstance(value, Tensor) and not isinstance(module, Dropout):
                layout = _layout(module, name, value.shape, images.get(id(module)))
                found[prefix + name] = layout, value
    return found


def _problems(exchanged: _Exchanged, given: Mapping[str, NDArray[Any]]) -> Iterator[str]:
    """What keeps the arrays `given`, in torch's layouts, from being those that are exchanged."""
    for name, (layout, value) in exchanged.items():
        if name not in given:
            yield f"missing {name} {layout.theirs}"
        elif given[name].shape != layout.theirs:
            yield f"{name} is {given[name].shape}, that of the model in torch {layout.theirs}"
        elif (given[name].dtype.kind == "f") != (value.dtype.kind == "f"):
            yield f"{name} is {given[name].dtype}, that of the model {value.dtype}"
    yield from (f"unknown {name} {given[name].shape}" for name in given if name not in exchanged)


def _counts(model: Module) -> list[str]:
    """The names of what torch's batch norms count their batches in; ours have no use for it."""
    norms = (BatchNorm1d, BatchNorm2d)
    names = [prefix for prefix, module in named_modules(model) if isinstance(module, norms)]
    return [f"{prefix}num_batches_tracked" for prefix in names]


def _array(value: Any) -> NDArray[Any]:
    """The values of a tensor of torch, which is not imported for it, or of any array."""
    if hasattr(value, "detach") and hasattr(value, "cpu"):
        value = value.detach().cpu()
        if str(value.dtype) == "torch.bfloat16":
            value = value.float()  # NumPy has no such dtype, and float32 holds all its values
    return np.asarray(value)
