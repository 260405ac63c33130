import ctypes.util
import sys
from pathlib import Path

import pytest

from minidecay.cuda import nvrtc
from minidecay.cuda.nvrtc import ARCHITECTURES, CompileError, NvrtcMissingError, compile_cubin
from minidecay.cuda.resources import parse

SCALE = """#line 1 "kernels/scale.cu"
extern "C" __global__ void scale(float* x, int n) {
  __shared__ float tile[SIZE];
  int i = blockIdx.x * SIZE + threadIdx.x;
  tile[threadIdx.x] = i < n ? x[i] : 0.0f;
  __syncthreads();
  if (i < n) x[i] = 2.0f * tile[SIZE - 1 - threadIdx.x];
}
"""


@pytest.fixture
def compiler():
    try:
        nvrtc.version()
    except NvrtcMissingError as error:
        pytest.skip(str(error))


@pytest.fixture
def bare(monkeypatch):
    """No wheel on the path, no library in the system, and none loaded."""
    monkeypatch.setattr(nvrtc, "_loaded", lambda: None)
    monkeypatch.setattr(ctypes.util, "find_library", lambda name: None)
    with monkeypatch.context() as patch:
        patch.setattr(sys, "path", [])
        yield patch


@pytest.fixture
def unloaded():
    """The library is looked for again, and once more after the test."""
    nvrtc._library.cache_clear()
    yield
    nvrtc._library.cache_clear()


@pytest.mark.parametrize("arch", ARCHITECTURES)
def test_a_kernel_compiles_for_every_architecture(compiler, arch):
    made = compile_cubin(SCALE, "scale.cu", arch, {"SIZE": 64})
    assert made.cubin.startswith(b"\x7fELF")
    assert f"sm_{arch}" in made.log
    assert parse(made.log)["scale"].shared == 64 * 4


def test_a_define_changes_what_is_compiled(compiler):
    used = [
        parse(compile_cubin(SCALE, "scale.cu", "80", {"SIZE": size}).log)["scale"].shared
        for size in (32, "4 * 32")
    ]
    assert used == [128, 512]


def test_a_second_compile_of_the_same_text_has_its_log_too(compiler):
    first, second = (compile_cubin(SCALE, "scale.cu", "80", {"SIZE": 32}) for _ in range(2))
    assert parse(first.log) == parse(second.log)
    assert "scale" in parse(second.log)


def test_a_syntax_error_names_the_label_and_the_line(compiler):
    with pytest.raises(CompileError, match=r"(?s)^bad\.cu does not compile.*bad\.cu\(2\): error"):
        compile_cubin("__device__ int one;\n__device__ int = 2;\n", "bad.cu", "80")


def test_an_error_is_placed_where_a_line_directive_says(compiler):
    with pytest.raises(CompileError, match=r"kernels/scale\.cu\(2\): error.*SIZE"):
        compile_cubin(SCALE, "scale.cu", "80")


def test_an_architecture_that_does_not_exist_is_refused(compiler):
    with pytest.raises(CompileError, match=r"(?s)scale\.cu does not compile for sm_12345.*arch"):
        compile_cubin(SCALE, "scale.cu", "12345", {"SIZE": 32})


def test_a_failing_call_is_named_with_nvidias_words_for_it(compiler):
    with pytest.raises(RuntimeError, match="nvrtcGetCUBIN: NVRTC_ERROR_INVALID_PROGRAM"):
        nvrtc._call("nvrtcGetCUBIN", None, None)


def test_the_version_is_one_that_knows_c_plus_plus_17(compiler):
    assert nvrtc.version() >= (11, 0)


def test_a_library_that_is_loaded_already_comes_first(compiler):
    assert nvrtc.find() == nvrtc._loaded()
    assert nvrtc.find().name.startswith("libnvrtc.so")


@pytest.mark.usefixtures("unloaded")
def test_without_nvrtc_the_message_says_what_to_install(bare):
    with pytest.raises(NvrtcMissingError, match=r"pip install 'minidecay\[nvrtc\]'$"):
        compile_cubin(SCALE, "scale.cu", "80")


@pytest.mark.usefixtures("unloaded")
def test_a_library_that_does_not_load_is_as_good_as_missing(bare, tmp_path):
    path = wheel(tmp_path, "cu13", "13")
    bare.setattr(sys, "path", [str(tmp_path)])
    with pytest.raises(NvrtcMissingError, match=r"does not load \(.*libnvrtc\.so\.13.*pip install"):
        nvrtc.version()
    assert path.exists()


def test_the_newest_wheel_is_found_before_the_systems_library(bare, tmp_path):
    bare.setattr(sys, "path", [str(tmp_path)])
    bare.setattr(ctypes.util, "find_library", lambda name: f"lib{name}.so.11")
    assert nvrtc.find() == Path("libnvrtc.so.11")
    for package, number in (("cuda_nvrtc", "12"), ("cu12", "12"), ("cu13", "13")):
        path = wheel(tmp_path, package, number)
        assert nvrtc.find() == path


def wheel(site: Path, package: str, number: str) -> Path:
    """A file where the wheel has its library."""
    path = site / "nvidia" / package / "lib" / f"libnvrtc.so.{number}"
    path.parent.mkdir(parents=True)
    path.write_bytes(b"not a library")
    return path
