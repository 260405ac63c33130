"""What would crash or hang the interpreter is a finding on its line, and all is well after it."""

import os
import signal
import threading

import numpy as np
import pytest

from minidecay.cuda import load
from minidecay.cuda.emulator import KernelFault
from minidecay.cuda.emulator.building import CompilerError

DEEP = """  struct Deep {
    static int down(int i) {
      volatile int kept[64];
      kept[i % 64] = i;
      return i < 0 ? 0 : down(i + 1) + kept[i % 64];
    }
  };"""

# What a kernel does, and what is found on which line of its body, the first being 1.
HOSTILE = {
    "endless recursion": (f"{DEEP}\n  x[0] = Deep::down(n);", "stack overflow", {2, 3, 4, 5}),
    "a local array of 4 MB": (
        "  volatile float mine[1 << 20];\n  mine[n] = 1.f;\n  x[0] = mine[n];",
        "stack overflow",
        None,
    ),
    "an endless loop": ("  for (volatile int i = 1; i;) i = 1;", "does not end", {1}),
    "an endless loop in memory": ("  for (;;) x[threadIdx.x] += 1.f;", "does not end", {1}),
    "a loop with nothing in it": ("  while (true) {\n  }", "does not end", {1, 2}),
    "a loop whose count nobody reads": ("  int i = 0;\n  while (n) i++;", "does not end", {1, 2}),
    "barriers without end": ("  while (n) __syncthreads();", "does not end", {1}),
    "a read through null": ("  float* p = nullptr;\n  x[0] = p[n];", "out of bounds", {2}),
    "a write to the kernel's half": (
        "  ((float*)0xffff800000000000)[n] = 1.f;",
        "out of bounds",
        {1},
    ),
    "a read at no address": ("  x[0] = ((float*)0x4141414141414140)[n];", "out of bounds", {1}),
    "a write to a const array": (
        "  const_cast<float*>(c)[threadIdx.x] = 1.f;",
        "write to a const array",
        {1},
    ),
    "a write to a constant table": (
        "  static const float table[4] = {1, 2, 3, 4};\n"
        "  const float* volatile p = table;\n"
        "  const_cast<float*>(p)[n % 4] = 1.f;",
        "out of bounds",
        {3},
    ),
    "a division by zero": ("  x[0] = 7 / (n - 32);", "integer division", {1}),
    "a remainder by zero": ("  x[0] = 7 % (n - 32);", "integer division", {1}),
    "the least integer by -1": (
        "  int least = -2147483647 - 1;\n  x[0] = (n - 32 + least) / (31 - n);",
        "integer division",
        {2},
    ),
    "a text that is none": ('  printf("%s", (const char*)(n * 100ull));', "out of bounds", {1}),
    "a call of no function": (
        "  auto f = (void (*)(float*))(unsigned long long)(n - 32);\n  f(x);",
        "call of no function",
        {2},
    ),
    "an index that overflows": ("  x[n * 2000000000] = 1.f;", "integer overflow", {1}),
    "a shift by too much": ("  x[0] = 1 << n;", "bad shift", {1}),
    "a trap": ("  if (threadIdx.x == 5) __trap();", "trap", {1}),
    "the compiler's trap": ("  if (n) __builtin_trap();", "trap", {1}),
    "shared memory of 400 MB": (
        "  __shared__ float tile[100000000];\n  tile[n] = 1.f;",
        "too much shared memory",
        {1},
    ),
    "a place beyond a local array": (
        "  float mine[4] = {};\n  float* volatile p = mine;\n  x[0] = p[n * 1024];",
        "out of bounds",
        {3},
    ),
    "another thread's local memory": (
        "  __shared__ float* theirs;\n  float mine = n;\n"
        "  if (threadIdx.x == 0) theirs = &mine;\n  __syncthreads();\n"
        "  if (threadIdx.x == 1) *theirs = 1.f;\n  __syncthreads();\n  x[threadIdx.x] = mine;",
        "out of bounds",
        {5},
    ),
    "a misaligned float4 in shared memory": (
        "  __shared__ float tile[64];\n  *(float4*)(tile + n + 1) = make_float4(n, n, n, n);",
        "misaligned access",
        {2},
    ),
}


@pytest.fixture
def hostile(kernel):
    def make(body, **options):
        return kernel(body, parameters="float* x, const float* c, int n", **options)

    return make


def arguments(n=32):
    return np.ones(64, np.float32), np.ones(64, np.float32), n


@pytest.mark.parametrize(("body", "kind", "lines"), HOSTILE.values(), ids=HOSTILE)
def test_a_hostile_kernel_is_a_finding_and_not_the_end(hostile, body, kind, lines):
    module = hostile(body)
    module._compiled.most_steps = 100_000
    with pytest.raises(KernelFault) as caught:
        module.planted(*arguments())
    found = caught.value.findings[0]
    assert found.kind == kind
    file, _, line = found.place.rpartition(":")
    assert file.endswith("planted.cu")
    if lines:  # the prototype stands on line 4
        assert int(line) - 4 in lines
    assert found.block == (0, 0, 0)
    assert found.thread[0] < 32
    x, c, n = arguments()
    hostile("  x[threadIdx.x] = 2.f;").planted(x, c, n)
    assert (x[:32] == 2).all()


