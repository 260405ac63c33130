import sys

import pytest

from minidecay.cuda import load
from minidecay.cuda.emulator.building import CompilerMissingError, compiler


@pytest.fixture(scope="session", autouse=True)
def compiled_here(tmp_path_factory):
    """Compile into a folder of this run's own, never into the user's."""
    if sys.platform != "linux":
        pytest.skip("the emulator is for Linux and WSL")
    try:
        compiler()
    except CompilerMissingError as error:
        pytest.skip(str(error))
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("MINIDECAY_CACHE", str(tmp_path_factory.mktemp("cache")))
        yield


@pytest.fixture
def kernel(tmp_path):
    """Write a .cu file around a body and load it in check mode."""

    def make(body, *, block="32", grid="1", parameters="float* x, int n", check=True, shared=0):
        path = tmp_path / "planted.cu"
        path.write_text(
            f"//! grid {grid}\n//! block {block}\n//! shared {shared}\n"
            f'extern "C" __global__ void planted({parameters}) {{\n{body}\n}}\n'
        )
        return load(path, check=check)

    return make
