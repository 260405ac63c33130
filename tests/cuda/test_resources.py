import pytest
from hypothesis import given
from hypothesis import strategies as st

from minidecay.cuda.nvrtc import ARCHITECTURES
from minidecay.cuda.resources import Occupancy, Resources, occupancy, parse

LOG = """\
ptxas warning : Value of threads per SM for entry sums is out of range. .minnctapersm will be ignored
ptxas info    : 0 bytes gmem
ptxas info    : Compiling entry function 'sums' for 'sm_90a'
ptxas info    : Function properties for square
ptxas         .     8 bytes stack frame, 0 bytes spill stores, 0 bytes spill loads
ptxas info    : Function properties for sums
ptxas         .     304 bytes stack frame, 148 bytes spill stores, 152 bytes spill loads
ptxas info    : Used 32 registers, used 1 barriers, 304 bytes cumulative stack size
ptxas info    : Compile time = 16.509 ms
ptxas info    : Compiling entry function 'add' for 'sm_90a'
ptxas info    : Function properties for add
ptxas         .     0 bytes stack frame, 0 bytes spill stores, 0 bytes spill loads
ptxas info    : Used 12 registers, used 1 barriers, 128 bytes smem, 372 bytes cmem[0]
ptxas info    : Compile time = 2.688 ms
"""  # noqa: E501  as ptxas writes it


def test_a_log_says_what_each_kernel_takes():
    assert parse(LOG) == {
        "sums": Resources("sums", 32, 0, spill_stores=148, spill_loads=152, stack=304),
        "add": Resources("add", 12, 128, spill_stores=0, spill_loads=0, stack=0),
    }


def test_a_log_without_kernels_has_no_resources():
    assert parse("ptxas info    : 0 bytes gmem\n") == {}


def test_a_log_that_names_a_kernel_and_not_its_resources_is_refused():
    with pytest.raises(ValueError, match="add: no resources in the log; compile with --ptxas"):
        parse("ptxas info    : Compiling entry function 'add' for 'sm_80'\n")


