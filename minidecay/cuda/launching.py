"""Launching a kernel: options, arguments and sizes are checked here, alike for every device."""

from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Protocol

import numpy as np

from minidecay.cuda.emulator import EmulatedModule
from minidecay.cuda.expressions import evaluate
from minidecay.cuda.source import Parameter, Signature, Source, find, read

__all__ = ["TYPES", "Compiled", "Launch", "Module", "launches", "load"]

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


class Compiled(Protocol):
    """A source compiled for one device; what `Module` launches by."""

    array_type: type[Any]  # what that device's arrays are

    def launch(
        self,
        signature: Signature,
        grid: Extent,
        block: Extent,
        shared: int,
        arguments: Sequence[Any],
    ) -> None:
        """Launch one kernel; the arguments are checked and of the prototype's types."""


@dataclass(frozen=True)
class Launch:
    """One launch, as `launches` lists it; its string is "matmul/05_register_2d: matmul"."""

    file: str
    kernel: str
    options: Mapping[str, int | str]
    grid: Extent
    block: Extent

    def __str__(self) -> str:
        options = "".join(f" {name}={value}" for name, value in self.options.items())
        return f"{self.file}: {self.kernel}{options}"


class Module:
    """The kernels of one `.cu` file under one set of options: `module.matmul(A, B, ...)`.

    A kernel is called with its prototype's arguments in order: C-contiguous arrays of the type it
    names, None for a pointer that an option switches off, Python numbers. Grid and block come from
    the file itself.
    """

    def __init__(
        self, source: Source, defines: Mapping[str, int | str], compiled: Compiled
    ) -> None:
        self.source, self.defines = source, dict(defines)
        self._constants = source.constants(defines)
        self._compiled = compiled

    def __getattr__(self, name: str) -> Any:
        if name not in self.source.kernels:
            known = ", ".join(self.source.kernels)
            raise AttributeError(f"{self.source.label} has no kernel {name}; it has {known}")
        return lambda *arguments: self.launch(name, arguments)

    def launch(self, name: str, arguments: Sequence[Any]) -> None:
        """Launch one kernel; a grid with nothing in it is no launch.

        Raises:
            TypeError: too many or few arguments, or one that is not of the parameter's type.
            ValueError: a size that the kernel does not take.
            KernelFault: check mode found something.
        """
        signature = self.source.kernels[name]
        values = _coerced(signature, arguments, self._compiled.array_type)
        scalars = {
            parameter.name: int(value)
            for parameter, value in zip(signature.parameters, values, strict=True)
            if isinstance(value, np.integer)
        }
        sizes = {**self._constants, **scalars}
        for condition, why in signature.requirements:
            if not evaluate(condition, sizes)[0]:
                given = ", ".join(f"{k}={v}" for k, v in scalars.items())
                raise ValueError(f"{name}: {condition} does not hold for {given}: {why}")
        grid = _extent(name, "grid", evaluate(signature.grid, sizes))
        block = _extent(name, "block", evaluate(signature.block, sizes))
        if 0 in grid:
            return
        if any(extent > limit for extent, limit in zip(grid, _GRID, strict=True)):
            raise ValueError(f"{name}: a grid of {grid} is more than a GPU takes, {_GRID}")
        if not 0 < block[0] * block[1] * block[2] <= _THREADS:
            raise ValueError(f"{name}: a block of {block}; a block has 1 to {_THREADS} threads")
        shared = evaluate(signature.shared, sizes)[0]
        for log in _logs:
            file = self.source.label.removeprefix("kernels/").removesuffix(".cu")
            log.append(Launch(file, name, self.defines, grid, block))
        self._compiled.launch(signature, grid, block, shared, values)


_logs: list[list[Launch]] = []


@contextmanager
def launches() -> Iterator[list[Launch]]:
    """Within it every launch, on any device, is added to the list: `with launches() as log:`."""
    log: list[Launch] = []
    _logs.append(log)
    try:
        yield log
    finally:
        _logs[:] = [other for other in _logs if other is not log]


def load(
    name: str | Path,
    *,
    check: bool = False,
    device: str = "emulated",
    **defines: int | str,
) -> Module:
    """The kernels of a file: `load("matmul/03_smem_tile", RELU=1)`.

    Compiled once, kept in a cache; a file or an include that changed is compiled again.

    Args:
        name: a path under `kernels/` without `.cu`, or the path of any `.cu` file.
        check: watch every access of memory, and raise KernelFault for what is wrong; on the
            emulator alone.
        device: where it will run, "emulated" or "cuda".
        defines: the file's options.

    Raises:
        ValueError: no such kernel, an option it has not, code that does not compile.
        CompilerMissingError, NvrtcMissingError: what compiles for the device is not here.
    """
    source = read(find(str(name)))
    key = (device, source.label, source.text, check, *sorted(defines.items()))
    if key not in _loaded:
        unknown = sorted(defines.keys() - source.options.keys())
        if unknown:
            known = ", ".join(source.options) or "none"
            raise ValueError(f"{source.label}: no option {unknown[0]}; it has {known}")
        _loaded[key] = Module(source, defines, _compiled(source, defines, check, device))
    return _loaded[key]


def _compiled(
    source: Source, defines: Mapping[str, int | str], check: bool, device: str
) -> Compiled:
    if device == "emulated":
        return EmulatedModule(source, defines, check=check)
    if device == "cuda" and not check:
        from minidecay.cuda.cupy_module import CupyModule

        return CupyModule(source, defines)
    raise ValueError(f"{source.label}: check={check} on device {device!r}; check on emulated")


_loaded: dict[tuple[object, ...], Module] = {}  # by all that a module is made of


def _coerced(signature: Signature, arguments: Sequence[Any], array_type: type) -> list[Any]:
    if len(arguments) != len(signature.parameters):
        takes = ", ".join(parameter.name for parameter in signature.parameters)
        raise TypeError(f"{signature.name}({takes}) was given {len(arguments)} arguments")
    pairs = zip(signature.parameters, arguments, strict=True)
    return [_argument(signature.name, parameter, value, array_type) for parameter, value in pairs]


def _argument(kernel: str, parameter: Parameter, value: Any, array_type: type[Any]) -> Any:
    name, wanted = parameter.name, TYPES[parameter.type]
    if not parameter.pointer:
        if not isinstance(value, int | float | np.generic) or (
            isinstance(value, float | np.floating) and not issubclass(wanted, np.floating)
        ):
            raise TypeError(f"{kernel}: {name} is {value!r}, the kernel takes {parameter.type}")
        try:
            return wanted(value)
        except OverflowError:
            raise ValueError(f"{kernel}: {name} = {value} does not fit {parameter.type}") from None
    if value is None:
        return None
    if not isinstance(value, array_type):
        kind = array_type.__module__.partition(".")[0]
        raise TypeError(f"{kernel}: {name} must be a {kind} array, not {type(value).__name__}")
    if value.dtype != wanted:
        raise TypeError(f"{kernel}: {name} is {value.dtype}, the kernel takes {parameter.type}*")
    if not value.flags.c_contiguous:
        raise ValueError(f"{kernel}: {name} is not C-contiguous; copy it first")
    if value.size >= _ELEMENTS:
        raise ValueError(f"{kernel}: {name} has {value.size} elements, kernels take < 2**31")
    return value


def _extent(kernel: str, what: str, values: tuple[int, ...]) -> Extent:
    if not 1 <= len(values) <= 3 or min(values) < 0:
        raise ValueError(
            f"{kernel}: its {what} comes out as {values}; 1 to 3 extents, none below 0"
        )
    x, y, z = (*values, 1, 1)[:3]
    return x, y, z
