"""What a kernel takes of a GPU, from the compiler's log, and how many of its blocks then fit.

Occupancy is what the documented limits allow; it is computed, not measured.
"""

import re
from dataclasses import dataclass

__all__ = ["Occupancy", "Resources", "occupancy", "parse"]

KIB = 1024
_ENTRY = re.compile(r"Compiling entry function '([^']+)'")
_USED = re.compile(r"Used (\d+) registers(.*)")
_SHARED = re.compile(r"(\d+) bytes smem")
_FRAME = r"Function properties for {}\n.*?(\d+) bytes stack frame, " + (
    r"(\d+) bytes spill stores, (\d+) bytes spill loads"
)


@dataclass(frozen=True)
class Resources:
    """What ptxas gave a kernel.

    Attributes:
        kernel: its name.
        registers: 32-bit registers a thread.
        shared: static shared memory, bytes a block.
        spill_stores, spill_loads: registers moved to and from local memory, bytes of code.
        stack: local memory for arrays and spills, bytes a thread.
    """

    kernel: str
    registers: int
    shared: int
    spill_stores: int
    spill_loads: int
    stack: int


@dataclass(frozen=True)
class Occupancy:
    """How full of one kernel a streaming multiprocessor (SM) can be.

    Attributes:
        blocks: blocks resident on an SM at once; 0 where a single one does not fit.
        fraction: resident warps over the warps that an SM can hold, 0 to 1.
        limit: what allows no more: "threads", "blocks", "registers" or "shared memory"; of two
            that allow the same, the one named first here.
    """

    blocks: int
    fraction: float
    limit: str


@dataclass(frozen=True)
class _Limits:
    warps: int  # an SM
    blocks: int  # an SM
    shared: int  # bytes an SM
    reserved: int = 1 * KIB  # shared memory that the system takes, bytes a block
    granularity: int = 128  # shared memory is given out in such pieces, bytes


# CUDA C++ Programming Guide 13, "Technical Specifications per Compute Capability". (For 12.0
# the Blackwell Tuning Guide says 32 blocks; NVIDIA's own cuda/__device/arch_traits.h says 24 too.)
_LIMITS = {
    "75": _Limits(warps=32, blocks=16, shared=64 * KIB, reserved=0, granularity=256),
    "80": _Limits(warps=64, blocks=32, shared=164 * KIB),
    "86": _Limits(warps=48, blocks=16, shared=100 * KIB),
    "89": _Limits(warps=48, blocks=24, shared=100 * KIB),
    "90": _Limits(warps=64, blocks=32, shared=228 * KIB),
    "100": _Limits(warps=64, blocks=32, shared=228 * KIB),
    "120": _Limits(warps=48, blocks=24, shared=100 * KIB),
}
# The same for all of them.
_WARP = 32  # threads
_THREADS = 1024  # a block
_THREAD_REGISTERS = 255
_QUARTERS = 4  # an SM's parts, each with its own registers; a warp stays in one
_QUARTER_REGISTERS = 65536 // _QUARTERS
_REGISTER_GRANULARITY = 256  # registers are given out in such pieces to a warp


def parse(log: str) -> dict[str, Resources]:
    """Read the log of a compile with `--ptxas-options=-v`: resources by kernel name.

    Raises:
        ValueError: a kernel is named and its resources are not.
    """
    # Split at a pattern with a group: text, name, text, name, ...
    _, *pieces = _ENTRY.split(log)
    return {
        kernel: _read(kernel, text) for kernel, text in zip(pieces[::2], pieces[1::2], strict=True)
    }


def _read(kernel: str, text: str) -> Resources:
    used = _USED.search(text)
    frame = re.search(_FRAME.format(re.escape(kernel)), text)
    if not used or not frame:
        raise ValueError(f"{kernel}: no resources in the log; compile with --ptxas-options=-v")
    shared = _SHARED.search(used[2])
    stack, stores, loads = map(int, frame.groups())
    return Resources(kernel, int(used[1]), int(shared[1]) if shared else 0, stores, loads, stack)


def occupancy(arch: str, threads: int, registers: int, shared: int) -> Occupancy:
    """How many blocks of a kernel fit on one SM.

    Args:
        arch: a compute capability without its dot, "80" or "90a".
        threads: a block's, 1 to 1024.
        registers: a thread's, 1 to 255.
        shared: static and dynamic shared memory of a block, bytes.

    Raises:
        ValueError: an unknown `arch`, or a number out of its range.

    >>> occupancy("80", threads=256, registers=40, shared=0)
    Occupancy(blocks=6, fraction=0.75, limit='registers')
    """
    if (name := arch.rstrip("af")) not in _LIMITS:
        raise ValueError(f"occupancy: arch {arch!r} is not known; take one of {', '.join(_LIMITS)}")
    for what, value, least, most in (
        ("threads", threads, 1, _THREADS),
        ("registers", registers, 1, _THREAD_REGISTERS),
    ):
        if not least <= value <= most:
            raise ValueError(f"occupancy: {what} must be {least} to {most}, not {value}")
    if shared < 0:
        raise ValueError(f"occupancy: shared must be 0 bytes or more, not {shared}")

    limits = _LIMITS[name]
    warps = -(-threads // _WARP)
    warp_registers = _round_up(registers * _WARP, _REGISTER_GRANULARITY)
    block_shared = _round_up(shared + limits.reserved, limits.granularity)
    allowed = {
        "threads": limits.warps // warps,
        "blocks": limits.blocks,
        "registers": _QUARTER_REGISTERS // warp_registers * _QUARTERS // warps,
    }
    if block_shared:
        allowed["shared memory"] = limits.shared // block_shared
    limit = min(allowed, key=allowed.__getitem__)
    blocks = allowed[limit]
    return Occupancy(blocks, blocks * warps / limits.warps, limit)


def _round_up(value: int, granularity: int) -> int:
    return -(-value // granularity) * granularity
