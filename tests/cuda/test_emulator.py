"""Every kind of bug is planted and found on its line; what is right is left alone."""

import numpy as np
import pytest

from minidecay.cuda import load
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


def test_shared_memory_is_declared_as_cuda_lets_it(kernel):
    """And a declaration of several lines leaves what follows on its own."""
    body = """  static __shared__ float first[32],  // a copy, and
                          second[32];  // another
      volatile __shared__ float third[32];
      extern volatile __shared__
        float fourth[];
      int t = threadIdx.x;
      first[t] = second[t] = third[t] = fourth[t] = x[t];
      __syncthreads();
      x[t] = first[31 - t] + second[31 - t] + third[31 - t] + fourth[31 - t];
      if (n == 0) __trap();"""
    module = kernel(body, shared="128")
    x = floats(32)
    module.planted(x, 32)
    assert (x == 4 * floats(32)[::-1]).all()
    found = finding(module, x, 0)
    assert found.place.endswith("planted.cu:14")


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


def test_threads_may_write_neighbouring_bytes(kernel):
    """A race is two accesses of one element, however narrow, not of one word."""
    body = """  __shared__ unsigned char tile[32];
      tile[threadIdx.x] = x[threadIdx.x];
      __syncthreads();
      x[threadIdx.x] = tile[31 - threadIdx.x] + 1;"""
    x = np.arange(32, dtype=np.uint8)
    kernel(body, parameters="unsigned char* x").planted(x)
    assert (x == np.arange(32)[::-1] + 1).all()
    body = "  x[threadIdx.x] = 1;\n  ((unsigned*)x)[threadIdx.x / 8] = 2;"
    found = finding(kernel(body, parameters="unsigned char* x"), x)
    assert found.kind == "data race: two threads write"


def test_each_instance_of_a_template_has_its_own_shared_array(tmp_path):
    path = tmp_path / "two.cu"
    path.write_text(
        "template <int N> __device__ float* mine() { __shared__ float tile[N]; return tile; }\n"
        '//! grid 1\n//! block 32\nextern "C" __global__ void two(float* x) {\n'
        "  mine<32>()[threadIdx.x] = 1.f;\n  mine<64>()[threadIdx.x + 32] = 2.f;\n"
        "  __syncthreads();\n"
        "  x[threadIdx.x] = mine<32>()[31 - threadIdx.x] + mine<64>()[63 - threadIdx.x];\n}\n"
    )
    x = floats(32)
    load(path, check=True).two(x)
    assert (x == 3).all()


def test_an_array_keeps_its_alignment(kernel):
    """What is not aligned for a float4 is not under the check either: both ways of a kernel run."""
    body = "  x[threadIdx.x] = (unsigned long long)x % 16;"
    for start in range(4):
        x = np.zeros(36, np.float32)[start:]
        kernel(body).planted(x, 0)
        assert (x[:32] == x.ctypes.data % 16).all()
    whole = "  if (threadIdx.x == 0) *(float4*)x = make_float4(n, n, n, n);"
    assert finding(kernel(whole), x, 0).kind == "misaligned access"


def test_an_array_that_is_given_twice_is_one_array(kernel):
    both = "const float* c, float* x"
    for check in (True, False):
        x = floats(32)
        kernel("  x[threadIdx.x] = c[threadIdx.x] + 1.f;", parameters=both, check=check).planted(
            x, x
        )
        assert (x == floats(32) + 1).all()
    found = finding(kernel("  x[threadIdx.x] = c[31 - threadIdx.x];", parameters=both), x, x)
    assert found.kind.startswith("data race")


@pytest.mark.parametrize("check", [False, True], ids=["fast", "check"])
def test_atomics_add_what_all_threads_of_all_blocks_add(kernel, check):
    body = """  __shared__ int count;
      if (threadIdx.x == 0) count = 0;
      __syncthreads();
      atomicAdd(&count, 1);
      __syncthreads();
      atomicAdd(x, count);
      atomicMax(x + 1, (float)(blockIdx.x * 32 + threadIdx.x));
      if (atomicExch(x + 2, 7.f) == 0.f) atomicAdd(x + 3, 1.f);
      atomicAdd((unsigned long long*)(x + 4), 1ull << 33);"""
    x = np.zeros(8, np.float32)
    kernel(body, grid="50", check=check).planted(x, 0)
    assert x[0] == 50 * 32 * 32
    assert x[1] == 50 * 32 - 1
    assert x[2:4].tolist() == [7, 1]
    assert x[4:6].view(np.uint64) == 50 * 32 << 33


