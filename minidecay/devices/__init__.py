"""Devices: where arrays live and primitives run. Each loads when it is first asked for."""

from importlib import import_module

from minidecay.devices.protocol import Device

__all__ = ["DEVICES", "Device", "device"]

_MODULES = {
    "cpu": "minidecay.devices.cpu",
    "emulated": "minidecay.devices.emulated",
    "cuda": "minidecay.devices.cuda",
}
DEVICES = tuple(_MODULES)
_loaded: dict[str, Device] = {}


def device(name: "str | Device") -> Device:
    """The device called `name` ("cpu"), or `name` itself if it is a device already.

    `cpu` is NumPy, `emulated` our CUDA kernels run by the CPU, `cuda` the same on a GPU.

    Raises:
        ValueError: no device has that name.
        TypeError: `name` is neither a name nor a device.
        RuntimeError: `cuda` without CuPy or a GPU.
    """
    if not isinstance(name, str):
        if not hasattr(name, "from_numpy"):
            raise TypeError(f"device {name!r} is no device; choose one of {sorted(_MODULES)}")
        return name
    if name not in _loaded:
        if name not in _MODULES:
            raise ValueError(f"device {name!r} is unknown; choose one of {sorted(_MODULES)}")
        _loaded[name] = import_module(_MODULES[name]).DEVICE
    return _loaded[name]
