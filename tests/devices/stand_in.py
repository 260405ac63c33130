"""A stand-in for CuPy: NumPy's arrays under CuPy's names, and cubins that the emulator runs.

With it every line of the device `cuda` runs without a GPU. It shows that our calls fit together; it
is no proof of hardware.
"""

import json
import types
from pathlib import Path

import numpy as np

from minidecay.cuda import nvrtc, source
from minidecay.cuda.emulator import EmulatedModule


class DeviceArray(np.ndarray):
    """CuPy's array, as far as the device uses it."""

    def get(self):
        return np.array(self)


def on_device(function):
    """A function of NumPy's whose result is this library's array."""

    def made(*arguments, **options):
        return np.asarray(function(*arguments, **options)).view(DeviceArray)

    return made


class RawModule:
    """Loads what `compile_cubin` below wrote."""

    loaded = 0

    def __init__(self, path):
        RawModule.loaded += 1
        made = json.loads(Path(path).read_text())
        self.source = source.parse(made["label"], made["text"])
        self.module = EmulatedModule(self.source, made["defines"])

    def get_function(self, name):
        signature = self.source.kernels[name]

        def launch(grid, block, arguments, shared_mem=0):
            assert all(isinstance(each, DeviceArray | np.generic) for each in arguments)
            given = [
                None if parameter.pointer and isinstance(each, np.generic) else each
                for parameter, each in zip(signature.parameters, arguments, strict=True)
            ]
            self.module.launch(signature, grid, block, shared_mem, given)

        return launch


def compile_cubin(text, label, arch, defines):
    assert arch == "90a"
    made = {"label": label, "text": text, "defines": dict(defines)}
    return nvrtc.Compiled(json.dumps(made).encode(), "")


class CardDevice:
    compute_capability = "90"


def lookup(name):
    if name.startswith("__"):
        raise AttributeError(name)
    return on_device(getattr(np, name))


def module():
    """The module to put in CuPy's place."""
    fake = types.ModuleType("cupy")
    fake.ndarray, fake.RawModule, fake.is_available = DeviceArray, RawModule, lambda: True
    version = types.SimpleNamespace(getVersion=lambda: (13, 0))
    fake.cuda = types.SimpleNamespace(nvrtc=version, Device=CardDevice)
    fake.copyto = np.copyto
    fake.__getattr__ = lookup
    return fake
