"""The project's kernels and the assignment, on every case, watched access by access."""

import re
from pathlib import Path

import numpy as np
import pytest

from minidecay.cli import main
from minidecay.cuda import hardware, source
from minidecay.cuda.cases import REFERENCES, cases
from minidecay.cuda.checking import check, every_kernel, reference_of, run

ASSIGNMENT = Path(__file__).parents[2] / "examples" / "assignments" / "tiled_matmul"


def test_every_kernel_is_held_to_a_reference():
    assert every_kernel() == source.names()
    assert every_kernel()


@pytest.mark.parametrize("name", every_kernel())
def test_a_kernel_computes_what_it_must_and_nothing_is_found(name):
    failed = [each for each in check(name, reference_of(name)) if not each.passed]
    assert [(each.case.label, each.findings, each.where) for each in failed] == []


@pytest.mark.parametrize("name", every_kernel())
def test_without_the_watch_a_kernel_computes_the_same(name):
    assert all(run(name, case, watched=False).passed for case in cases(reference_of(name)))


def test_the_cases_of_a_reference_are_the_same_at_every_call():
    for reference in REFERENCES:
        for one, other in zip(cases(reference), cases(reference), strict=True):
            assert one.label == other.label
            for name, array in one.expected.items():
                np.testing.assert_array_equal(array, other.expected[name])
    with pytest.raises(ValueError, match=r"no reference 'sorting'; there are .*matmul"):
        next(cases("sorting"))


def test_ptx_stands_in_common_alone():
    families = (path for path in source.folder().rglob("*.cu*") if path.parent.name != "common")
    assert [path.name for path in families if re.search(r"\basm\b", path.read_text())] == []


def barriers():
    """Every __syncthreads of the project's kernels: (name, where it stands in the text)."""
    for name in every_kernel():
        text = source.find(name).read_text()
        yield from ((name, found.span()) for found in re.finditer(r"__syncthreads\(\);", text))


@pytest.mark.parametrize(("name", "span"), list(barriers()))
def test_no_barrier_can_be_left_out(tmp_path, name, span):
    text = source.find(name).read_text()
    path = tmp_path / "mutant.cu"
    path.write_text(text[: span[0]] + text[span[1] :])
    assert any(outcome.findings for outcome in check(str(path), reference_of(name)))


def mutant(tmp_path, old, new):
    """The solution with the last `old` made `new`."""
    before, found, after = (ASSIGNMENT / "solution.cu").read_text().rpartition(old)
    assert found
    path = tmp_path / "mine.cu"
    path.write_text(before + new + after)
    return str(path)


def checked(path, capsys):
    code = main(["kernels", "check", str(path), "--reference", "matmul"])
    return code, capsys.readouterr().out


def test_the_solution_of_the_assignment_is_right(capsys):
    code, told = checked(ASSIGNMENT / "solution.cu", capsys)
    assert code == 0
    assert told.endswith("clean\n")
    assert "not clean" not in told


def test_the_task_sheet_says_on_how_many_products_a_kernel_runs():
    sheet = (ASSIGNMENT / "README.md").read_text()
    assert f"runs on {len(list(cases('matmul')))} products" in sheet


def test_the_blank_sheet_writes_nothing_and_is_told(capsys):
    code, told = checked(ASSIGNMENT / "tiled_matmul.cu", capsys)
    assert code == 1
    assert "C[0, 0, 0] is nan, not" in told


def test_a_missing_second_barrier_is_told_by_line(tmp_path, capsys):
    path = mutant(tmp_path, "__syncthreads();", "")
    lines = Path(path).read_text().splitlines()
    copies = 1 + next(i for i, line in enumerate(lines) if "As[threadIdx.y][threadIdx.x] =" in line)
    sums = 1 + next(i for i, line in enumerate(lines) if "sum += As" in line)
    code, told = checked(path, capsys)
    assert code == 1
    assert f"mine.cu:{sums}: data race: read beside a write (of a __shared__ array)" in told
    assert f"mine.cu:{copies}: data race: write beside a read (of a __shared__ array)" in told
    assert "on 65x63x5" not in told  # one slice of K alone needs no second barrier