CRASHES = ("endless recursion", "a read through null", "a call of no function", "a trap")


@pytest.mark.parametrize("name", CRASHES)
def test_without_the_watch_what_the_processor_refuses_is_a_fault_too(hostile, name):
    body, kind, _ = HOSTILE[name]
    module = hostile(body, check=False, grid="40")
    for _ in range(3):
        with pytest.raises(KernelFault, match=rf"planted\.cu.*: {kind}"):
            module.planted(*arguments())
    x, c, n = arguments()
    hostile("  x[threadIdx.x] = 2.f;", check=False).planted(x, c, n)
    assert (x[:32] == 2).all()


def test_a_huge_grid_comes_to_an_end(hostile):
    module = hostile("  if (n == 7) x[0] = 1.f;", grid="2147483647, 65535, 65535")
    module._compiled.most_steps = 100_000
    with pytest.raises(KernelFault, match="does not end"):
        module.planted(*arguments())


@pytest.mark.parametrize("size", ["n * 40000000", "0 - n", "232449"])
def test_no_gpu_has_so_much_dynamic_shared_memory(hostile, size):
    for check in (True, False):
        module = hostile("  x[0] = n;", shared=size, check=check)
        with pytest.raises(ValueError, match="bytes of dynamic shared memory; a block has 0 to"):
            module.planted(*arguments())


@pytest.mark.parametrize("body", ["  exit(1);", "  abort();", "  throw 1;", "  malloc(1u << 30);"])
def test_what_a_kernel_cannot_call_does_not_compile(hostile, body):
    with pytest.raises(CompilerError, match=r"planted\.cu:5"):
        hostile(body)


@pytest.mark.parametrize("check", [True, False], ids=["check", "fast"])
def test_launches_from_many_threads_do_not_meet(tmp_path, check):
    """One module, right and wrong launches side by side: each caller gets what is his."""
    path = tmp_path / "many.cu"
    path.write_text(
        "//! grid 4\n//! block 32\n"
        'extern "C" __global__ void many(float* x, int n) {\n'
        "  if (n == 3) __trap();\n"
        "  x[blockIdx.x * 32 + threadIdx.x] += n;\n}\n"
    )
    wrong = []

    def launch(n):
        try:
            module = load(path, check=check)
            for _ in range(8):
                x = np.zeros(128, np.float32)
                try:
                    module.many(x, n)
                    right = n != 3 and (x == n).all()
                except KernelFault as fault:
                    right = n == 3 and fault.findings[0].kind == "trap"
                if not right:
                    wrong.append(n)
        except BaseException as error:
            wrong.append(error)

    threads = [threading.Thread(target=launch, args=(n,)) for n in range(5)]
    for each in threads:
        each.start()
    for each in threads:
        each.join()
    assert wrong == []


ENDLESS = {
    "with nothing in it": "  while (n) ;",
    "with memory": "  for (;;) x[threadIdx.x] += 1.f;",
    "without": "  for (volatile int i = 0;;) i = 1;",
    "at barriers": "  while (n) __syncthreads();",
}


@pytest.mark.parametrize("check", [True, False], ids=["check", "fast"])
@pytest.mark.parametrize("body", ENDLESS.values(), ids=ENDLESS)
def test_ctrl_c_ends_a_launch(hostile, body, check):
    module = hostile(body, check=check, grid="64")
    handler = signal.getsignal(signal.SIGINT)
    timer = threading.Timer(0.1, os.kill, (os.getpid(), signal.SIGINT))
    timer.start()
    with pytest.raises(KeyboardInterrupt):
        module.planted(*arguments())
    timer.join()
    assert signal.getsignal(signal.SIGINT) is handler
    x, c, n = arguments()
    hostile("  x[threadIdx.x] = 2.f;", check=check).planted(x, c, n)
    assert (x[:32] == 2).all()


def test_ctrl_c_waits_for_a_launch_that_ends_soon(hostile):
    """A handler that only makes a note finds the launch's result whole."""
    body = "  for (volatile int i = 0; i < 30000; i = i + 1);\n  x[threadIdx.x] = 2.f;"
    noted = []
    before = signal.signal(signal.SIGINT, lambda *_: noted.append(True))
    try:
        timer = threading.Timer(0.002, os.kill, (os.getpid(), signal.SIGINT))
        timer.start()
        x, c, n = arguments()
        hostile(body, check=False).planted(x, c, n)
        timer.join()
    finally:
        signal.signal(signal.SIGINT, before)
    assert noted == [True]
    assert (x[:32] == 2).all()
