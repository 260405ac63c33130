"""The `emulated` device: NumPy arrays, and our CUDA kernels run by the CPU (Linux and WSL)."""

import numpy as np

from minidecay.devices.kernels import KernelDevice
from minidecay.devices.protocol import Device

DEVICE: Device = KernelDevice("emulated", np)
