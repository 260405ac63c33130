"""CUDA on the CPU: a kernel's threads as fibers, its accesses checked one by one.

`shim.h` is the CUDA language for a C++ compiler, `runtime.cpp` runs blocks, threads and barriers,
`checker.cpp` watches every load and store; `building` compiles, `module` launches.
"""

from minidecay.cuda.emulator.module import EmulatedModule, Finding, KernelFault

__all__ = ["EmulatedModule", "Finding", "KernelFault"]
