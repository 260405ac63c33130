"""Wrong kernels are seen: a sample of all mutants by default, every one with -m slow."""

from collections import Counter

import pytest
from mutation import EQUIVALENT, EXPECTED, TILE_SIZES, Mutant, fates, mutants, mutations, sample

from minidecay.cuda import source


def changes(code, file="kernels/planted.cu"):
    """What each mutant of a line changes it to."""
    text = f'#line 1 "{file}"\n{code}\n'
    return [changed.splitlines()[1] for _, changed in mutations(text)]


@pytest.mark.parametrize(
    ("code", "changed"),
    [
        ("__syncthreads();", [";"]),
        ("__syncwarp(mask);", [";"]),
        ("a < b", ["a <= b"]),
        ("a >= b && c", ["a > b && c", "a >= b || c"]),
        ("a == b", ["a != b"]),
        ("f(8)", ["f(9)", "f(7)"]),
        ("f(0xffu)", ["f(256u)", "f(254u)"]),
        ("x[i]", ["x[i + 1]", "x[i - 1]"]),
        ("float x[SIDE];", ["float x[SIDE - 1];"]),
        ("a + b", ["a - b"]),
        ("a * b", ["a + b"]),
        ("a %= b", []),
        ("fmaxf(a, min(b, c))", ["fminf(a, min(b, c))", "fmaxf(a, max(b, c))"]),
        ("f(0.f, 1e-5f)", ["f(1.f, 1e-5f)", "f(0.f, (2 * 1e-5f))"]),
        ("if (f(g(a), b)) return;", ["if (false) return;"]),
        ("if constexpr (A) return;", ["if constexpr (false) return;"]),
        ("atomicAdd(&x, a);", ["*(&x) += a;"]),
    ],
)
def test_each_kind_of_change(code, changed):
    assert changes(code) == changed


@pytest.mark.parametrize(
    "code",
    [
        "// a < b",
        "//! grid cdiv(N, 64)",
        "/* a < b */",
        "#pragma unroll 4",
        "#define ABOVE a > b",
        'static_assert(A < 8, "a < b");',
        "__launch_bounds__(256)",
        "template <int N = 8>",
        "const float* x, a_1, float4",
    ],
)
def test_what_is_no_code_is_left_alone(code):
    assert changes(code) == []


def test_a_tile_size_is_left_alone_and_no_other_constant():
    file = "kernels/matmul/04_register_1d.cu"
    assert changes("constexpr int BM = 64;", file) == []
    assert changes("constexpr int BM = 64;") == ["constexpr int BM = 65;", "constexpr int BM = 63;"]
    assert len(changes("constexpr int BMS = 64;", file)) == 2


def test_a_mutant_keeps_its_name_when_its_line_moves():
    marks = '#line 1 "kernels/a.cu"\n', '#line 1 "kernels/b.cuh"\n'
    names = [name for name, _ in mutations(f"{marks[0]}x < y;\n{marks[1]}x < y;  // one\nx < y;\n")]
    assert names == [
        "kernels/a.cu: x < y; | < -> <=",
        "kernels/b.cuh: x < y; | < -> <=",
        "kernels/b.cuh: x < y; | < -> <= | 2",
    ]
    moved = f"{marks[0]}\n\n  x < y;\n{marks[1]}x < y;\n\nx < y;\n"
    assert [name for name, _ in mutations(moved)] == names


def test_a_sample_holds_as_many_mutants_of_each_file():
    population = [Mutant(f"{file}: {i}") for file in "ab" for i in range(9)] + [Mutant("c: 0")]
    chosen = sample(population, 9, seed=3)
    assert Counter(mutant.file for mutant in chosen) == {"a": 4, "b": 4, "c": 1}
    assert chosen == sample(population, 9, seed=3) != sample(population, 9, seed=4)


def test_every_listed_mutant_and_tile_size_is_still_in_the_kernels():
    names = {mutant.name for mutant in mutants()}
    assert names >= EQUIVALENT
    for file, tiles in TILE_SIZES.items():
        text = (source.folder() / file.removeprefix("kernels/")).read_text()
        assert [tile for tile in tiles if f"constexpr int {tile} = " not in text] == []


def test_a_mutant_that_hangs_or_crashes_is_ended_and_the_next_one_is_tried():
    kernel = "matmul/01_naive"
    text = source.read(source.find(kernel)).text
    planted = {
        "hangs": text.replace("float sum = 0.f;", "float sum = 0.f; for (volatile int i;;) i = 1;"),
        "crashes": text.replace("float sum = 0.f;", "float sum = K / (batch - batch);"),
        "differs": text.replace("a_at(A, m, k, M, K) *", "2.f *"),
        "is the same": text.replace("float sum", "float  sum"),
        "rounds otherwise": text.replace("++k) sum += ", "++k) sum += 1e-7f + "),
        "is no C++": text.replace("float sum", "float float"),
    }
    tried = fates([Mutant(name, {kernel: text}) for name, text in planted.items()], 2, limit=1.0)
    assert {mutant.name: fate for mutant, fate in tried} == {
        "hangs": "killed with its process",
        "crashes": "killed with its process",
        "differs": "killed",
        "is the same": "the same bits",
        "rounds otherwise": "other bits",
        "is no C++": "not compiled",
    }


def tried(chosen):
    """How often each fate was met, and each mutant that no case shows and no list explains."""
    told = {mutant.name: fate for mutant, fate in fates(chosen, workers=2)}
    missed = {name: fate for name, fate in told.items() if fate not in EXPECTED}
    return Counter(told.values()), missed


def test_a_sample_of_mutants_is_seen():
    # Those listed as equivalent take every case: the script without --sample tries them.
    unlisted = [mutant for mutant in mutants() if mutant.name not in EQUIVALENT]
    count, missed = tried(sample(unlisted, 24, seed=0))
    assert missed == {}
    assert count["killed"] >= 12
