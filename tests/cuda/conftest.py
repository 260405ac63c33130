import pytest

from minidecay.cuda import load


@pytest.fixture(scope="session", autouse=True)
def compiled_here(compiled):
    """All of these tests need the emulator."""


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
