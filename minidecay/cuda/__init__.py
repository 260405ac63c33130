"""CUDA kernels: from a `.cu` file to a launch, on a GPU's compiler or on the CPU's.

`source` reads a file and its prototypes, `expressions` the arithmetic of its launch lines,
`launching` checks arguments and launches, `emulator` runs kernels without a GPU, `cases` says what
each kernel must compute, `footprint` what it takes of a GPU, `hardware` which GPU has run it.
"""

from minidecay.cuda.launching import Launch, Module, launches, load
from minidecay.cuda.source import Source, find, names

__all__ = ["Launch", "Module", "Source", "find", "launches", "load", "names"]
