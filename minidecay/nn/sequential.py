"""Modules one after the other."""

from collections.abc import Iterator

from minidecay.autograd import Tensor
from minidecay.nn.module import Module


class Sequential(Module):
    """The modules one after the other; `model[i]` is the i-th, `model[:2]` the first two in a row.

    Raises:
        TypeError: an argument is no module.

    >>> from minidecay.nn import Conv2d, Flatten, Linear
    >>> Sequential(Conv2d(3, 8, 3, padding=1), Flatten(), Linear(128, 10))
    Sequential(
      (0): Conv2d(3, 8, kernel_size=(3, 3), stride=(1, 1), padding=(1, 1))
      (1): Flatten()
      (2): Linear(128, 10)
    )
    """

    def __init__(self, *modules: Module) -> None:
        for i, module in enumerate(modules):
            if not isinstance(module, Module):
                raise TypeError(f"Sequential: argument {i} is {type(module).__name__}, no Module")
            setattr(self, str(i), module)

    def forward(self, x: Tensor) -> Tensor:
        for module in self:
            x = module(x)
        return x

    def __getitem__(self, index: int | slice) -> Module:
        chosen = list(self)[index]
        return Sequential(*chosen) if isinstance(chosen, list) else chosen

    def __iter__(self) -> Iterator[Module]:
        return (module for _, module in self.children())

    def __len__(self) -> int:
        return sum(1 for _ in self)