@pytest.mark.parametrize(
    ("old", "new", "told"),
    [
        ("b_at(B, k0 + threadIdx.y, n, K, N)", "B[(k0 + threadIdx.y) * N + n]", "out of bounds"),
        ("k < T", "k <= T", "out of bounds (index 16"),
        ("As[threadIdx.y][k] * ", "", "wrong on"),
        ("k0 += T", "k0 += T + 1", "wrong on"),
    ],
)
def test_a_students_mistakes_are_told(tmp_path, capsys, old, new, told):
    code, printed = checked(mutant(tmp_path, old, new), capsys)
    assert code == 1
    assert told in printed


def test_the_kernels_are_listed_with_their_idea_and_the_cards_that_ran_them(capsys, monkeypatch):
    cards = {"matmul/01_naive": "NVIDIA H100 80GB HBM3"}
    monkeypatch.setattr(hardware, "verified_on", lambda name: cards.get(name, "unverified"))
    assert main(["kernels", "list"]) == 0
    told = capsys.readouterr().out
    heads = [line.split()[0] for line in told.splitlines() if not line.startswith(" ")]
    assert heads == source.names()
    assert re.search(
        r"^matmul/01_naive +hardware: NVIDIA H100 80GB HBM3\n"
        r"    One thread computes one element of C, straight from global memory\.\n"
        r"matmul/02_coalesced +hardware: unverified\n",
        told,
        re.M,
    )
    whole = (
        "One step of schedule-free SGD over all parameters at once, in place (Defazio et al. 2024)."
    )
    assert whole in " ".join(told.split())
    assert max(map(len, told.splitlines())) <= 100


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["matmul/99_best"], "no kernel 'matmul/99_best'; there are conv2d/01_direct"),
        (["matmul/01_naive.cu"], "no file matmul/01_naive.cu; the project's kernel is matmul/01_"),
        (["mine/best.cu"], "no file mine/best.cu; the project's kernels are named without .cu"),
        ([str(ASSIGNMENT)], "tiled_matmul'; there are conv2d/01_direct"),
        ([str(ASSIGNMENT / "solution.cu")], "say what it must compute by --reference"),
    ],
)
def test_wrong_use_is_told_and_ends_with_2(capsys, arguments, message):
    assert main(["kernels", "check", *arguments]) == 2
    out, err = capsys.readouterr()
    assert out == ""
    assert message in err
    assert err.count("\n") == 1


@pytest.mark.parametrize(
    ("content", "message"),
    [
        (b"// \xe9cole\n", r"mine\.cu is not UTF-8 text: .* at byte 3"),
        (b"", r"mine\.cu: no kernel; each starts with extern"),
        (b'extern "C" __global__ void f(float* x) {}\n', r"f has no //! grid and //! block line"),
        (b'#include "nowhere.cuh"\n', r"mine\.cu:1: there is no nowhere\.cuh under kernels/"),
    ],
    ids=["not text", "empty", "no launch lines", "no such include"],
)
def test_a_file_that_is_no_kernel_is_told_before_anything_runs(tmp_path, capsys, content, message):
    (tmp_path / "mine.cu").write_bytes(content)
    for action in (["check", "--reference", "matmul"], ["count"]):
        assert main(["kernels", *action, str(tmp_path / "mine.cu")]) == 2
        out, err = capsys.readouterr()
        assert out == ""
        assert re.fullmatch(rf"minidecay kernels {action[0]}: .*{message}.*\n", err)


def test_a_folder_is_not_a_kernel(tmp_path, capsys):
    (tmp_path / "mine.cu").mkdir()
    assert main(["kernels", "check", str(tmp_path / "mine.cu"), "--reference", "matmul"]) == 2
    assert "mine.cu is a folder, not a .cu file" in capsys.readouterr().err
