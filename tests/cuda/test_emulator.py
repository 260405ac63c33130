"""Every kind of bug is planted and found on its line; what is right is left alone."""

import numpy as np
import pytest

from minidecay.cuda.emulator import KernelFault
from minidecay.cuda.emulator.building import CompilerError, CompilerMissingError, compiler


def floats(n=64):
    return np.arange(n, dtype=np.float32)


def finding(module, *arguments):
    """The first thing that the check finds."""
    with pytest.raises(KernelFault) as caught:
        module.launch("planted", arguments)
    return caught.value.findings[0]


@pytest.mark.parametrize("check", [False, True], ids=["fast", "check"])
def test_threads_meet_at_a_barrier(kernel, check):
    body = """  __shared__ float tile[32];
      int t = threadIdx.x;
      tile[t] = x[t];
      __syncthreads();
      x[t] = tile[31 - t];"""
    x = floats(32)
    kernel(body, check=check).planted(x, 32)
    assert (x == floats(32)[::-1]).all()


@pytest.mark.parametrize("check", [False, True], ids=["fast", "check"])
def test_a_warp_shuffles_and_votes(kernel, check):
    body = """  float v = x[threadIdx.x];
      for (int o = 16; o; o >>= 1) v += __shfl_xor_sync(0xffffffffu, v, o);
      float up = __shfl_up_sync(0xffffffffu, x[threadIdx.x], 1);
      unsigned odd = __ballot_sync(0xffffffffu, threadIdx.x % 2);
      float eighth = __shfl_sync(0xffffffffu, x[threadIdx.x], 1, 8);
      __syncwarp();
      x[threadIdx.x] = threadIdx.x == 0 ? v : threadIdx.x == 1 ? (float)__popc(odd)
                     : threadIdx.x == 20 ? eighth : up;"""
    x = floats(32)
    kernel(body, check=check).planted(x, 32)
    assert x[0] == 31 * 16  # the sum of all
    assert x[1] == 16  # half of the lanes are odd
    assert x[20] == 17  # lane 1 of the third segment of 8
    assert (x[2:20] == floats(32)[1:19]).all()  # each has its neighbour's


def test_dynamic_shared_memory_is_as_large_as_its_line_says(kernel):
    body = """  extern __shared__ float tile[];
      tile[threadIdx.x] = x[threadIdx.x];
      __syncthreads();
      x[threadIdx.x] = tile[(threadIdx.x + 1) % 32];"""
    x = floats(32)
    kernel(body, shared="n * 4").planted(x, 32)
    assert (x == np.roll(floats(32), -1)).all()
    found = finding(kernel(body, shared="n * 2"), floats(32), 32)
    assert found.kind == "out of bounds"


PLANTED = {
    "a read of what nobody wrote": (
        "  __shared__ float tile[32];\n  x[threadIdx.x] = tile[threadIdx.x];",
        "read of what nobody wrote",
        6,
    ),
    "a barrier left out": (
        "  __shared__ float tile[32];\n  tile[threadIdx.x] = 1.f;\n"
        "  x[threadIdx.x] = tile[31 - threadIdx.x];",
        "read of what nobody wrote",
        7,
    ),
    "a second barrier left out": (
        "  __shared__ float tile[32];\n  for (int i = 0; i < 2; i++) {\n"
        "    tile[threadIdx.x] = 1.f;\n    __syncthreads();\n"
        "    x[threadIdx.x] = tile[31 - threadIdx.x];\n  }",
        "data race: read beside a write",
        9,
    ),
    "two threads write one element": (
        "  x[threadIdx.x / 2] = 1.f;",
        "data race: two threads write",
        5,
    ),
    "a read beyond an array": ("  x[0] = x[n + threadIdx.x];", "out of bounds", 5),
    "a write before an array": ("  x[(int)threadIdx.x - 1] = 0.f;", "out of bounds", 5),
    "a write far away": ("  x[100000000 + threadIdx.x] = 0.f;", "out of bounds", 5),
    "an index beyond a shared array": (
        "  __shared__ float tile[4][8];\n  tile[threadIdx.x / 8][threadIdx.x % 8 + 1] = 0.f;",
        "out of bounds",
        6,
    ),
    "an index beyond a local array": (
        "  float mine[4] = {};\n  mine[n / 16 + threadIdx.x] = 1.f;\n  x[threadIdx.x] = mine[0];",
        "out of bounds",
        6,
    ),
    "a misaligned float4": (
        "  *(float4*)(x + 4 * threadIdx.x + 1) = make_float4(n, n, n, n);",
        "misaligned access",
        5,
    ),
    "threads at two barriers": (
        "  if (threadIdx.x < 16) __syncthreads();\n  else\n    __syncthreads();",
        "divergent __syncthreads",
        7,
    ),
    "a barrier some never reach": (
        "  if (threadIdx.x < 16) return;\n  __syncthreads();",
        "divergent __syncthreads",
        6,
    ),
    "a deadlock": (
        "  if (threadIdx.x < 16) __syncthreads();\n  else __syncwarp();",
        "deadlock",
        6,
    ),
    "a lane outside its mask": (
        "  x[threadIdx.x] = __shfl_xor_sync(0xffffu, 1.f, 1);",
        "bad warp mask",
        5,
    ),
    "too much shared memory": (
        "  __shared__ float tile[12289];\n  tile[threadIdx.x] = 0.f;",
        "too much shared memory",
        5,
    ),
    "an assertion": ("  assert(threadIdx.x < 31);", "failed assertion", 5),
}


