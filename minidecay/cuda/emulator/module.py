"""Launching on the CPU."""

import ctypes
import os
import sys
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from threading import Lock
from typing import Any

import numpy as np

from minidecay.cuda.emulator.building import build
from minidecay.cuda.emulator.findings import Count, Extent, KernelFault, findings, lines
from minidecay.cuda.emulator.structures import RawArray, RawCount, RawFinding, RawLaunch
from minidecay.cuda.source import Signature, Source

__all__ = ["MOST_STEPS", "EmulatedModule"]

MOST_STEPS = 10**10

_RED_ZONE = 4096  # bytes around an array's copy in check mode
_SHARED = 227 * 1024  # bytes of dynamic shared memory that a block has at most, on any GPU
_NO_MEMORY, _INTERRUPTED = -1, -2  # what emu_run returns

# A process has one launch at a time: it takes the machine's threads, and what signals do, for
# itself. A fork waits for it to end.
_turn = Lock()
os.register_at_fork(
    before=_turn.acquire, after_in_parent=_turn.release, after_in_child=_turn.release
)
_stacks: list[int] = []  # where the process has those of CUDA's threads, from its first launch on


class EmulatedModule:
    """The kernels of one source, compiled for the CPU under the given options.

    Args:
        source: the kernels.
        defines: their options.
        check: watch every access. Slower by a factor of some fifty; what is found is a KernelFault.
        count: count every access instead; `counts` has those of the last launch.
        most_steps: a launch that is watched or counted and takes more, in straight pieces of code
            run by one thread, is said not to end.

    Raises:
        CompilerMissingError, CompilerError: as `building.build` does.
    """

    array_type: type[Any] = np.ndarray

    def __init__(
        self,
        source: Source,
        defines: Mapping[str, int | str],
        *,
        check: bool = False,
        count: bool = False,
        most_steps: int = MOST_STEPS,
    ) -> None:
        self.source, self.check = source, check or count
        self.counts: list[Count] = []
        self.most_steps = most_steps
        self.path = build(source, defines, check=check, count=count)
        self._library = ctypes.CDLL(str(self.path))
        self._library.emu_findings.restype = ctypes.POINTER(RawFinding)
        self._library.emu_new_stacks.restype = ctypes.c_void_p
        self._count = count
        if count:
            self._library.emu_counts.restype = ctypes.POINTER(RawCount)
        self._prints = "printf" in source.text

    def launch(
        self,
        signature: Signature,
        grid: Extent,
        block: Extent,
        shared: int,
        arguments: Sequence[np.ndarray | np.generic | None],
    ) -> None:
        """Run one kernel to its end.

        Raises:
            ValueError: more shared memory than any GPU has.
            KernelFault: check mode found something, or the processor refused what the kernel did.
                The arrays then hold what was written before.
            KeyboardInterrupt: Ctrl-C, a second ago; the arrays likewise.
            MemoryError: there is none for what the check remembers of the arrays.
        """
        if not 0 <= shared <= _SHARED:
            raise ValueError(
                f"{signature.name}: {shared} bytes of dynamic shared memory; a block has 0 to "
                f"{_SHARED} on the largest GPUs"
            )
        copies = _fenced(signature, arguments) if self.check else {}
        addresses = (ctypes.c_void_p * max(1, len(arguments)))()
        held: list[Any] = []  # what `addresses` points to
        for place, value in enumerate(arguments):
            if isinstance(value, np.generic):
                held.append(value.reshape(1))
                addresses[place] = held[-1].ctypes.data
            else:
                array = copies[_key(value)].memory if copies and value is not None else value
                held.append(ctypes.c_void_p(None if array is None else array.ctypes.data))
                addresses[place] = ctypes.addressof(held[-1])
        watched = [
            RawArray(copy.memory.ctypes.data, copy.memory.size, copy.constant)
            for copy in copies.values()
        ]
        launch = RawLaunch(
            grid,
            block,
            shared,
            _os_threads(),
            len(watched),
            (RawArray * len(watched))(*watched),
            ctypes.cast(getattr(self._library, f"emu_enter_{signature.name}"), ctypes.c_void_p),
            addresses,
            self.most_steps,
        )
        names = [copy.name for copy in copies.values()]
        found = self._run(signature.name, launch)
        for copy in copies.values():
            if not copy.constant:
                copy.original.reshape(-1).view(np.uint8)[:] = copy.memory
        if found:
            raise KernelFault(signature.name, findings(found, names, self.path, self.source.label))
        if self._count:
            self.counts = self._counted(names)

    def _run(self, name: str, launch: RawLaunch) -> list[RawFinding]:
        if self._prints:
            sys.stdout.flush()  # what Python printed before stands before
        with _turn:
            if not _stacks:
                _stacks.append(self._library.emu_new_stacks())
            launch.stacks = _stacks[0]
            result = self._library.emu_run(ctypes.byref(launch))
            if result == _INTERRUPTED:
                raise KeyboardInterrupt(f"{name} was cut off; its arrays are not what it computes")
            if result == _NO_MEMORY:
                raise MemoryError(f"{name}: no memory for its stacks, or for what the check notes")
            raw = self._library.emu_findings()
            return [RawFinding.from_buffer_copy(raw[i]) for i in range(result)]

    def _counted(self, names: Sequence[str]) -> list[Count]:
        number = ctypes.c_uint()
        raw = self._library.emu_counts(ctypes.byref(number))[: number.value]
        places = lines(self.path, self.source.label, {each.offset for each in raw})
        return [
            Count(
                places[each.offset],
                "" if each.memory < 0 else names[each.memory],
                bool(each.write),
                *(each.requests, each.taken, each.ideal),
            )
            for each in raw
        ]


@dataclass
class _Copy:
    """A copy of an array with nothing of anyone else's near it: a stray access meets no other."""

    original: np.ndarray
    memory: np.ndarray  # its bytes
    name: str  # of the parameter
    constant: bool  # no parameter that is given the array may write it


def _fenced(signature: Signature, arguments: Sequence[Any]) -> dict[tuple[int, int], _Copy]:
    """A copy of each array, by `_key`: what is given twice is still one array to the kernel."""
    copies: dict[tuple[int, int], _Copy] = {}
    for parameter, array in zip(signature.parameters, arguments, strict=True):
        if isinstance(array, np.ndarray):
            copy = copies.get(_key(array))
            if copy is None:
                around = np.empty(array.nbytes + 2 * _RED_ZONE + 256, np.uint8)
                start = _RED_ZONE + -(around.ctypes.data + _RED_ZONE) % 256 + array.ctypes.data % 16
                copy = _Copy(array, around[start : start + array.nbytes], parameter.name, True)
                copy.memory[:] = array.reshape(-1).view(np.uint8)
                copies[_key(array)] = copy
            copy.constant &= parameter.constant
    return copies


def _key(array: np.ndarray) -> tuple[int, int]:
    return array.ctypes.data, array.nbytes


def _os_threads() -> int:
    limit = os.environ.get("OMP_NUM_THREADS", "")
    return int(limit) if limit.isdigit() and int(limit) else os.cpu_count() or 1
