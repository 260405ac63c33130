"""Devices: where arrays live and primitives run. Each loads when it is first asked for."""

from importlib import import_module

from minidecay.devices.protocol import Device

__all__ = ["Device", "device"]

_MODULES = {
    "cpu": "minidecay.devices.cpu",
    "emulated": "minidecay.devices.emulated",
    "cuda": "minidecay.devices.cuda",
}
_loaded: dict[str, Device] = {}


def device(name: "str | Device") -> Device:
    """The device called `name` ("cpu"), or `name` itself if it is a device already.

    Raises:
        ValueError: no device has that name.
    """
    if not isinstance(name, str):
        return name
    if name not in _loaded:
        if name not in _MODULES:
            raise ValueError(f"device {name!r} is unknown; choose one of {sorted(_MODULES)}")
        _loaded[name] = import_module(_MODULES[name]).DEVICE
    return _loaded[name]
