"""The primitives as launches of our kernels: what the devices `emulated` and `cuda` share."""

from typing import Any

from minidecay.devices import device as find_device
from minidecay.devices.kernels.convolution import Convolution
from minidecay.devices.kernels.elementwise import Elementwise
from minidecay.devices.kernels.losses import Losses
from minidecay.devices.kernels.normalization import Normalization
from minidecay.devices.kernels.pooling import Pooling
from minidecay.devices.kernels.reductions import Reductions
from minidecay.devices.kernels.update import Update

__all__ = ["KernelDevice"]


class KernelDevice(Elementwise, Reductions, Convolution, Pooling, Normalization, Losses, Update):
    """`minidecay.devices.protocol` in float32, by the kernels under `kernels/`."""

    def __repr__(self) -> str:
        return self.name

    def __reduce__(self) -> tuple[Any, tuple[str]]:
        return find_device, (self.name,)  # a copy from another process is this very device
