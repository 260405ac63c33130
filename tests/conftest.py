"""One `device` fixture for every test that can run on more than one, and hypothesis's manners."""

import ctypes.util
import os
import sys
from collections.abc import Iterator
from importlib.util import find_spec
from types import SimpleNamespace

import pytest
import stand_in

from minidecay.cuda import nvrtc
from minidecay.cuda.emulator.building import CompilerMissingError, compiler
from minidecay.devices import Device
from minidecay.devices import device as find_device

# Helpers that import torch; pytest looks for doctests in every file it is not told to leave out.
collect_ignore = [] if find_spec("torch") else ["ops/torch_cases"]

DEVICES = ["cpu", "emulated", pytest.param("cuda", marks=pytest.mark.gpu)]

try:
    from hypothesis import HealthCheck, settings
except ImportError:
    pass  # on a machine that runs tests/gpu alone
else:
    # Two busy cores are slow by no fault of a test, so nothing is held to a deadline.
    settings.register_profile(
        "default", deadline=None, max_examples=40, suppress_health_check=[HealthCheck.too_slow]
    )
    settings.register_profile("ci", settings.get_profile("default"), derandomize=True)
    settings.load_profile("ci" if os.environ.get("CI") else "default")


@pytest.fixture(scope="session", autouse=True)
def cache(tmp_path_factory: pytest.TempPathFactory) -> Iterator[None]:
    """Kernels are compiled into a folder of this run's own, never into the user's."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("MINIDECAY_CACHE", str(tmp_path_factory.mktemp("cache")))
        yield


@pytest.fixture(scope="session")
def compiled() -> None:
    """What needs the emulator is skipped where there is none."""
    if sys.platform != "linux":
        pytest.skip("the emulator is for Linux and WSL")
    try:
        compiler()
    except CompilerMissingError as error:
        pytest.skip(str(error))


@pytest.fixture(scope="session")
def gpu() -> Device:
    """The device `cuda`; what needs it is skipped where there is no CuPy or no GPU."""
    try:
        return find_device("cuda")
    except RuntimeError as error:
        pytest.skip(str(error))


@pytest.fixture(scope="module")  # not longer: what comes after must not meet the stand-in
def card() -> Iterator[Device]:
    """The device `cuda` over the stand-in for CuPy."""
    with stand_in.installed():
        yield find_device("cuda")


@pytest.fixture(params=DEVICES)
def device(request: pytest.FixtureRequest) -> str:
    """The name of a device, each in turn."""
    needs = {"emulated": "compiled", "cuda": "gpu"}
    if request.param in needs:
        request.getfixturevalue(needs[request.param])
    return str(request.param)


@pytest.fixture(scope="session")
def nvrtc_here() -> None:
    """What needs NVIDIA's runtime compiler is skipped where there is none."""
    try:
        nvrtc.version()
    except nvrtc.NvrtcMissingError as error:
        pytest.skip(str(error))


@pytest.fixture
def no_nvrtc(monkeypatch: pytest.MonkeyPatch) -> Iterator[pytest.MonkeyPatch]:
    """NVRTC is not in a wheel, the system or a toolkit, nor loaded; the patch may put one there."""
    monkeypatch.setattr(nvrtc, "_loaded", lambda: None)
    monkeypatch.setattr(ctypes.util, "find_library", lambda name: None)
    for variable in ("CUDA_PATH", "CUDA_HOME"):
        monkeypatch.delenv(variable, raising=False)
    nvrtc._library.cache_clear()
    # The path that NVRTC is looked for on, not the one that Python imports from.
    monkeypatch.setattr(nvrtc, "sys", SimpleNamespace(path=[]))
    yield monkeypatch
    nvrtc._library.cache_clear()
