"""`cupy.cuda`, and RawModule: kernels that the emulator runs, on streams that do all at once."""

import json
import time
from pathlib import Path
from types import SimpleNamespace

import numpy as np

from minidecay.cuda import nvrtc as our_nvrtc
from minidecay.cuda import source
from minidecay.cuda.emulator import EmulatedModule
from stand_in import stream
from stand_in.arrays import ndarray

CARD = "stand-in for CuPy: no GPU, no proof of hardware"


def compile_cubin(text, label, arch, defines):
    """In the place of `nvrtc.compile_cubin`: what `RawModule` below loads."""
    assert arch == "90a"
    made = {"label": label, "text": text, "defines": dict(defines)}
    return our_nvrtc.Compiled(json.dumps(made).encode(), "")


class RawModule:
    loaded = 0

    def __init__(self, code=None, *, path=None, options=()):
        assert code is None
        RawModule.loaded += 1
        made = json.loads(Path(path).read_text())
        self.source = source.parse(made["label"], made["text"])
        self.module = EmulatedModule(self.source, made["defines"])

    def get_function(self, name):
        return RawKernel(self.module, self.source.kernels[name])


class RawKernel:
    max_dynamic_shared_size_bytes = 48 * 1024

    def __init__(self, module, signature):
        self.module, self.signature = module, signature

    def __call__(self, grid, block, args, *, shared_mem=0):
        assert isinstance(args, tuple)
        assert shared_mem <= self.max_dynamic_shared_size_bytes
        given = [self._taken(*each) for each in zip(self.signature.parameters, args, strict=True)]
        stream.do(lambda: self.module.launch(self.signature, grid, block, shared_mem, given))

    def _taken(self, parameter, value):
        """CuPy passes an array's address, and the bytes of anything else that it takes."""
        if isinstance(value, ndarray):
            assert parameter.pointer
            return value.host
        assert isinstance(value, np.generic)
        if parameter.pointer:
            assert value.dtype == np.uintp
            assert value == 0
            return None
        assert value.dtype == our_types()[parameter.type]
        return value


def our_types():
    from minidecay.cuda.launching import TYPES

    return TYPES


class Device:
    compute_capability = "90"
    id = 0
    attributes = {  # noqa: RUF012 (CuPy's own is a dict)
        "MultiProcessorCount": 4,
        "ClockRate": 1_000_000,
        "MemoryClockRate": 500_000,
        "L2CacheSize": 4096,
        "GlobalMemoryBusWidth": 128,
    }
    mem_info = (2**24, 2**24)

    def synchronize(self):
        stream.synchronize()


class Stream:
    ptr = 1

    def __init__(self, null=False, non_blocking=False):
        pass

    def __enter__(self):
        return self

    def __exit__(self, *exception):
        pass

    def synchronize(self):
        stream.synchronize()

    def begin_capture(self, mode=None):
        stream.begin_capture()

    def end_capture(self):
        return stream.end_capture()


class Event:
    at = 0.0

    def record(self, stream):  # CuPy's takes the null stream where none is given
        self.at = time.perf_counter()

    def synchronize(self):
        pass


def get_elapsed_time(start, end):
    return (end.at - start.at) * 1e3


nvrtc = SimpleNamespace(getVersion=lambda: (13, 0))
runtime = SimpleNamespace(
    driverGetVersion=lambda: 13000,
    runtimeGetVersion=lambda: 13000,
    getDeviceProperties=lambda device: {"name": CARD.encode(), "totalGlobalMem": 2**24},
)
