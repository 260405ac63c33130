"""Modules that hold modules: in a row, in a list, by name."""

from collections.abc import Iterable, Iterator, Mapping

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
            _hold(self, str(i), module, f"argument {i}")

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


class ModuleList(Module):
    """Modules in a list, for a `forward` that loops over them or picks one.

    Raises:
        TypeError: an element is no module.

    >>> heads = nn.ModuleList(nn.Linear(4, n) for n in (2, 3))
    >>> [head(md.tensor([[1, 2, 3, 4]])).shape for head in heads]
    [(1, 2), (1, 3)]
    """

    def __init__(self, modules: Iterable[Module] = ()) -> None:
        self.extend(modules)

    def append(self, module: Module) -> None:
        """One more, at the end."""
        i = len(self)
        _hold(self, str(i), module, f"element {i}")

    def extend(self, modules: Iterable[Module]) -> None:
        """More of them, at the end."""
        for module in modules:
            self.append(module)

    def __getitem__(self, index: int) -> Module:
        return list(self)[index]

    def __iter__(self) -> Iterator[Module]:
        return (module for _, module in self.children())

    def __len__(self) -> int:
        return sum(1 for _ in self)


class ModuleDict(Module):
    """Modules by name: `model["head"]`, which is also `model.head`.

    Raises:
        TypeError: a value is no module.
        ValueError: a name holds a dot or belongs to every module, such as `train`.

    >>> nn.ModuleDict({"body": nn.Linear(4, 8), "head": nn.Linear(8, 2)})
    ModuleDict(
      (body): Linear(4, 8)
      (head): Linear(8, 2)
    )
    """

    def __init__(self, modules: Mapping[str, Module] | None = None) -> None:
        for name, module in (modules or {}).items():
            self[name] = module

    def __setitem__(self, name: str, module: Module) -> None:
        if not isinstance(name, str) or "." in name or hasattr(ModuleDict, name):
            raise ValueError(f"ModuleDict: {name!r} cannot name a module; choose another name")
        _hold(self, name, module, repr(name))

    def __getitem__(self, name: str) -> Module:
        return dict(self.children())[name]

    def __iter__(self) -> Iterator[str]:
        return self.keys()

    def __len__(self) -> int:
        return sum(1 for _ in self)

    def __contains__(self, name: object) -> bool:
        return name in dict(self.children())

    def keys(self) -> Iterator[str]:
        """The names."""
        return (name for name, _ in self.children())

    def values(self) -> Iterator[Module]:
        """The modules."""
        return (module for _, module in self.children())

    def items(self) -> Iterator[tuple[str, Module]]:
        """Names and modules."""
        return self.children()


def _hold(holder: Module, name: str, module: Module, what: str) -> None:
    if not isinstance(module, Module):
        raise TypeError(f"{type(holder).__name__}: {what} is {type(module).__name__}, no Module")
    setattr(holder, name, module)
