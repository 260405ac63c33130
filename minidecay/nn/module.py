"""Module: a function with parameters. Nothing is registered; a module's attributes say it all.

A `Parameter` among the attributes is trained, any other `Tensor` is a buffer (state that training
moves but no gradient does), a `Module` is a child. Names are the paths of attributes: `0.weight`.
Several are held in a `Sequential`, a `ModuleList` or a `ModuleDict`, never in a plain list or dict.
"""

from collections.abc import Iterator, Mapping
from typing import TYPE_CHECKING, Any, TypeVar

import numpy as np

from minidecay import hints, recording
from minidecay.autograd import Tensor, no_grad, tensor
from minidecay.devices import Device
from minidecay.devices import device as find_device

Self = TypeVar("Self", bound="Module")


class Parameter(Tensor):
    """A tensor that is trained: a leaf that requires a gradient.

    Args:
        array: the first values, as `minidecay.tensor` takes them; copied.

    Raises:
        TypeError: the values are no floats.

    >>> nn.Parameter([1, 2])
    Parameter containing:
    tensor([1., 2.], requires_grad=True)
    """

    __slots__ = ()

    def __init__(self, array: Any, device: str | Device = "cpu") -> None:
        values = tensor(array, device=device)
        super().__init__(values.data, values.device)
        self.requires_grad = True

    def __repr__(self) -> str:
        return f"Parameter containing:\n{super().__repr__()}"


class Module:
    """Base of all layers and models: give `forward`, and call the module itself.

    >>> import minidecay as md
    >>> class Scale(Module):
    ...     def __init__(self):
    ...         self.factor = Parameter([2.0])
    ...
    ...     def forward(self, x):
    ...         return self.factor * x
    >>> model = md.nn.Sequential(Scale(), md.nn.ReLU())
    >>> model(md.tensor([-1.0, 3.0])).numpy()
    array([0., 6.], dtype=float32)
    >>> [name for name, _ in model.named_parameters()]
    ['0.factor']
    """

    training = True

    def forward(self, *inputs: Any, **options: Any) -> Tensor:
        """The output for the inputs; a layer names its own, most take one tensor x."""
        raise NotImplementedError(f"{type(self).__name__} has no forward; define it")

    def __call__(self, *inputs: Any, **options: Any) -> Tensor:
        if (record := recording.current()) is not None:
            record.ran(self)
        return self.forward(*inputs, **options)

    def children(self) -> Iterator[tuple[str, "Module"]]:
        """The modules directly inside, with their names.

        Raises:
            TypeError: an attribute is a list, tuple or dict of modules or parameters, which no one
                would find to train, save or move.
        """
        for name, value in vars(self).items():
            if isinstance(value, Module):
                yield name, value
            elif isinstance(value, list | tuple | dict):
                held = value.values() if isinstance(value, dict) else value
                if any(isinstance(v, Module | Parameter) for v in held):
                    raise TypeError(
                        f"{type(self).__name__}: what the {type(value).__name__} {name!r} holds "
                        "would not be trained; use Sequential(*modules), ModuleList or "
                        "ModuleDict, or an attribute for each"
                    )

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

    def buffers(self) -> Iterator[Tensor]:
        """The tensors that are kept but not trained."""
        return (t for _, t in self.named_tensors() if not isinstance(t, Parameter))

    def register_buffer(self, name: str, value: Tensor) -> None:
        """Keep a tensor in the state: `self.name = value`, which does the same, as torch says it.

        Raises:
            TypeError: `value` is no tensor, or one that is trained.
        """
        if not isinstance(value, Tensor) or isinstance(value, Parameter):
            kind = type(value).__name__
            raise TypeError(f"register_buffer: {name!r} is a {kind}, no buffer; give a tensor(...)")
        setattr(self, name, value)

    def zero_grad(self) -> None:
        """Forget the gradients of all parameters."""
        for parameter in self.parameters():
            parameter.grad = None

    def state_dict(self) -> dict[str, np.ndarray]:
        """Copies of all parameters and buffers, as NumPy arrays by path."""
        return {name: value.numpy().copy() for name, value in self.named_tensors()}

    def load_state_dict(self, state: Mapping[str, Any]) -> None:
        """Write `state` into the parameters and buffers; all of it fits, or nothing is written.

        Args:
            state: arrays by path, as `state_dict` gives them.

        Raises:
            ValueError: names are missing or unknown, or shapes or dtypes differ; each is listed.
            TypeError: `state` is no dict.
        """
        if not isinstance(state, Mapping):
            raise TypeError(
                f"load_state_dict: state is of type {type(state).__name__}; give arrays by name"
            )
        own = dict(self.named_tensors())
        given = {name: np.asarray(value) for name, value in state.items()}
        problems = [f"missing {name} {own[name].shape}" for name in own if name not in given]
        problems += [f"unknown {name} {given[name].shape}" for name in given if name not in own]
        for name in own.keys() & given.keys():
            mine, theirs = own[name], given[name]
            if mine.shape != theirs.shape or mine.dtype != theirs.dtype:
                problems.append(
                    f"{name} is {theirs.dtype} {theirs.shape}, "
                    f"the model's {mine.dtype} {mine.shape}"
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
        """Move parameters and buffers to `device`, in place; returns the module.

        Gradients are forgotten, and an optimiser made before holds the old memory: make it after.
        """
        where = find_device(device)
        for _, value in self.named_tensors():
            if value.device is not where:
                value.data, value.device = where.from_numpy(value.numpy()), where
                value.grad = value._grad_home = None
                value._version.count += 1
        return self

    @property
    def device(self) -> Device:
        """Where the parameters and buffers are; `cpu` where there are none."""
        return next((value.device for _, value in self.named_tensors()), find_device("cpu"))

    if not TYPE_CHECKING:  # which knows what is here

        def __getattr__(self, name):
            raise hints.missing(f"{type(self).__name__!r} object", name, hints.MODULE)

    def describe(self) -> str:
        """What stands between the brackets of `repr`: the layer's settings."""
        return ""

    def __repr__(self) -> str:
        children = list(self.children())
        if not children:
            return f"{type(self).__name__}({self.describe()})"
        lines = [f"  ({name}): " + repr(child).replace("\n", "\n  ") for name, child in children]
        return "\n".join([f"{type(self).__name__}(", *lines, ")"])


def check_module(where: str, value: object) -> None:
    """Raise TypeError for anything but a Module; `where` opens the error."""
    if not isinstance(value, Module):
        kind = f"{type(value).__module__}.{type(value).__qualname__}".removeprefix("builtins.")
        raise TypeError(f"{where} is of type {kind}; give a Module of minidecay.nn")
