"""`minidecay kernels check`: its table, its exit code, and what it says of a file that fails."""

import re
from pathlib import Path

import pytest

from minidecay.cli import main
from minidecay.cuda import checking, nvrtc
from minidecay.cuda import footprint as footprints
from minidecay.cuda.budgets import Budget
from minidecay.cuda.cases.case import Case
from minidecay.cuda.footprint import Build, Footprint

SOLUTION = Path(__file__).parents[2] / "examples" / "assignments" / "tiled_matmul" / "solution.cu"


@pytest.fixture
def few(monkeypatch):
    """Three cases and one set of options are enough where it is not the cases that are tested."""
    plain = [case for case in checking.cases("matmul") if not case.defines]
    monkeypatch.setattr(checking, "cases", lambda reference: plain[:3])


@pytest.fixture
def checked(few, tmp_path, capsys):
    """Check the assignment's solution, changed by (old, new) texts: exit code, what is said."""

    def check(*changes):
        text = SOLUTION.read_text()
        for old, new in changes:
            assert old in text
            text = text.replace(old, new)
        (tmp_path / "mine.cu").write_text(text)
        code = main(["kernels", "check", str(tmp_path / "mine.cu"), "--reference", "matmul"])
        return code, capsys.readouterr().out

    return check


@pytest.fixture
def unseen(monkeypatch):
    """No case is run: what a test needs of the check comes after the cases."""
    case = Case("matmul", "a case", (), {})
    monkeypatch.setattr(checking, "check", lambda name, reference: [checking.Outcome(case, (), 0)])


def row(told):
    """The first row of the table, by the columns' names."""
    header, cells = (re.split(r" {2,}", line.strip()) for line in told.splitlines()[:2])
    return dict(zip(header, cells, strict=True))


# ---- the table -----------------------------------------------------------------------------------


def test_a_kernel_of_the_project_is_shown_with_all_that_it_takes(nvrtc_here, capsys):
    assert main(["kernels", "check", "fused/dropout", "fused/sgd", "--require-nvrtc"]) == 0
    told = capsys.readouterr().out
    cells = row(told)
    assert (cells["kernel"], cells["passed"], cells["findings"]) == ("fused/dropout", "9 of 9", "0")
    assert 8 <= int(cells["registers"]) <= 32
    assert (cells["shared"], cells["spills"], cells["occupancy"]) == ("0", "0", "100%")
    assert "sm_75, 80, 86, 89, 90a, 100, 120\nclean\n" in told
    assert max(map(len, told.splitlines())) <= 100


def test_the_table_has_the_worst_build_of_each_kind(unseen, monkeypatch, capsys):
    def build(arch, registers, shared, spills, threads):
        used = footprints.Resources("k", registers, shared, spills, spills, 0)
        fits = footprints.occupancy(arch, threads, registers, shared)
        return Build(arch, {}, used, shared, threads, fits)

    builds = (build("75", 128, 0, 0, 256), build("80", 64, 4096, 8, 1024))
    monkeypatch.setattr(checking, "footprint", lambda name, options: Footprint(builds))
    monkeypatch.setattr(nvrtc, "version", lambda: (13, 0))
    assert main(["kernels", "check", "matmul/01_naive"]) == 1
    told = capsys.readouterr().out
    cells = row(told)
    assert (cells["registers"], cells["shared"], cells["spills"]) == ("128", "4096", "16")
    assert (cells["findings"], cells["occupancy"]) == ("1", "50% sm_75")
    assert "    spills: k on sm_80: 16 bytes at 64 registers" in told
    assert told.endswith("not clean\n")


# ---- findings of NVRTC ---------------------------------------------------------------------------


def test_a_kernel_that_spills_is_not_clean(nvrtc_here, checked):
    code, told = checked(
        ("{\n  A += ", "{\n  float a[64];\n" + MANY + "  A += "),
        ('extern "C" __global__ void', 'extern "C" __global__ void __launch_bounds__(256, 8)'),
        ("  finish(sum,", "  sum += a[threadIdx.x % 2] * 0.f;\n  finish(sum,"),
    )
    cells = row(told)
    assert code == 1
    assert (cells["passed"], cells["findings"]) == ("3 of 3", "1")
    assert int(cells["spills"]) > 0
    assert "    spills: matmul on sm_" in told


# Sixty-four numbers that depend on one another, for 32 registers.
MANY = """#pragma unroll
  for (int i = 0; i < 64; ++i) a[i] = (float)(i + K);
  for (int k = 0; k < K; ++k)
#pragma unroll
    for (int i = 0; i < 64; ++i) a[i] = 0.5f * a[i] - 0.25f * a[(i * 7 + 3) % 64];
"""


def test_a_kernel_over_its_budget_is_not_clean(nvrtc_here, unseen, monkeypatch, capsys):
    small = {"matmul/03_smem_tile": Budget(registers=16, shared=16384, occupancy=0.5)}
    monkeypatch.setattr(footprints, "budgets", lambda: small)
    assert main(["kernels", "check", "matmul/03_smem_tile"]) == 1
    told = capsys.readouterr().out
    assert row(told)["findings"] == "1"
    assert re.search(
        r"    over budget: matmul on sm_\d+a?: \d+ registers a thread, 16 allowed", told
    )


