"""What a line asks of memory is what one works out with pencil and paper."""

from pathlib import Path

import pytest

from minidecay.cli import main
from minidecay.cuda.counting import count
from minidecay.cuda.emulator import KernelFault
from minidecay.cuda.emulator.building import compiler

TRANSPOSE = str(Path(__file__).parents[2] / "examples" / "cuda" / "transpose.cu")


@pytest.fixture(scope="module")
def beside(tmp_path_factory):
    return tmp_path_factory.mktemp("counted")


@pytest.fixture
def counted(beside):
    """Count a kernel with this body, on arrays of 2048 elements; the body begins on line 4."""

    def make(body, *, n=2048, block=32, grid=1, element="float", before=""):
        path = beside / "counted.cu"
        path.write_text(
            f"{before}//! grid {grid}\n//! block {block}\n"
            f'extern "C" __global__ void counted(const {element}* x, {element}* y, int n) {{\n'
            f"{body}\n}}\n"
        )
        return count(str(path), {"n": n, "x": 2048, "y": 2048})

    return make


def nth(indices):
    """The n-th of these indices, in C: one kernel for a table of them."""
    return " : ".join(f"n == {n} ? {index}" for n, index in enumerate(indices)) + " : 0"


@pytest.fixture
def whole_vectors():
    if "clang" in compiler():
        pytest.skip("clang++ takes a float4 apart")


def only(counts, memory, *, write=False):
    """The one line of such accesses: its requests, what they take, the ideal."""
    (line,) = (each for each in counts.lines if each.memory == memory and each.write == write)
    return line.requests, line.taken, line.ideal


LOADS = {  # index: (sectors, ideal) of a warp's load of floats
    "t": (4, 4),
    "2 * t": (8, 4),
    "32 * t": (32, 4),
    "31 - t": (4, 4),
    "t + 1": (5, 4),  # begins within a sector, and ends within another
    "t + 8": (4, 4),
    "0": (1, 1),
    "t / 16 * 8": (2, 1),  # two floats, far apart: 8 bytes that would fit a sector
}


@pytest.mark.parametrize(("index", "sectors"), LOADS.items(), ids=LOADS)
def test_a_load_takes_the_sectors_that_it_touches(counted, index, sectors):
    body = f"  int t = threadIdx.x;\n  y[t] = x[{nth(LOADS)}];"
    counts = counted(body, n=list(LOADS).index(index))
    assert only(counts, "x") == (1, *sectors)
    assert only(counts, "y", write=True) == (1, 4, 4)
    assert counts.bytes(write=False) == 32 * sectors[0]
    assert counts.bytes(write=True) == 128


@pytest.mark.parametrize(("element", "sectors"), [("unsigned char", 1), ("double", 8)])
def test_sectors_go_by_the_size_of_an_element(counted, element, sectors):
    counts = counted("  y[threadIdx.x] = x[threadIdx.x];", element=element)
    assert only(counts, "x") == (1, sectors, sectors)


def test_a_float4_is_one_request_of_sixteen_sectors(counted, whole_vectors):
    body = "  ((float4*)y)[threadIdx.x] = ((const float4*)x)[threadIdx.x];"
    counts = counted(body)
    assert only(counts, "x") == (1, 16, 16)
    assert only(counts, "y", write=True) == (1, 16, 16)


def test_a_partial_warp_asks_for_less(counted):
    body = "  y[threadIdx.x] = x[threadIdx.x];"
    assert only(counted(body, block=5), "x") == (1, 1, 1)
    assert only(counted(body, block=40), "x") == (2, 4 + 1, 4 + 1)


def test_lanes_that_skip_a_load_do_not_ask(counted):
    # 16 floats, every second one of 32: 64 bytes that lie in 4 sectors.
    counts = counted("  if (threadIdx.x % 2) y[threadIdx.x] = x[threadIdx.x];")
    assert only(counts, "x") == (1, 4, 2)


def test_a_request_is_everyones_nth_time_at_a_line(counted):
    # The n-th time, the lanes from n on read x[n]: 32 requests of one sector each.
    body = (
        "  float s = 0;\n  for (int i = 0; i <= threadIdx.x; i++) s += x[i];\n  y[threadIdx.x] = s;"
    )
    assert only(counted(body), "x") == (32, 32, 32)


def test_blocks_and_warps_add_up(counted):
    body = "  int t = blockIdx.x * 64 + threadIdx.x;\n  y[t] = x[t];"
    assert only(counted(body, grid=3, block=64), "x") == (6, 24, 24)