ATOMIC_RACES = {
    "a plain write beside": "  atomicAdd(x, 1.f);\n  if (threadIdx.x == 9) x[0] = 1.f;",
    "a plain read beside": "  atomicAdd(x, 1.f);\n  x[threadIdx.x + 1] = x[0];",
    "a read before": "  x[threadIdx.x + 1] = x[0];\n  atomicAdd(x, 1.f);",
}


@pytest.mark.parametrize("body", ATOMIC_RACES.values(), ids=ATOMIC_RACES)
def test_an_atomic_races_with_what_is_not_atomic(kernel, body):
    found = finding(kernel(body), floats(), 1)
    assert found.kind.startswith("data race")
    kernel(body.replace("\n", "\n  __syncthreads();\n")).planted(floats(), 1)


@pytest.mark.parametrize("check", [False, True], ids=["fast", "check"])
def test_a_kernel_prints(kernel, capfd, check):
    body = """  if (threadIdx.x == 3) printf("thread %d of %s: %.2f\\n", threadIdx.x, "x", x[3]);"""
    print("before")
    kernel(body, check=check).planted(floats(32), 0)
    print("after")
    assert capfd.readouterr().out == "before\nthread 3 of x: 3.00\nafter\n"


def test_a_kernel_has_what_cuda_has_of_mathematics(kernel):
    body = """  float a = x[threadIdx.x] + 0.5f;
      x[threadIdx.x] = threadIdx.x == 0 ? sqrt(a) + exp(a) + fabs(-a) + pow(a, 2.f) + rsqrtf(a)
                     : threadIdx.x == 1 ? isnan(a) + isinf(1.f / 0.f) + signbit(-a) + abs(-3)
                     : min(a, 2.f) + max(3, 4) + __popc(7u) + __clz(1) + fmaf(a, a, a);"""
    x = np.zeros(32, np.float32)
    kernel(body).planted(x, 0)
    a = 0.5
    assert x[0] == pytest.approx(a**0.5 + np.exp(a) + a + a**2 + a**-0.5)
    assert x[1] == 0 + 1 + 1 + 3
    assert x[2] == 0.5 + 4 + 3 + 31 + 0.75


def test_a_barrier_in_an_included_file_is_told_there(tmp_path):
    (tmp_path / "meet.cuh").write_text("\n__device__ void meet() { __syncthreads(); }\n")
    path = tmp_path / "planted.cu"
    path.write_text(
        '#include "meet.cuh"\n//! grid 1\n//! block 32\n'
        'extern "C" __global__ void planted(float* x) {\n  if (threadIdx.x < 16) meet();\n}\n'
    )
    found = finding(load(path, check=True), floats())
    assert found.kind == "divergent __syncthreads"
    assert found.place == "kernels/meet.cuh:2"


def test_a_global_variable_is_told_by_that_name(kernel):
    found = finding(kernel("  static int count;\n  x[0] = count++ + n;"), floats(), 1)
    assert found.kind == "out of bounds"
    assert "of a global variable" in found.detail


@pytest.mark.parametrize("header", ["cassert", "assert.h"])
def test_an_assertion_is_the_threads_whatever_header_it_came_by(tmp_path, header):
    path = tmp_path / "planted.cu"
    path.write_text(
        f"#include <{header}>\n//! grid 1\n//! block 32\n"
        'extern "C" __global__ void planted(float* x) {\n  assert(threadIdx.x < 31);\n}\n'
    )
    found = finding(load(path, check=True), floats())
    assert (found.kind, found.detail) == ("failed assertion", "threadIdx.x < 31")
    assert found.place.endswith("planted.cu:5")


def test_a_kernel_may_have_no_parameters_and_any_name(tmp_path):
    path = tmp_path / "planted.cu"
    launch = '//! grid 1\n//! block 32\nextern "C" __global__ void '
    path.write_text(
        f"{launch}one() {{}}\n{launch}two(void) {{ __trap(); }}\n{launch}a(float* x) {{}}\n"
    )
    module = load(path, check=True)
    module.one()
    module.a(floats())
    with pytest.raises(KernelFault, match="trap"):
        module.two()


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
