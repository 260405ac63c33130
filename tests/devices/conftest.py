import pytest

from minidecay.devices import device as find_device


@pytest.fixture(params=["emulated", "stand-in", pytest.param("gpu", marks=pytest.mark.gpu)])
def launched(request):
    """Each device that launches our kernels."""
    if request.param == "gpu":
        return request.getfixturevalue("gpu")
    request.getfixturevalue("compiled")
    if request.param == "emulated":
        return find_device("emulated")
    return request.getfixturevalue("card")