BANKS = {  # index: passes of a warp's load of words in shared memory
    "t": 1,
    "2 * t": 2,
    "4 * t": 4,
    "32 * t": 32,
    "33 * t": 1,
    "0": 1,  # a broadcast
    "t % 2 * 32": 2,  # two words of one bank, each to half of the lanes
    "t % 2 * 33": 1,
}


@pytest.mark.parametrize(("index", "passes"), BANKS.items(), ids=BANKS)
def test_a_bank_gives_one_word_at_a_time(counted, index, passes):
    body = f"  __shared__ float tile[1024];\n  int t = threadIdx.x;\n  y[t] = tile[{nth(BANKS)}];"
    counts = counted(body, n=list(BANKS).index(index))
    assert only(counts, "") == (1, passes, 1)
    assert counts.conflicts == passes - 1


WIDE = {  # element: {index: (passes, ideal)}
    "float4": {  # a quarter-warp asks for 32 words
        "t": (4, 4),
        "2 * t": (8, 4),  # lanes 4 apart are 32 words apart
        "0": (4, 4),
    },
    "double": {  # a half-warp asks for 32 words
        "t": (2, 2),
        "2 * t": (4, 2),
        "16 * t": (32, 2),
    },
    "unsigned char": {  # four lanes share a word
        "t": (1, 1),
        "128 * t": (32, 1),
    },
}


@pytest.mark.parametrize("element", WIDE)
def test_wide_words_go_in_parts_of_a_warp(counted, element, request):
    if element == "float4":
        request.getfixturevalue("whole_vectors")
    body = (
        f"  __shared__ {element} tile[4096 / sizeof({element})];\n  int t = threadIdx.x;\n"
        f"  {element} v = tile[{nth(WIDE[element])}];\n  y[t] = *(unsigned char*)&v;"
    )
    for n, passes in enumerate(WIDE[element].values()):
        assert only(counted(body, n=n), "") == (1, *passes)


def test_dynamic_shared_memory_has_the_same_banks(counted):
    body = "  extern __shared__ float tile[];\n  y[threadIdx.x] = tile[2 * threadIdx.x];"
    assert only(counted(body, before="//! shared 256\n"), "") == (1, 2, 1)


def test_a_column_of_padding_ends_a_transposes_conflicts():
    # 2 x 2 tiles of 32 rows: 128 requests each way, all of full rows in global memory.
    for padding, conflicts in ((0, 128 * 31), (1, 0)):
        counts = count(TRANSPOSE, {"rows": 64, "columns": 64, "PADDING": padding})
        assert only(counts, "x") == only(counts, "y", write=True) == (128, 512, 512)
        assert only(counts, "", write=True) == (128, 128, 128)
        assert only(counts, "") == (128, 128 + conflicts, 128)
        assert counts.conflicts == conflicts


@pytest.mark.parametrize(
    ("rung", "share"), [("03_smem_tile", 2 / 32), ("05_register_2d", 1 / 64 + 1 / 64)]
)
def test_a_rung_of_matmul_moves_the_bytes_that_its_file_says(rung, share):
    m, n, k = 64, 128, 32
    counts = count(f"matmul/{rung}", {"M": m, "N": n, "K": k})
    assert counts.bytes(write=False) == 4 * m * n * k * share
    assert counts.bytes(write=True) == 4 * m * n
    assert counts.flops == 2 * m * n * k
    assert counts.intensity == counts.flops / (4 * m * n * k * share + 4 * m * n)


def test_sizes_that_follow_from_others_are_worked_out():
    counts = count("conv2d/01_direct", {"N": 1, "H": 5, "W": 6, "C": 2, "O": 3, "SH": 2})
    assert counts.flops == 2 * (3 * 6 * 3) * (3 * 3 * 2)  # H of 5 and padding 1 by strides of 2
    assert only(counts, "y", write=True)[2] == 6 + 1  # 54 floats: a whole warp's and 22


def test_lines_are_told_with_their_text(counted):
    counts = counted("  y[0] = 1.f;\n  y[1] = x[2];", block=1)
    assert [(each.place, each.access, each.text) for each in counts.lines] == [
        ("4", "store y", "y[0] = 1.f;"),
        ("5", "load x", "y[1] = x[2];"),
        ("5", "store y", "y[1] = x[2];"),
    ]


