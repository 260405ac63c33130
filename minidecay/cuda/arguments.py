"""What a kernel is given: arguments checked against its prototype, and a launch's extents.

Both are asked at every launch, and a step of a small network is many launches of small kernels: so
what a prototype says is looked up once, and what the launch lines come to for given sizes is kept.
"""

from collections.abc import Mapping, Sequence
from functools import lru_cache
from typing import Any, NamedTuple

import numpy as np

from minidecay.cuda.expressions import evaluate, names_in
from minidecay.cuda.source import Parameter, Signature

__all__ = ["TYPES", "Arguments", "Extent", "Extents"]

Extent = tuple[int, int, int]

TYPES: dict[str, type[np.generic]] = {
    "float": np.float32,
    "double": np.float64,
    "int": np.int32,
    "unsigned": np.uint32,
    "unsigned int": np.uint32,
    "long long": np.int64,
    "unsigned long long": np.uint64,
    "unsigned char": np.uint8,
}
_THREADS = 1024  # of a block, at most
_GRID = (2**31 - 1, 65535, 65535)
_ELEMENTS = 2**31  # kernels index with int
_SIZES = 4096  # for which extents are kept


class Extents(NamedTuple):
    """How a kernel is launched: blocks of the grid, threads of a block, bytes of shared memory."""

    grid: Extent
    block: Extent
    shared: int


class Arguments:
    """The arguments that a kernel takes on a device whose arrays are `array_type`.

    Args:
        signature: its prototype and launch lines.
        constants: integers that the launch lines may use beside the kernel's own parameters.

    Raises:
        ValueError: a parameter of a type that `TYPES` has not.
    """

    def __init__(
        self, signature: Signature, constants: Mapping[str, int], array_type: type[Any]
    ) -> None:
        self._signature, self._constants, self._array_type = signature, constants, array_type
        for parameter in signature.parameters:
            if parameter.type not in TYPES:
                raise ValueError(
                    f"{signature.name}: {parameter.name} is {parameter.type}, which no argument "
                    f"can be; types are {', '.join(TYPES)}"
                )
        self._takes = [(p, TYPES[p.type], _plain(p)) for p in signature.parameters]
        lines = [signature.grid, signature.block, signature.shared]
        wanted = names_in(*lines, *(condition for condition, _ in signature.requirements))
        self._sizes = [
            (place, parameter.name)
            for place, parameter in enumerate(signature.parameters)
            if parameter.name in wanted and not parameter.pointer
        ]
        self._extents = lru_cache(maxsize=_SIZES)(self._evaluated)

    def coerced(self, arguments: Sequence[Any]) -> list[Any]:
        """The arguments as the prototype's types; None, an array switched off, stays.

        Raises:
            TypeError: too many or few, or one that is not of its parameter's type.
            ValueError: a number that does not fit its type, an array that is not contiguous.
        """
        if len(arguments) != len(self._takes):
            takes = ", ".join(parameter.name for parameter, *_ in self._takes)
            raise TypeError(f"{self._signature.name}({takes}) was given {len(arguments)} arguments")
        values = []
        for value, (parameter, wanted, plain) in zip(arguments, self._takes, strict=True):
            try:
                values.append(
                    wanted(value) if type(value) in plain else self._checked(parameter, value)
                )
            except OverflowError:
                name = f"{self._signature.name}: {parameter.name}"
                raise ValueError(f"{name} = {value} does not fit {parameter.type}") from None
        return values

    def extents(self, values: Sequence[Any]) -> Extents | None:
        """How to launch on coerced arguments; None where the grid has nothing in it.

        Raises:
            ValueError: a size that the kernel, or any GPU, does not take.
        """
        return self._extents(*[int(values[place]) for place, _ in self._sizes])

    def _evaluated(self, *sizes: int) -> Extents | None:
        signature = self._signature
        name = signature.name
        given = {name: size for (_, name), size in zip(self._sizes, sizes, strict=True)}
        known = {**self._constants, **given}
        for condition, why in signature.requirements:
            if not evaluate(condition, known)[0]:
                told = ", ".join(f"{k}={v}" for k, v in given.items())
                raise ValueError(f"{name}: {condition} does not hold for {told}: {why}")
        grid = _extent(name, "grid", evaluate(signature.grid, known))
        block = _extent(name, "block", evaluate(signature.block, known))
        if 0 in grid:
            return None
        if any(extent > limit for extent, limit in zip(grid, _GRID, strict=True)):
            raise ValueError(f"{name}: a grid of {grid} is more than a GPU takes, {_GRID}")
        if not 0 < block[0] * block[1] * block[2] <= _THREADS:
            raise ValueError(f"{name}: a block of {block}; a block has 1 to {_THREADS} threads")
        return Extents(grid, block, evaluate(signature.shared, known)[0])

    def _checked(self, parameter: Parameter, value: Any) -> Any:
        """An array, None in the place of one, or a number that is not Python's own."""
        if parameter.pointer:
            if value is not None and (wrong := self._wrong(parameter, value)):
                raise wrong[0](f"{self._signature.name}: {parameter.name} {wrong[1]}")
            return value
        wanted = TYPES[parameter.type]
        floats = (float, np.floating) if issubclass(wanted, np.floating) else ()
        if not isinstance(value, (int, np.integer, np.bool, *floats)):
            name = f"{self._signature.name}: {parameter.name}"
            raise TypeError(f"{name} is {value!r}, the kernel takes {parameter.type}")
        return wanted(value)

    def _wrong(self, parameter: Parameter, array: Any) -> tuple[type[Exception], str] | None:
        """What a kernel cannot do with an array: the error, and what to say of it."""
        if not isinstance(array, self._array_type):
            kind = self._array_type.__module__.partition(".")[0]
            return TypeError, f"must be a {kind} array, not {type(array).__name__}"
        if array.dtype != TYPES[parameter.type]:
            return TypeError, f"is {array.dtype}, the kernel takes {parameter.type}*"
        if not array.flags.c_contiguous:
            return ValueError, "is not C-contiguous; copy it first"
        if array.size >= _ELEMENTS:
            return ValueError, f"has {array.size} elements, kernels take < 2**31"
        return None


def _plain(parameter: Parameter) -> tuple[type, ...]:
    """The types of Python numbers that the parameter takes, whatever their value."""
    if parameter.pointer:
        return ()
    return (int, float) if issubclass(TYPES[parameter.type], np.floating) else (int,)


def _extent(kernel: str, what: str, values: tuple[int, ...]) -> Extent:
    if not 1 <= len(values) <= 3 or min(values) < 0:
        raise ValueError(
            f"{kernel}: its {what} comes out as {values}; 1 to 3 extents, none below 0"
        )
    x, y, z = (*values, 1, 1)[:3]
    return x, y, z
