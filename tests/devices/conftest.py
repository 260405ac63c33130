import importlib
import sys

import pytest
import stand_in

from minidecay.cuda import launching, nvrtc
from minidecay.devices import device as find_device


@pytest.fixture(scope="module")  # not longer: what comes after must not meet the stand-in
def card():
    """The device `cuda` over the stand-in for CuPy."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setitem(sys.modules, "cupy", stand_in.module())
        patch.setattr(nvrtc, "compile_cubin", stand_in.compile_cubin)
        patch.setattr(nvrtc, "version", lambda: (13, 0))
        patch.setattr(launching, "_loaded", {})
        yield importlib.import_module("minidecay.devices.cuda").DEVICE
    sys.modules.pop("minidecay.devices.cuda", None)


@pytest.fixture(params=["emulated", "stand-in"])
def launched(request, compiled):
    """Each device that launches our kernels."""
    if request.param == "emulated":
        return find_device("emulated")
    return request.getfixturevalue("card")