def test_a_line_of_an_included_file_is_told_with_its_name(counted, beside):
    (beside / "helper.cuh").write_text(
        "__device__ __noinline__ float get(const float* x) {\n  return x[threadIdx.x];\n}\n"
    )
    counts = counted("  y[threadIdx.x] = get(x);", before='#include "helper.cuh"\n')
    (line,) = (each for each in counts.lines if each.memory == "x")
    assert (line.place, line.taken) == ("helper.cuh:2", 4)


def test_an_empty_launch_asks_for_nothing():
    counts = count("matmul/01_naive", {"M": 0, "N": 5, "K": 5})
    assert counts.lines == ()
    assert counts.intensity is None


@pytest.mark.parametrize(
    ("body", "kind"),
    [
        ("  y[n + threadIdx.x] = 1.f;", "out of bounds"),
        ("  y[0] = x[-1];", "out of bounds"),
        (
            "  float mine[4] = {};\n  mine[n / 512 + threadIdx.x] = 1.f;\n  y[0] = mine[0];",
            "bounds",
        ),
        ("  *(double*)(y + 1) = n;", "misaligned access"),
        ("  for (;;) y[0] = x[n - 1] + y[1];", "more than can be counted"),
    ],
)
def test_what_cannot_run_is_a_finding_on_its_line(counted, body, kind):
    with pytest.raises(KernelFault, match=kind) as caught:
        counted(body)
    assert "counted.cu:" in caught.value.findings[0].place


@pytest.mark.parametrize(
    ("sizes", "message"),
    [
        ({"rows": 8}, "transpose: say how large columns is: --set columns=64"),
        ({"depth": 8}, "no size or option depth; it has rows, columns, x, y, PADDING"),
        ({"rows": 8, "columns": "2 * lines"}, "lines is unknown"),
        ({"rows": 2**20, "columns": 2**20}, "x would have 1099511627776 elements; say how many"),
    ],
)
def test_a_size_that_is_missing_or_unknown_is_told(sizes, message):
    with pytest.raises(ValueError, match=message.replace("*", r"\*")):
        count(TRANSPOSE, sizes)


def test_a_kernel_that_the_file_has_not_is_told():
    with pytest.raises(ValueError, match="has no kernel turn; it has transpose"):
        count(TRANSPOSE, {}, kernel="turn")


def test_the_command_puts_two_options_side_by_side(capsys):
    arguments = [TRANSPOSE, "--shape", "64,64", "--against", "PADDING=1"]
    assert main(["kernels", "count", *arguments]) == 0
    lines = capsys.readouterr().out.splitlines()
    assert [line.split()[-2:] for line in lines if line.startswith("bank conflicts")] == [
        ["3968", "0"]
    ]
    (before, after) = (line for line in lines if "load (shared)" in line)
    assert "  31.00  y[(left + i) * rows" in before
    assert "   0.00  y[(left + i) * rows" in after


def test_the_command_puts_two_files_side_by_side(capsys):
    arguments = ["matmul/01_naive", "--shape", "32,32,16", "--against", "matmul/02_coalesced"]
    assert main(["kernels", "count", *arguments, "--set", "RELU=1"]) == 0
    told = capsys.readouterr().out
    assert "01_naive RELU=1  02_coalesced RELU=1" in told
    assert told.count("FLOPs  ") == 1


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["--shape", "1,2,3"], "transpose: 3 sizes for its rows, columns"),
        (["--shape", "64"], "transpose: say how large columns is: --set columns=64"),
        (["--shape", "64,64", "--set", "x=-3"], "transpose: x cannot have -3 elements"),
        (["--shape", "64,1<<99999999999999"], "'1<<99999999999999' cannot be evaluated: "),
        (["--shape", "4,4", "--set", "PADDING"], "'PADDING' sets nothing; write it as N=64"),
    ],
)
def test_wrong_use_of_the_command_ends_with_2(capsys, arguments, message):
    assert main(["kernels", "count", TRANSPOSE, *arguments]) == 2
    assert f"minidecay kernels count: {message}" in capsys.readouterr().err


def test_a_fault_while_counting_ends_with_1(capsys):
    arguments = [TRANSPOSE, "--shape", "64,64", "--set", "y=64"]
    assert main(["kernels", "count", *arguments]) == 1
    assert (
        "transpose.cu:33: out of bounds (write of 4 bytes at byte 1916 of y"
        in capsys.readouterr().out
    )
