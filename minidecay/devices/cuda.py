"""The `cuda` device: CuPy arrays, and our kernels run by a GPU."""

from typing import Any

from minidecay.devices.kernels import KernelDevice
from minidecay.devices.protocol import Device

_MEND = "pip install 'minidecay[cuda12]' or 'minidecay[cuda13]', whichever the driver has"


def _cupy() -> Any:
    """CuPy with a GPU behind it.

    Raises:
        RuntimeError: CuPy or a GPU is missing; the message says what would do instead.
    """
    try:
        import cupy
    except ImportError as error:
        raise RuntimeError(
            f"device cuda: CuPy is not installed: {_MEND}; without a GPU take emulated or cpu"
        ) from error
    if not cupy.is_available():
        raise RuntimeError(
            "device cuda: CuPy finds no GPU or no driver here (nvidia-smi shows them); "
            "take the device emulated or cpu"
        )
    return cupy


def __getattr__(name: str) -> Device:
    if name == "DEVICE":  # made when first asked for: the module itself imports anywhere
        return KernelDevice("cuda", _cupy())
    raise AttributeError(name)
