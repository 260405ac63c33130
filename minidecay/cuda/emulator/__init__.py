"""CUDA on the CPU: a kernel's threads as fibers, its accesses checked one by one.

`calls.h` and `shim.h` are the CUDA language for a C++ compiler; `runtime.cpp` runs blocks, threads
and barriers, on the stacks of `stacks.cpp`; `faults.cpp` makes what would end the process a
finding; `checker.cpp` watches every load and store, `counter.cpp` counts them (`hooks.h`);
`building` compiles, `module` launches, `findings` tells.

Check mode finds, with file, line, block and thread: data races, a barrier that is missing or that
not all threads reach, a deadlock, bad warp masks; accesses out of bounds, misaligned, of shared
memory that nobody wrote, of what the kernel declares const, through null and wild pointers; an
index, a sum, a shift beyond its type, a division by zero; too much shared or local memory; traps
and failed assertions; a launch that does not end. Ctrl-C cuts a launch that is not over a second
later.

Limits:

- Linux (WSL too) on x86-64 and aarch64. Blocks run one after another in check mode, so one that
  waits for a later one "does not end"; nothing orders two blocks, so neither fence nor flag makes
  what one wrote safe for the other to read: that is told as a race.
- A race is told if it could have happened in the order of the barriers that were passed, on the
  sizes that were run: a launch that is clean proves nothing for other sizes.
- A local variable that was never set is not told, nor an index that leaves one local array for
  another place in the same thread's local memory, unless the array is indexed by its own name.
- Local memory is 128 KiB a thread, where a GPU has up to 512. There are no `__device__` variables
  and no device `malloc`, textures, clusters, cooperative groups, nor inline PTX but behind a twin.
- printf goes straight to the process's standard output, at once.
- Without check mode nothing is watched: what the processor refuses (null, a trap, a stack that is
  too small) is a KernelFault without its line, but a stray write may have hit anything before.
"""

from minidecay.cuda.emulator.findings import Count, Finding, KernelFault
from minidecay.cuda.emulator.module import MOST_STEPS, EmulatedModule

__all__ = ["MOST_STEPS", "Count", "EmulatedModule", "Finding", "KernelFault"]