def test_what_only_nvrtc_refuses_is_not_clean(nvrtc_here, checked):
    code, told = checked(("float sum = 0.f;", "float sum = fminf(0.f, INFINITY);"))
    cells = row(told)
    assert code == 1
    assert (cells["passed"], cells["findings"], cells["registers"]) == ("3 of 3", "1", "-")
    line = 1 + SOLUTION.read_text()[: SOLUTION.read_text().index("float sum")].count("\n")
    assert f'mine.cu({line}): error: identifier "INFINITY" is undefined' in told
    assert "    does not compile for any architecture:" in told


def test_the_solution_of_the_assignment_takes_little(nvrtc_here, checked):
    code, told = checked()
    cells = row(told)
    assert code == 0
    assert (cells["shared"], cells["spills"]) == (str(2 * 16 * 16 * 4), "0")


# ---- findings without it -------------------------------------------------------------------------


def test_without_nvrtc_a_line_says_so_and_the_kernel_is_run(no_nvrtc, capsys):
    assert main(["kernels", "check", "fused/dropout"]) == 0
    told = capsys.readouterr().out
    cells = row(told)
    assert cells["passed"] == "9 of 9"
    assert {cells[name] for name in ("registers", "shared", "spills", "occupancy")} == {"-"}
    (line,) = (line for line in told.splitlines() if "NVRTC" in line)
    assert line.startswith("not compiled for any GPU: ")
    assert line.endswith('not installed: pip install "minidecay[nvrtc]"')


def test_where_nvrtc_is_required_it_is_an_error_to_have_none(no_nvrtc, capsys):
    assert main(["kernels", "check", "fused/dropout", "--require-nvrtc"]) == 2
    out, err = capsys.readouterr()
    assert out == ""
    assert "kernels check: NVIDIA's runtime compiler NVRTC is not installed: pip install \"m" in err


def test_what_no_compiler_takes_is_told_and_the_next_file_is_checked(
    no_nvrtc, few, tmp_path, capsys
):
    broken, whole = tmp_path / "broken.cu", tmp_path / "whole.cu"
    text = SOLUTION.read_text()
    broken.write_text(text.replace("float sum = 0.f;", "float sum = oops;"))
    whole.write_text(text)
    names = [str(broken), str(whole)]
    assert main(["kernels", "check", *names, "--reference", "matmul"]) == 1
    told = capsys.readouterr().out
    cells = row(told)
    assert (cells["passed"], cells["findings"]) == ("0 of 3", "1")
    assert "broken.cu does not compile for the emulator:\n" in told
    line = 1 + text[: text.index("float sum")].count("\n")
    assert re.search(rf"    .*broken\.cu:{line}:\d+: error", told)
    assert re.search(r"whole\.cu +3 of 3 ", told)


@pytest.mark.parametrize(
    ("changes", "words"),
    [
        ([("matmul(const", "product(const")], "there is no kernel matmul, but product"),
        ([("float* C", "float* R"), ("C + ", "R + ")], "residual, R, M, N, K, batch, stride_a, "),
        ([("int batch, ", "")], "matmul(A, B, bias, residual, C, M, N, K, stride_a, stride_b) was"),
        ([("block   T, T", "block   T, 100")], "a block of (16, 100, 1); a block has 1 to 1024"),
        ([("//! block", "//! require K < 1: small\n//! block")], "K < 1 does not hold for M="),
    ],
)
def test_a_kernel_that_cannot_be_launched_is_told_why(no_nvrtc, checked, changes, words):
    code, told = checked(*changes)
    assert code == 1
    assert "    wrong on 3 cases, first " in told
    assert words in told


EMPTY = """//! grid 1
//! block 1
extern "C" __global__ void matmul(const float* A, const float* B, const float* bias,
                                  const float* residual, float* C, int M, int N, int K, int batch,
                                  long long stride_a, long long stride_b) {
BODY
}
"""


def test_a_file_without_an_option_fails_the_cases_that_set_it(tmp_path):
    path = tmp_path / "mine.cu"
    path.write_text(EMPTY.replace("BODY", ""))
    outcomes = {each.case.label: each for each in checking.check(str(path), "matmul")}
    assert outcomes["1x1x1"].where.startswith("C[0, 0, 0] is nan")
    transposed = next(each for each in outcomes.values() if "TRANSPOSE_A" in each.case.defines)
    assert transposed.where == "the file has no option TRANSPOSE_A; it has none"


def test_ctrl_c_ends_the_check_in_one_line(monkeypatch, capsys):
    def interrupted(name, reference):
        raise KeyboardInterrupt

    monkeypatch.setattr(checking, "check", interrupted)
    assert main(["kernels", "check", "fused/dropout"]) == 130
    assert capsys.readouterr().err == "\nminidecay kernels check: interrupted\n"


def test_after_a_case_that_does_not_end_none_is_run(no_nvrtc, few, tmp_path, capsys, monkeypatch):
    monkeypatch.setattr(checking, "_STEPS", 100_000)
    path = tmp_path / "mine.cu"
    path.write_text(EMPTY.replace("BODY", "  for (volatile int i = 0; i < M; i = i);"))
    assert main(["kernels", "check", str(path), "--reference", "matmul"]) == 1
    told = capsys.readouterr().out
    assert "mine.cu:6: does not end (after 100000 steps), block (0, 0, 0) thread (0, 0, 0)" in told
    assert "wrong on 2 cases, first 2x3x1: not run, since 1x1x1 does not end" in told
