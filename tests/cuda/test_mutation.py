"""Wrong kernels are seen: a sample of all mutants by default, every one with -m slow."""

from collections import Counter

import pytest
from mutants import EQUIVALENT, TILE_SIZES, Mutant, changes, mutants, sample
from mutation import EXPECTED, fates

from minidecay.cuda import source


def changed_to(code, file="kernels/planted.cu"):
    """What each mutant of a line changes it to."""
    text = f'#line 1 "{file}"\n{code}\n'
    return [change.text.splitlines()[1] for change in changes(text)]


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
    assert changed_to(code) == changed


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
    assert changed_to(code) == []


def test_a_tile_size_is_left_alone_and_no_other_constant():
    file = "kernels/matmul/04_register_1d.cu"
    line = "constexpr int BM = 64;"
    assert changed_to(line, file) == []
    assert changed_to(line) == ["constexpr int BM = 65;", "constexpr int BM = 63;"]
    assert len(changed_to("constexpr int BMS = 64;", file)) == 2


def test_a_mutant_keeps_its_name_when_other_lines_change():
    marks = '#line 1 "kernels/a.cu"\n', '#line 1 "kernels/b.cuh"\n'

    def names(*texts):
        pasted = "".join(mark + text for mark, text in zip(marks, texts, strict=True))
        return [change.name for change in changes(pasted)]

    told = names("x < y;\n", "x < y;  // one\nvoid f() {\n  x < y;\n  x < y;\n}\n")
    assert told == [
        "kernels/a.cu: x < y; | < -> <=",
        "kernels/b.cuh: x < y; | < -> <=",
        "kernels/b.cuh f: x < y; | < -> <=",
        "kernels/b.cuh f: x < y; | < -> <= | 2",
    ]
    moved = "x < y;\nvoid f(int a,\n       int b) {\n\n  x < y;\nx < y;\n}\nvoid g() {}\n"
    assert names("\n\n  x < y;\n", moved) == told


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


@pytest.mark.parametrize(
    ("code", "function"),
    [
        ("float f(int a) { return a < 1; }", "f"),
        (
            'extern "C" __global__ void __launch_bounds__(8)\nk(float* x,\n  int n) {\n  a < 1;\n}',
            "k",
        ),
        ("template <float g(float)>\n__device__ float r(float x) {\n  { b; }\n  a < 1;\n}", "r"),
        ("void f() { b; }\nconstexpr bool C = a < 1;", ""),
        ("void f() { b; }\nstruct S {\n  int a[a < 1];\n};\nvoid g() {}", ""),
    ],
)
def test_a_mutant_knows_its_function(code, function):
    (change,) = (each for each in changes(f'#line 1 "a.cu"\n{code}') if "<=" in each.name)
    assert change.function == function


def test_what_becomes_of_mutants():
    kernel = "matmul/01_naive"
    text = source.read(source.find(kernel)).text
    calls = 'extern "C" int kill(int, int), getpid();\n//! grid'
    planted = {
        "hangs": text.replace("float sum = 0.f;", "float sum = 0.f; for (volatile int i;;) i = 1;"),
        "crashes": text.replace("float sum = 0.f;", "float sum = 0.f; *(volatile int*)K = 1;"),
        "ends its process": text.replace("//! grid", calls).replace(
            "float sum = 0.f;", "float sum = kill(getpid(), 9);"
        ),
        "differs": text.replace("a_at(A, m, k, M, K) *", "2.f *"),
        "is the same": text.replace("float sum", "float  sum"),
        "rounds otherwise": text.replace("++k) sum += ", "++k) sum += 1e-7f + "),
        "is no C++": text.replace("float sum", "float float"),
    }
    assert all(each != text for each in planted.values())
    tried = fates([Mutant(name, "", {kernel: each}) for name, each in planted.items()])
    assert {mutant.name: fate for mutant, fate in tried} == {
        "hangs": "killed",
        "crashes": "killed",
        "ends its process": "killed with its process",
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
    # Those listed as equivalent take every case, and are tried with -m slow.
    unlisted = [mutant for mutant in mutants() if mutant.name not in EQUIVALENT]
    count, missed = tried(sample(unlisted, 24, seed=0))
    assert missed == {}
    assert count["killed"] >= 12


@pytest.mark.slow
def test_every_mutant_is_seen_or_equivalent():
    count, missed = tried(mutants())
    assert missed == {}
    assert count.total() - count["not compiled"] >= 200
