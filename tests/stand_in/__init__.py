"""A stand-in for CuPy: its names over NumPy's arithmetic, and cubins that the emulator runs.

With it every line of the device `cuda` and of the GPU benchmarks runs without a GPU. It shows that
our calls fit together, that nothing of NumPy's touches an array of the device, and how much memory
a step takes of CuPy's pool; it is no proof of hardware.

`installed()` puts it in CuPy's place in this process. For a process of its own, a folder with
`cupy.py` on the PYTHONPATH does (`as_cupy`). `torch_cuda` does the like for torch.cuda.
"""

import sys
from contextlib import contextmanager
from pathlib import Path

import pytest

from minidecay import devices
from minidecay.cuda import launching, nvrtc
from stand_in import cuda
from stand_in.arrays import FUNCTIONS, ndarray
from stand_in.memory import POOL

_AS_CUPY = """\
import sys

sys.path.insert(0, {folder!r})
import stand_in
from minidecay.cuda import nvrtc

nvrtc.compile_cubin, nvrtc.version = stand_in.cuda.compile_cubin, lambda: (13, 0)
sys.modules["cupy"] = stand_in.Module()
"""


class Module:
    """What `import cupy` gives. Whatever is not here, CuPy may have, but nothing of ours asks for.

    `Module(no_gpu=True)` is CuPy where there is no GPU.
    """

    __name__, __version__ = "cupy", "14.2.0 (stand-in)"
    __spec__ = None
    ndarray, cuda, RawModule = ndarray, cuda, cuda.RawModule

    def __init__(self, no_gpu=False):
        self.is_available = lambda: not no_gpu
        self.get_default_memory_pool = lambda: POOL

    def __getattr__(self, name):
        if name not in FUNCTIONS:
            raise AttributeError(f"the stand-in for CuPy has no {name}; see {__name__}.arrays")
        return FUNCTIONS[name]


@contextmanager
def installed():
    """Within it `import cupy` is the stand-in, and what it loads is compiled for the emulator."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setitem(sys.modules, "cupy", Module())
        patch.setattr(nvrtc, "compile_cubin", cuda.compile_cubin)
        patch.setattr(nvrtc, "version", lambda: (13, 0))
        patch.setattr(launching, "_loaded", {})
        patch.setattr(devices, "_loaded", {})
        yield


def as_cupy(folder):
    """Write `cupy.py` into `folder`: with that on the PYTHONPATH, another process has it too."""
    here = str(Path(__file__).parents[1])
    (Path(folder) / "cupy.py").write_text(_AS_CUPY.format(folder=here))
