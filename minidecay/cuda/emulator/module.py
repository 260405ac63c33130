"""Launching on the CPU, and telling what check mode found or count mode counted."""

import ctypes
import os
import re
import shutil
import subprocess
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from minidecay.cuda.emulator.building import build
from minidecay.cuda.source import Signature, Source

__all__ = ["Count", "EmulatedModule", "Finding", "KernelFault"]

_INCLUDED = re.compile(r"kernels/\S+\.cuh?:\d+")
_RED_ZONE = 4096  # bytes around an array's copy in check mode
Extent = tuple[int, int, int]


@dataclass(frozen=True)
class Finding:
    """One thing that a kernel does wrong: what, where in its source, and which thread did it."""

    kind: str
    detail: str
    place: str  # "kernels/matmul/03_smem_tile.cu:41"
    block: Extent
    thread: Extent

    def __str__(self) -> str:
        return f"{self.place}: {self.kind} ({self.detail}), block {self.block} thread {self.thread}"


@dataclass(frozen=True)
class Count:
    """What a launch's warps asked for by one instruction; `counting` has the rules.

    `taken` and `ideal` are sectors of global memory, or passes through the banks of shared memory.
    """

    place: str  # "kernels/matmul/03_smem_tile.cu:41"
    memory: str  # an array's name; "" is shared memory
    write: bool
    requests: int
    taken: int
    ideal: int


class KernelFault(RuntimeError):  # noqa: N818 - a fault of the kernel, as CUDA says it
    """A launch whose check found something; `findings` lists each of them."""

    def __init__(self, kernel: str, findings: Sequence[Finding]) -> None:
        self.findings = tuple(findings)
        super().__init__(f"{kernel}:\n" + "\n".join(f"  {each}" for each in findings))


class _Finding(ctypes.Structure):
    _fields_ = [
        ("kind", ctypes.c_char * 64),
        ("detail", ctypes.c_char * 160),
        ("offset", ctypes.c_uint64),
        ("line", ctypes.c_int),
        ("block", ctypes.c_uint * 3),
        ("thread", ctypes.c_uint * 3),
    ]


class _Count(ctypes.Structure):
    _fields_ = [
        ("offset", ctypes.c_uint64),
        ("memory", ctypes.c_int),
        ("write", ctypes.c_uint),
        ("requests", ctypes.c_uint64),
        ("taken", ctypes.c_uint64),
        ("ideal", ctypes.c_uint64),
    ]


class _Launch(ctypes.Structure):
    _fields_ = [
        ("grid", ctypes.c_uint * 3),
        ("block", ctypes.c_uint * 3),
        ("shared_bytes", ctypes.c_uint),
        ("os_threads", ctypes.c_uint),
        ("ranges", ctypes.c_uint),
        ("starts", ctypes.POINTER(ctypes.c_void_p)),
        ("bytes", ctypes.POINTER(ctypes.c_size_t)),
        ("kernel", ctypes.c_void_p),
        ("arguments", ctypes.POINTER(ctypes.c_void_p)),
    ]


class EmulatedModule:
    """The kernels of one source, compiled for the CPU under the given options.

    Args:
        source: the kernels.
        defines: their options.
        check: watch every access. Slower by a factor of some fifty; what is found is a KernelFault.
        count: count every access instead; `counts` has those of the last launch.

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
    ) -> None:
        self.source, self.check = source, check or count
        self.counts: list[Count] = []
        self.path = build(source, defines, check=check, count=count)
        self._library = ctypes.CDLL(str(self.path))
        self._library.emu_findings.restype = ctypes.POINTER(_Finding)
        self._count = count
        if count:
            self._library.emu_counts.restype = ctypes.POINTER(_Count)

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
            KernelFault: check mode found something. The arrays then hold what was written before.
        """
        arrays = [
            (place, value) for place, value in enumerate(arguments) if isinstance(value, np.ndarray)
        ]
        fenced = {place: _fenced(array) for place, array in arrays} if self.check else dict(arrays)
        addresses = (ctypes.c_void_p * max(1, len(arguments)))()
        held: list[Any] = []  # what `addresses` points to
        for place, value in enumerate(arguments):
            if isinstance(value, np.generic):
                held.append(value.reshape(1))
                addresses[place] = held[-1].ctypes.data
            else:
                address = None if value is None else fenced[place].ctypes.data
                held.append(ctypes.c_void_p(address))
                addresses[place] = ctypes.addressof(held[-1])
        n = len(arrays)
        launch = _Launch(
            grid,
            block,
            shared,
            _os_threads(),
            n,
            (ctypes.c_void_p * max(1, n))(*(fenced[place].ctypes.data for place, _ in arrays)),
            (ctypes.c_size_t * max(1, n))(*(array.nbytes for _, array in arrays)),
            ctypes.cast(getattr(self._library, f"emu_enter_{signature.name}"), ctypes.c_void_p),
            addresses,
        )
        found = self._library.emu_run(ctypes.byref(launch))
        if self.check:
            for place, array in arrays:
                array[...] = fenced[place]
        names = [signature.parameters[place].name for place, _ in arrays]
        if found:
            raise KernelFault(signature.name, self._findings(found, names))
        if self._count:
            self.counts = self._counted(names)

    def _findings(self, found: int, names: Sequence[str]) -> list[Finding]:
        """The launch's findings, one for each kind and place: the first thread that did it."""
        first: dict[tuple[str, str], Finding] = {}
        for raw in self._library.emu_findings()[:found]:
            detail = raw.detail.decode()
            for i, name in enumerate(names):
                detail = detail.replace(f"argument @{i}", name)
            place = f"{self.source.label}:{raw.line}" if raw.line else self._place(raw.offset)
            finding = Finding(raw.kind.decode(), detail, place, (*raw.block,), (*raw.thread,))
            first.setdefault((finding.kind, place), finding)
        return list(first.values())

    def _counted(self, names: Sequence[str]) -> list[Count]:
        number = ctypes.c_uint()
        raw = self._library.emu_counts(ctypes.byref(number))[: number.value]
        places = {each.offset: self._place(each.offset) for each in raw}
        return [
            Count(
                places[each.offset],
                "" if each.memory < 0 else names[each.memory],
                bool(each.write),
                *(each.requests, each.taken, each.ideal),
            )
            for each in raw
        ]

    def _place(self, offset: int) -> str:
        """The line of the .cu that an instruction was compiled from."""
        if tool := shutil.which("addr2line") or shutil.which("llvm-addr2line"):
            command = [tool, "-e", str(self.path), "-i", hex(offset)]
            told = subprocess.run(command, capture_output=True, text=True, check=False).stdout
            own = re.search(re.escape(self.source.label) + r":\d+", told)
            if found := own or _INCLUDED.search(told):
                return found[0]
        return f"{self.source.label}, instruction {offset:#x}"


def _fenced(array: np.ndarray) -> np.ndarray:
    """A copy with nothing of anyone else's near it: a stray access meets no other array."""
    around = np.empty(array.nbytes + 2 * _RED_ZONE + 256, np.uint8)
    start = _RED_ZONE + -(around.ctypes.data + _RED_ZONE) % 256  # aligned as cudaMalloc aligns
    copy = around[start : start + array.nbytes].view(array.dtype).reshape(array.shape)
    copy[...] = array
    return copy


def _os_threads() -> int:
    limit = os.environ.get("OMP_NUM_THREADS", "")
    return int(limit) if limit.isdigit() and int(limit) else os.cpu_count() or 1
