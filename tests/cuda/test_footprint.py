"""What a kernel takes of every GPU, the worst of it, and what is held against it."""

import pytest

from minidecay.cuda import footprint as module
from minidecay.cuda import nvrtc
from minidecay.cuda.budgets import Budget
from minidecay.cuda.cases import cases
from minidecay.cuda.checking import every_kernel, reference_of
from minidecay.cuda.footprint import Build, Footprint, footprint
from minidecay.cuda.resources import Resources, occupancy

# A thread holds N numbers that all depend on one another, so as many registers as it can get.
HUNGRY = """
#ifndef N
#define N 60
#endif
#ifndef T
#define T 256
#endif
#ifndef B
#define B 1
#endif
//! grid 1
//! block T
extern "C" __global__ void __launch_bounds__(T, B) hungry(float* x, int n) {
  float a[N];
#pragma unroll
  for (int i = 0; i < N; ++i) a[i] = x[threadIdx.x + i * n];
  for (int k = 0; k < n; ++k)
#pragma unroll
    for (int i = 0; i < N; ++i) a[i] = a[i] * a[(i * 7 + 3) % N] + x[k];
#pragma unroll
  for (int i = 0; i < N; ++i) x[threadIdx.x + i * n] = a[i];
}
"""
NOTHING = 'extern "C" __global__ void k(float* x, int n) {}\n'


@pytest.fixture
def written(tmp_path):
    def write(text):
        path = tmp_path / "mine.cu"
        path.write_text(text)
        return str(path)

    return write


def build(registers=32, shared=0, spills=0, threads=256, arch="80", **defines):
    """A build as the compiler might have told of it."""
    fits = threads and occupancy(arch, threads, registers, shared)
    resources = Resources("k", registers, shared, spills, spills, 0)
    return Build(arch, defines, resources, shared, threads, fits or None)


# ---- the project's kernels -----------------------------------------------------------------------

EVERY = [
    pytest.param(architectures, id=name, marks=marks)
    for name, architectures, marks in (
        # The oldest, which spends registers most freely, and the newest. The others take a minute.
        ("the oldest and the newest", ("75", "120"), ()),
        ("those between", ("80", "86", "89", "90a", "100"), pytest.mark.slow),
    )
]


@pytest.mark.parametrize("architectures", EVERY)
@pytest.mark.parametrize("name", every_kernel())
def test_a_kernel_compiles_without_a_spill_and_keeps_its_budget(nvrtc_here, name, architectures):
    options = [case.defines for case in cases(reference_of(name))]
    taken = footprint(name, options, architectures)
    assert taken.findings == ()
    assert taken.budget
    assert {each.arch for each in taken.builds} == set(architectures)
    assert all(each.occupancy for each in taken.builds)


# ---- planted -------------------------------------------------------------------------------------


def test_a_spill_is_told_with_the_build_that_spills_most(nvrtc_here, written):
    taken = footprint(written(HUNGRY), [{"T": 1024, "B": 1}, {"N": 8}])
    (told,) = taken.findings
    assert taken.leakiest.spills > 0
    assert f"spills: hungry on sm_{taken.leakiest.arch} with T=1024, B=1" in told
    assert f"{taken.leakiest.spills} bytes at 64 registers a thread" in told
    assert f"7 of {2 * 7} builds spill" in told


def test_what_nvrtc_refuses_is_told_once_with_its_line(nvrtc_here, written):
    text = NOTHING.replace("{}", "{ x[0] = INFINITY; }")
    path = written("//! grid 1\n//! block 1\n" + text)
    taken = footprint(path)
    assert (taken.builds, taken.hungriest, taken.emptiest) == ((), None, None)
    (told,) = taken.findings
    assert told.startswith("does not compile for any architecture:\n")
    assert f'{path}(3): error: identifier "INFINITY" is undefined' in told


def test_what_one_architecture_refuses_is_told_of_it(nvrtc_here, written):
    text = NOTHING.replace("{}", "{\n#if __CUDA_ARCH__ == 860\n  x[0] = oops;\n#endif\n}")
    taken = footprint(written("//! grid 1\n//! block 1\n" + text))
    assert len(taken.builds) == 6
    (told,) = taken.findings
    assert told.startswith("does not compile for sm_86:\n")
    assert "oops" in told


def test_a_block_that_no_sm_has_room_for_is_told(nvrtc_here, written):
    text = HUNGRY.replace("__launch_bounds__(T, B)", "")
    (told,) = footprint(written(text), [{"T": 1024}], ["90a"]).findings
    assert told.startswith("no room: hungry on sm_90a with T=1024: an SM does not hold a block of")


def test_a_project_kernel_over_its_budget_is_told(nvrtc_here, monkeypatch):
    small = {"matmul/03_smem_tile": Budget(registers=8, shared=2175, occupancy=1.0)}
    monkeypatch.setattr(module, "budgets", lambda: small)
    taken = footprint("matmul/03_smem_tile", architectures=["80"])
    used = taken.hungriest.registers
    assert taken.findings == (
        f"over budget: matmul on sm_80: {used} registers a thread, 8 allowed",
        "over budget: matmul on sm_80: 8448 bytes of shared memory, 2175 allowed",
    )


