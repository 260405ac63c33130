"""Module: a function with parameters. Nothing is registered; a module's attributes say it all.

A `Parameter` among the attributes is trained, any other `Tensor` is a buffer (state that training
moves but no gradient does), a `Module` is a child. Names are the paths of attributes: `0.weight`.
"""

from collections.abc import Iterator, Mapping
from typing import Any, TypeVar

import numpy as np

from minidecay.autograd import Tensor, no_grad
from minidecay.devices import Device
from minidecay.devices import device as find_device

Self = TypeVar("Self", bound="Module")


class Parameter(Tensor):
    """A tensor that is trained: a leaf that requires a gradient.

    Args:
        array: the first values, floats; copied.
    """

    __slots__ = ()

    def __init__(self, array: np.ndarray, device: str | Device = "cpu") -> None:
        where = find_device(device)
        super().__init__(where.from_numpy(array), where)
        self.requires_grad = True


class Module:
    """Base of all layers and models: give `forward`, and call the module itself.

    >>> from minidecay import nn
    >>> nn.Sequential(nn.Linear(2, 3), nn.ReLU())
    Sequential(
      (0): Linear(2, 3)
      (1): ReLU()
    )
    """

    training = True

    def forward(self, x: Tensor) -> Tensor:
        """The output for the input x."""
        raise NotImplementedError(f"{type(self).__name__} has no forward; define it")

    def __call__(self, x: Tensor) -> Tensor:
        return self.forward(x)

    def children(self) -> Iterator[tuple[str, "Module"]]:
        """The modules directly inside, with their names."""
        return ((name, v) for name, v in vars(self).items() if isinstance(v, Module))

    def modules(self) -> Iterator["Module"]:
        """This module and all inside it, outer before inner."""
        yield self
        for _, child in self.children():
            yield from child.modules()

    def named_tensors(self, prefix: str = "") -> Iterator[tuple[str, Tensor]]:
        """Parameters and buffers of this module and all inside it, with their paths."""
        for name, value in vars(self).items():
            if isinstance(value, Tensor):
                yield prefix + name, value
        for name, child in self.children():
            yield from child.named_tensors(f"{prefix}{name}.")

    def named_parameters(self) -> Iterator[tuple[str, Parameter]]:
        """The trained tensors, with their paths; one that is used twice comes once."""
        seen: set[int] = set()
        for name, value in self.named_tensors():
            if isinstance(value, Parameter) and id(value) not in seen:
                seen.add(id(value))
                yield name, value

    def parameters(self) -> Iterator[Parameter]:
        """The trained tensors."""
        return (parameter for _, parameter in self.named_parameters())

    def state_dict(self) -> dict[str, np.ndarray]:
        """Copies of all parameters and buffers, as NumPy arrays by path."""
        return {name: value.numpy().copy() for name, value in self.named_tensors()}

    def load_state_dict(self, state: Mapping[str, Any]) -> None:
        """Write `state` into the parameters and buffers; all of it fits, or nothing is written.

        Raises:
            ValueError: names are missing or unknown, or shapes or dtypes differ; each is listed.
        """
        own = dict(self.named_tensors())
        given = {name: np.asarray(value) for name, value in state.items()}
        problems = [f"missing {name} {own[name].shape}" for name in own if name not in given]
        problems += [f"unknown {name} {given[name].shape}" for name in given if name not in own]
        for name in own.keys() & given.keys():
            mine, theirs = own[name], given[name]
            if mine.shape != theirs.shape or mine.dtype != theirs.dtype:
                problems.append(
                    f"{name} is {theirs.dtype} {theirs.shape}, the model's {mine.dtype} {mine.shape}"
                )
        if problems:
            raise ValueError("load_state_dict: " + "; ".join(sorted(problems)))
        with no_grad():
            for name, tensor in own.items():
                tensor[...] = given[name]

    def train(self: Self, mode: bool = True) -> Self:
        """Switch to training: batch statistics, dropout on. Returns the module."""
        for module in self.modules():
            module.training = mode
        return self

    def eval(self: Self) -> Self:
        """Switch to inference: running statistics, dropout off. Returns the module."""
        return self.train(False)

    def to(self: Self, device: str | Device) -> Self:
        """Move parameters and buffers to `device`; make the optimiser afterwards. Returns itself."""
        where = find_device(device)
        for module in self.modules():
            for name, value in list(vars(module).items()):
                if isinstance(value, Parameter) and value.device is not where:
                    setattr(module, name, Parameter(value.numpy(), where))
                elif isinstance(value, Tensor):
                    setattr(module, name, value.to(where))
        return self

    @property
    def device(self) -> Device:
        """Where the parameters and buffers are; `cpu` where there are none."""
        return next((value.device for _, value in self.named_tensors()), find_device("cpu"))

    def describe(self) -> str:
        """What stands between the brackets of `repr`: the layer's settings."""
        return ""

    def __repr__(self) -> str:
        children = list(self.children())
        if not children:
            return f"{type(self).__name__}({self.describe()})"
        lines = [f"  ({name}): " + repr(child).replace("\n", "\n  ") for name, child in children]
        return "\n".join([f"{type(self).__name__}(", *lines, ")"])
