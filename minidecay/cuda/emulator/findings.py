"""What check mode found and count mode counted, and the lines of the source where it was."""

import re
import shutil
import subprocess
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path

from minidecay.cuda.emulator.structures import RawFinding

__all__ = ["Count", "Finding", "KernelFault", "findings", "lines"]

Extent = tuple[int, int, int]
_INCLUDED = re.compile(r"kernels/\S+\.cuh?:\d+")


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
    """A launch that went wrong, on the watch or by what the processor refused.

    Attributes:
        findings: each thing that it did.
    """

    def __init__(self, kernel: str, findings: Sequence[Finding]) -> None:
        self.findings = tuple(findings)
        super().__init__(f"{kernel}:\n" + "\n".join(f"  {each}" for each in findings))


def findings(
    raw: Sequence[RawFinding], names: Sequence[str], library: Path, label: str
) -> list[Finding]:
    """A launch's findings, one for each kind and place: the first thread that did it.

    Args:
        names: of the array arguments, by the numbers that the emulator gave them.
        library: the compiled kernel.
        label: of its source.
    """
    told = lines(library, label, {each.offset for each in raw if not each.file})
    first: dict[tuple[str, str], Finding] = {}
    for each in raw:
        detail = re.sub(r"argument @(\d+)", lambda n: names[int(n[1])], each.detail.decode())
        place = f"{each.file.decode()}:{each.line}" if each.file else told[each.offset]
        finding = Finding(each.kind.decode(), detail, place, (*each.block,), (*each.thread,))
        first.setdefault((finding.kind, place), finding)
    return list(first.values())


def lines(library: Path, label: str, offsets: Iterable[int]) -> dict[int, str]:
    """The line of the .cu that each instruction was compiled from; the label where none is known.

    Args:
        library: the compiled kernel; `offsets` are the instructions' in it.
        label: of its source, whose lines come before those of what it includes.
    """
    places = dict.fromkeys(offsets, label)
    tool = shutil.which("addr2line") or shutil.which("llvm-addr2line")
    if not places or not tool:
        return places
    command = [tool, "-e", str(library), "-a", "-i", *map(hex, places)]
    told = subprocess.run(command, capture_output=True, text=True, check=False).stdout
    for each in re.split(r"^(?=0x)", told, flags=re.M)[1:]:
        offset, _, inlined = each.partition("\n")
        own = re.search(re.escape(label) + r":\d+", inlined)
        if found := own or _INCLUDED.search(inlined):
            places[int(offset, 16)] = found[0]
    return places