def test_a_file_of_ones_own_has_no_budget(nvrtc_here, written):
    taken = footprint(written(HUNGRY), [{}], ["80"])
    assert taken.budget is None
    assert taken.findings == ()
    assert taken.hungriest.registers > 60


# ---- how it is computed --------------------------------------------------------------------------


@pytest.mark.parametrize("arch", ["75", "90a", "120"])
@pytest.mark.parametrize(("threads", "blocks"), [(256, 3), (96, 7), (160, 5)])
def test_occupancy_agrees_with_what_the_compiler_knows_of_the_hardware(
    nvrtc_here, written, arch, threads, blocks
):
    # Bound to so many blocks an SM, a kernel that wants more gets the most registers at which they
    # still fit. 96 threads, 7 blocks: 21 warps, 6 in a quarter of the SM, 80 registers; one pool
    # of 65536 would hold them at 96.
    bound = footprint(written(HUNGRY), [{"T": threads, "B": blocks}], [arch]).hungriest
    assert bound.spills  # it does want more
    assert bound.occupancy.blocks >= blocks
    assert occupancy(arch, threads, bound.registers + 1, bound.shared).blocks < blocks


def test_a_block_and_its_shared_memory_are_those_of_the_options(nvrtc_here, written):
    text = (
        "#ifndef SIDE\n#define SIDE 8\n#endif\n"
        "//! grid 1\n//! block SIDE, SIDE\n//! shared 16 * SIDE\n"
        'extern "C" __global__ void k(float* x, int n) {\n'
        "  extern __shared__ float more[];\n  __shared__ float own[SIDE];\n"
        "  own[threadIdx.x] = more[threadIdx.x] = x[n];\n  __syncthreads();\n"
        "  x[threadIdx.x] = own[n] + more[n];\n}\n"
    )
    small, large = footprint(written(text), [{}, {"SIDE": 32}], ["80"]).builds
    assert (small.threads, small.shared) == (64, 4 * 8 + 16 * 8)
    assert (large.threads, large.shared) == (1024, 4 * 32 + 16 * 32)
    assert str(small) == "k on sm_80"
    assert str(large) == "k on sm_80 with SIDE=32"


@pytest.mark.parametrize(
    "text",
    [
        "//! grid 1\n//! block n\n" + NOTHING,
        "//! grid 1\n//! block 32\n//! shared 4 * n\n" + NOTHING,
        "//! grid 1\n//! block 2048\n" + NOTHING,
    ],
)
def test_a_size_that_no_one_knows_leaves_occupancy_open(nvrtc_here, written, text):
    (only,) = footprint(written(text), [{}], ["80"]).builds
    assert (only.threads, only.occupancy, only.filled) == (None, None, 0)
    assert Footprint((only,)).emptiest is None
    assert Footprint((only,), budget=Budget(255, 0, 1.0)).findings == ()


def test_a_kernel_that_the_launcher_does_not_see_is_held_to_the_same(nvrtc_here, written):
    text = "//! grid 1\n//! block 32\n" + NOTHING + "__global__ void other(float* x) { *x = 1; }\n"
    seen, unseen = sorted(footprint(written(text), [{}], ["80"]).builds, key=lambda b: -b.filled)
    assert (seen.resources.kernel, seen.threads) == ("k", 32)
    assert (unseen.resources.kernel, unseen.threads) == ("_Z5otherPf", None)


def test_options_that_are_the_defaults_are_compiled_once(nvrtc_here, written):
    sets = [{}, {"N": 60}, {"N": "60", "T": 256}, {"N": 40}]
    assert len(footprint(written(HUNGRY), sets, ["80"]).builds) == 2


def test_what_was_compiled_is_not_compiled_again(nvrtc_here, written, monkeypatch):
    path = written("//! grid 1\n//! block 1\n" + NOTHING)
    first = footprint(path)
    monkeypatch.setattr(nvrtc, "compile_cubin", None)
    assert footprint(path) == first


@pytest.mark.parametrize("builds", [(), (build(),)])
def test_the_worst_of_nothing_is_nothing(builds):
    taken = Footprint(builds)
    assert taken.hungriest is taken.widest is taken.leakiest is taken.emptiest
    assert taken.findings == ()


def test_the_worst_build_of_each_kind_is_found():
    builds = (
        build(registers=64),
        build(shared=4096, arch="75"),
        build(spills=8, A=1),
        build(spills=4),
        build(registers=33, threads=1024),
    )
    taken = Footprint(builds, budget=Budget(63, 4095, 0.6))
    worst = (taken.hungriest, taken.widest, taken.leakiest, taken.emptiest)
    assert worst == (builds[0], builds[1], builds[2], builds[0])
    assert taken.findings == (
        "spills: k on sm_80 with A=1: 16 bytes at 32 registers a thread; 2 of 5 builds spill",
        "over budget: k on sm_80: 64 registers a thread, 63 allowed",
        "over budget: k on sm_75: 4096 bytes of shared memory, 4095 allowed",
        "below budget: k on sm_80: occupancy 0.5, 0.6 or more wanted",
    )


def test_what_is_within_the_budget_is_no_finding():
    assert Footprint((build(64, 4096),), budget=Budget(64, 4096, 0.5)).findings == ()