@pytest.mark.parametrize(
    ("arch", "threads", "registers", "shared", "expected"),
    [
        # 8 warps a block: 64 / 8 blocks.
        ("80", 256, 32, 0, Occupancy(8, 1.0, "threads")),
        # 1 warp a block, 32 blocks of the 64 warps.
        ("90a", 32, 16, 0, Occupancy(32, 0.5, "blocks")),
        ("75", 32, 16, 0, Occupancy(16, 0.5, "blocks")),
        ("86", 32, 16, 0, Occupancy(16, 16 / 48, "blocks")),
        ("120", 32, 16, 0, Occupancy(24, 0.5, "blocks")),
        # 128 x 32 = 4096 registers a warp: 16 warps, 2 blocks of 8.
        ("90a", 256, 128, 0, Occupancy(2, 0.25, "registers")),
        # 92 rounds to 96, 3072 a warp: 5 warps in each quarter, 20 in all, 2 blocks of 7; all
        # 65536 registers in one pool would hold 21 warps and 3 blocks.
        ("80", 224, 92, 0, Occupancy(2, 14 / 64, "registers")),
        # 65 rounds to 72, 2304 a warp: 28 warps, and 1024 threads are 32.
        ("80", 1024, 65, 0, Occupancy(0, 0.0, "registers")),
        ("80", 1024, 64, 0, Occupancy(1, 0.5, "registers")),
        # 48 KiB and 1 KiB reserved: 3 in 164, 2 in 100, 4 in 228. On 7.5 none is reserved: 1 in 64.
        ("80", 128, 32, 48 * 1024, Occupancy(3, 12 / 64, "shared memory")),
        ("89", 128, 32, 48 * 1024, Occupancy(2, 8 / 48, "shared memory")),
        ("100", 128, 32, 48 * 1024, Occupancy(4, 16 / 64, "shared memory")),
        ("75", 128, 32, 48 * 1024, Occupancy(1, 4 / 32, "shared memory")),
        ("75", 128, 32, 32 * 1024, Occupancy(2, 8 / 32, "shared memory")),
        # The most that one block may have, and one byte more.
        ("90a", 128, 32, 227 * 1024, Occupancy(1, 4 / 64, "shared memory")),
        ("90a", 128, 32, 227 * 1024 + 1, Occupancy(0, 0.0, "shared memory")),
        # 08_double_buffer's 16896 bytes, and 1 KiB: 17920, of which 164 KiB hold 9, 100 KiB hold 5
        # and 228 KiB hold 13. On 7.5 they stay 16896, 66 pieces of 256: 3 in 64 KiB.
        ("75", 64, 32, 16896, Occupancy(3, 6 / 32, "shared memory")),
        ("80", 64, 32, 16896, Occupancy(9, 18 / 64, "shared memory")),
        ("86", 64, 32, 16896, Occupancy(5, 10 / 48, "shared memory")),
        ("89", 64, 32, 16896, Occupancy(5, 10 / 48, "shared memory")),
        ("90a", 64, 32, 16896, Occupancy(13, 26 / 64, "shared memory")),
        ("100", 64, 32, 16896, Occupancy(13, 26 / 64, "shared memory")),
        ("120", 64, 32, 16896, Occupancy(5, 10 / 48, "shared memory")),
        # Its launch as it is: 128 registers are 4 warps in a quarter, 16 in all, 2 blocks of 8.
        ("75", 256, 128, 16896, Occupancy(2, 16 / 32, "registers")),
        ("86", 256, 128, 16896, Occupancy(2, 16 / 48, "registers")),
        ("100", 256, 128, 16896, Occupancy(2, 16 / 64, "registers")),
        ("120", 256, 128, 16896, Occupancy(2, 16 / 48, "registers")),
        # One register more than 64: 72, 2304 a warp, 28 warps, 3 blocks of 8. On 7.5 4 fit by
        # threads at 64, and 3 at 65.
        ("75", 256, 64, 0, Occupancy(4, 1.0, "threads")),
        ("75", 256, 65, 0, Occupancy(3, 24 / 32, "registers")),
        ("89", 256, 65, 0, Occupancy(3, 24 / 48, "registers")),
        # A whole block of threads is 32 warps: twice in 64, once in 48 and in 32.
        ("80", 1024, 32, 0, Occupancy(2, 1.0, "threads")),
        ("89", 1024, 32, 0, Occupancy(1, 32 / 48, "threads")),
        # 33 threads are two warps.
        ("75", 33, 16, 0, Occupancy(16, 1.0, "threads")),
    ],
)
def test_occupancy_is_what_a_hand_computes(arch, threads, registers, shared, expected):
    assert occupancy(arch, threads, registers, shared) == expected


@given(
    st.sampled_from(ARCHITECTURES),
    st.integers(1, 1024),
    st.integers(1, 255),
    st.integers(0, 300 * 1024),
)
def test_taking_more_never_lets_more_blocks_fit(arch, threads, registers, shared):
    least = occupancy(arch, threads, registers, shared)
    assert 0 <= least.fraction <= 1
    assert occupancy(arch, threads, registers, shared + 4).blocks <= least.blocks
    assert occupancy(arch, threads, min(registers + 1, 255), shared).blocks <= least.blocks
    assert occupancy(arch, min(threads + 1, 1024), registers, shared).blocks <= least.blocks


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (("70", 32, 32, 0), "occupancy: arch '70' is not known; take one of 75, 80, "),
        (("80", 1025, 32, 0), "occupancy: threads must be 1 to 1024, not 1025"),
        (("80", 32, 256, 0), "occupancy: registers must be 1 to 255, not 256"),
        (("80", 32, 32, -1), "occupancy: shared must be 0 bytes or more, not -1"),
    ],
)
def test_what_no_gpu_has_is_refused(arguments, message):
    with pytest.raises(ValueError, match=message):
        occupancy(*arguments)
