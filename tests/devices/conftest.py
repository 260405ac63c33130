import importlib

import pytest
import stand_in

from minidecay.devices import device as find_device


@pytest.fixture(scope="module")  # not longer: what comes after must not meet the stand-in
def card():
    """The device `cuda` over the stand-in for CuPy."""
    with stand_in.installed():
        yield importlib.import_module("minidecay.devices.cuda").DEVICE


@pytest.fixture(params=["emulated", "stand-in", pytest.param("gpu", marks=pytest.mark.gpu)])
def launched(request):
    """Each device that launches our kernels."""
    if request.param == "gpu":
        return request.getfixturevalue("gpu")
    request.getfixturevalue("compiled")
    if request.param == "emulated":
        return find_device("emulated")
    return request.getfixturevalue("card")
