"""Launching on a GPU through CuPy: our own cubin, for the card's very architecture.

CuPy alone would compile for sm_90 where Hopper's own instructions want sm_90a, and its cache does
not see an edited include. CuPy loads what we compiled, and launches it.
"""

from collections.abc import Mapping, Sequence
from contextlib import suppress
from pathlib import Path
from typing import Any

import numpy as np

from minidecay.cuda import nvrtc
from minidecay.cuda.arguments import Extent
from minidecay.cuda.cache import cached
from minidecay.cuda.source import Signature, Source

__all__ = ["CupyModule"]

_PLAIN_SHARED = 48 * 1024  # bytes of dynamic shared memory; more must be asked for
_NULL = np.uintp(0)


class CupyModule:
    """The kernels of one source, compiled for the GPU that is current when it is made.

    Raises:
        CompileError, NvrtcMissingError: as `nvrtc.compile_cubin`.
    """

    def __init__(self, source: Source, defines: Mapping[str, int | str]) -> None:
        import cupy

        self.array_type: type[Any] = cupy.ndarray
        with suppress(Exception):  # where CuPy has none, `nvrtc.find` looks on, and says the mend
            cupy.cuda.nvrtc.getVersion()  # CuPy's NVRTC is loaded now, and preferred to any other
        arch = _architecture(cupy.cuda.Device().compute_capability)
        made_of = (source.text, *sorted(defines.items()), arch, nvrtc.FLAGS, nvrtc.version())

        def make(path: Path) -> None:
            path.write_bytes(nvrtc.compile_cubin(source.text, source.label, arch, defines).cubin)

        self._module = cupy.RawModule(path=str(cached(made_of, ".cubin", make)))
        self._functions: dict[str, Any] = {}
        self._granted = dict.fromkeys(source.kernels, _PLAIN_SHARED)  # bytes of dynamic shared

    def launch(
        self,
        signature: Signature,
        grid: Extent,
        block: Extent,
        shared: int,
        arguments: Sequence[Any],
    ) -> None:
        """Launch one kernel on CuPy's current stream; it may still run when this returns."""
        name = signature.name
        if name not in self._functions:
            self._functions[name] = self._module.get_function(name)
        function = self._functions[name]
        if shared > self._granted[name]:
            function.max_dynamic_shared_size_bytes = self._granted[name] = shared
        # CuPy passes an array's address, and the bytes of a NumPy scalar of whatever type it is.
        given = tuple([_NULL if value is None else value for value in arguments])
        function(grid, block, given, shared_mem=shared)


def _architecture(capability: str) -> str:
    """What to compile for: on Hopper with the instructions that are its alone."""
    return "90a" if capability == "90" else capability
