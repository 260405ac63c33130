import ctypes.util
import subprocess
from pathlib import Path

import pytest

from minidecay.cuda import nvrtc
from minidecay.cuda.emulator.building import compiler
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


@pytest.mark.parametrize("arch", ARCHITECTURES)
def test_a_kernel_compiles_for_every_architecture(nvrtc_here, arch):
    made = compile_cubin(SCALE, "scale.cu", arch, {"SIZE": 64})
    assert made.cubin.startswith(b"\x7fELF")
    assert f"sm_{arch}" in made.log
    assert parse(made.log)["scale"].shared == 64 * 4


def test_a_define_changes_what_is_compiled(nvrtc_here):
    used = [
        parse(compile_cubin(SCALE, "scale.cu", "80", {"SIZE": size}).log)["scale"].shared
        for size in (32, "4 * 32")
    ]
    assert used == [128, 512]


def test_a_second_compile_of_the_same_text_has_its_log_too(nvrtc_here):
    first, second = (compile_cubin(SCALE, "scale.cu", "80", {"SIZE": 32}) for _ in range(2))
    assert parse(first.log) == parse(second.log)
    assert "scale" in parse(second.log)


def test_a_syntax_error_names_the_label_and_the_line(nvrtc_here):
    with pytest.raises(CompileError, match=r"(?s)^bad\.cu does not compile.*bad\.cu\(2\): error"):
        compile_cubin("__device__ int one;\n__device__ int = 2;\n", "bad.cu", "80")


def test_an_error_is_placed_where_a_line_directive_says(nvrtc_here):
    with pytest.raises(CompileError, match=r"kernels/scale\.cu\(2\): error.*SIZE"):
        compile_cubin(SCALE, "scale.cu", "80")


def test_an_architecture_that_does_not_exist_is_refused(nvrtc_here):
    with pytest.raises(CompileError, match=r"(?s)scale\.cu does not compile for sm_12345.*arch"):
        compile_cubin(SCALE, "scale.cu", "12345", {"SIZE": 32})


def test_a_failing_call_is_named_with_nvidias_words_for_it(nvrtc_here):
    with pytest.raises(RuntimeError, match="nvrtcGetCUBIN: NVRTC_ERROR_INVALID_PROGRAM"):
        nvrtc._call("nvrtcGetCUBIN", None, None)


def test_the_version_is_one_that_knows_c_plus_plus_17(nvrtc_here):
    assert nvrtc.version() >= (11, 0)


def test_a_library_that_is_loaded_already_comes_first(nvrtc_here):
    assert nvrtc.find() == nvrtc._loaded()
    assert nvrtc.find().name.startswith("libnvrtc.so")


def test_without_nvrtc_the_message_says_what_to_install(no_nvrtc):
    with pytest.raises(NvrtcMissingError, match=r'pip install "minidecay\[nvrtc\]"$'):
        compile_cubin(SCALE, "scale.cu", "80")


def test_a_library_that_does_not_load_is_as_good_as_missing(no_nvrtc, tmp_path):
    path = wheel(tmp_path, "cu13", "13")
    no_nvrtc.setattr(nvrtc.sys, "path", [str(tmp_path)])
    with pytest.raises(NvrtcMissingError, match=r"does not load \(.*libnvrtc\.so\.13.*pip install"):
        nvrtc.version()
    assert path.exists()


def test_the_first_library_that_loads_is_used(no_nvrtc, tmp_path):
    wheel(tmp_path / "broken", "cu13", "13")
    working = wheel(tmp_path / "works", "cu13", "13")
    unit = tmp_path / "nvrtc.cpp"
    unit.write_text(
        'extern "C" int nvrtcVersion(int* a, int* b) { *a = 13; *b = 7; return 0; }\n'
        'extern "C" const char* nvrtcGetErrorString(int) { return ""; }\n'
    )
    subprocess.run([compiler(), "-shared", "-fPIC", "-o", working, unit], check=True)
    no_nvrtc.setattr(nvrtc.sys, "path", [str(tmp_path / "broken"), str(tmp_path / "works")])
    assert nvrtc.version() == (13, 7)
    assert nvrtc.find() == working


def test_the_newest_wheel_is_tried_first_and_the_toolkit_last(no_nvrtc, tmp_path):
    no_nvrtc.setattr(nvrtc.sys, "path", [str(tmp_path)])
    no_nvrtc.setattr(ctypes.util, "find_library", lambda name: f"lib{name}.so.11")
    wheels = [
        wheel(tmp_path, package, number)
        for package, number in (("cu13", "13"), ("cu12", "12"), ("cuda_nvrtc", "12"))
    ]
    assert list(nvrtc.candidates()) == [*wheels, Path("libnvrtc.so.11")]
    toolkit = tmp_path / "toolkit" / "lib64" / "libnvrtc.so"
    no_nvrtc.setenv("CUDA_PATH", str(tmp_path / "toolkit"))
    assert list(nvrtc.candidates())[-1] == Path("libnvrtc.so.11")  # there is none in the toolkit
    toolkit.parent.mkdir(parents=True)
    toolkit.write_bytes(b"not a library")
    assert list(nvrtc.candidates())[-1] == toolkit


def wheel(site: Path, package: str, number: str) -> Path:
    """A file where the wheel has its library."""
    path = site / "nvidia" / package / "lib" / f"libnvrtc.so.{number}"
    path.parent.mkdir(parents=True)
    path.write_bytes(b"not a library")
    return path