@pytest.mark.parametrize(("body", "kind", "line"), PLANTED.values(), ids=PLANTED)
def test_a_planted_bug_is_found_on_its_line(kernel, body, kind, line):
    found = finding(kernel(body), floats(32), 32)
    assert found.kind == kind
    # The prototype stands on line 4. A deadlock is told of one of the lines where threads wait.
    assert found.place.rpartition("planted.cu:")[2] in (
        {str(line), str(line - 1)}
        if kind in ("deadlock", "divergent __syncthreads")
        else {str(line)}
    )
    assert found.block == (0, 0, 0)
    assert found.thread[0] < 32


def test_a_null_pointer_is_told(kernel):
    found = finding(
        kernel("  x[0] = p[n];", parameters="float* x, float* p, int n"), floats(), None, 3
    )
    assert found.kind == "out of bounds"
    assert found.detail == "read of 4 bytes through a null pointer"


def test_blocks_that_write_one_element_race(kernel):
    found = finding(kernel("  if (threadIdx.x == 0) x[0] = 1.f;", grid="2"), floats(), 1)
    assert found.kind == "data race: two threads write"
    assert "of x" in found.detail


def test_a_warp_needs_no_block_barrier_between_its_steps(kernel):
    body = """  __shared__ float tile[32];
      tile[threadIdx.x] = x[threadIdx.x];
      __syncwarp();
      for (int o = 16; o; o >>= 1) {
        float other = tile[threadIdx.x ^ o];
        __syncwarp();
        tile[threadIdx.x] += other;
        __syncwarp();
      }
      x[threadIdx.x] = tile[threadIdx.x];"""
    x = floats(32)
    kernel(body).planted(x, 32)
    assert (x == 31 * 16).all()


def test_after_a_fault_the_module_goes_on(kernel):
    module = kernel("  x[n + threadIdx.x] = 1.f;")
    finding(module, floats(32), 1)
    x = floats(64)
    module.planted(x, 32)
    assert (x[32:] == 1).all()


def test_blocks_over_many_threads_write_what_one_would(kernel, monkeypatch):
    body = "  x[blockIdx.x * 32 + threadIdx.x] *= 2.f;"
    for threads in ("1", "4"):
        monkeypatch.setenv("OMP_NUM_THREADS", threads)
        x = floats(32 * 50)
        kernel(body, grid="50", check=False).planted(x, 0)
        assert (x == 2 * floats(32 * 50)).all()


def test_a_compile_error_names_file_and_line(kernel):
    with pytest.raises(CompilerError, match=r"planted\.cu:5"):
        kernel("  x[0] = no_such_name;")


def test_a_missing_compiler_is_one_sentence_with_the_mend(monkeypatch):
    monkeypatch.setenv("PATH", "/nowhere")
    monkeypatch.delenv("CXX", raising=False)
    with pytest.raises(CompilerMissingError, match=r"sudo apt install g\+\+"):
        compiler()
