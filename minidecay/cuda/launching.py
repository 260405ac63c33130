"""Launching a kernel: options, arguments and sizes are checked here, alike for every device."""

from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Protocol

from minidecay.cuda.arguments import TYPES, Arguments, Extent
from minidecay.cuda.emulator import MOST_STEPS, EmulatedModule
from minidecay.cuda.source import Signature, Source, find, read

__all__ = ["TYPES", "Compiled", "Launch", "Module", "launches", "load"]


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
        self._arguments: dict[str, Arguments] = {}  # by kernel, from its first launch on

    def __getattr__(self, name: str) -> Any:
        if name not in self.source.kernels:
            known = ", ".join(self.source.kernels)
            raise AttributeError(f"{self.source.label} has no kernel {name}; it has {known}")
        return lambda *arguments: self.launch(name, arguments)

    def launch(self, name: str, arguments: Sequence[Any]) -> None:
        """Launch one kernel; a grid with nothing in it is no launch.

        Raises:
            TypeError: too many or few arguments, or one that is not of the parameter's type.
            ValueError: a size that the kernel does not take, or a type that none takes.
            KernelFault: check mode found something.
        """
        if name not in self._arguments:
            self._arguments[name] = Arguments(
                self.source.kernels[name], self._constants, self._compiled.array_type
            )
        takes = self._arguments[name]
        values = takes.coerced(arguments)
        extents = takes.extents(values)
        if extents is None:
            return
        for log in _logs:
            file = self.source.label.removeprefix("kernels/").removesuffix(".cu")
            log.append(Launch(file, name, self.defines, extents.grid, extents.block))
        self._compiled.launch(self.source.kernels[name], *extents, values)


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
    most_steps: int = MOST_STEPS,
    **defines: int | str,
) -> Module:
    """The kernels of a file: `load("matmul/03_smem_tile", RELU=1)`.

    Compiled once, kept in a cache; a file or an include that changed is compiled again.

    Args:
        name: a path under `kernels/` without `.cu`, or the path of any `.cu` file.
        check: watch every access of memory, and raise KernelFault for what is wrong; on the
            emulator alone.
        device: where it will run, "emulated" or "cuda".
        most_steps: a launch that is watched and takes more, in straight pieces of code run by one
            thread, is said not to end.
        defines: the file's options.

    Raises:
        ValueError: no such kernel, an option it has not, code that does not compile.
        CompilerMissingError, NvrtcMissingError: what compiles for the device is not here.
    """
    source = read(find(str(name)))
    key = (device, source.label, source.text, check, most_steps, *sorted(defines.items()))
    if key not in _loaded:
        unknown = sorted(defines.keys() - source.options.keys())
        if unknown:
            known = ", ".join(source.options) or "none"
            raise ValueError(f"{source.label}: no option {unknown[0]}; it has {known}")
        _loaded[key] = Module(
            source, defines, _compiled(source, defines, check, device, most_steps)
        )
    return _loaded[key]


def _compiled(
    source: Source, defines: Mapping[str, int | str], check: bool, device: str, most_steps: int
) -> Compiled:
    if device == "emulated":
        return EmulatedModule(source, defines, check=check, most_steps=most_steps)
    if device == "cuda" and not check:
        from minidecay.cuda.cupy_module import CupyModule

        return CupyModule(source, defines)
    raise ValueError(f"{source.label}: check={check} on device {device!r}; check on emulated")


_loaded: dict[tuple[object, ...], Module] = {}  # by all that a module is made of
