import numpy as np
import pytest

from minidecay.cuda import load
from minidecay.cuda.expressions import evaluate
from minidecay.cuda.source import read

SCALE = """#include "{include}"
#ifndef FACTOR
#define FACTOR 2      // what is multiplied by
#endif
constexpr int THREADS = 32;
constexpr int EACH = THREADS * 2;
//! grid    cdiv(n, EACH)
//! block   THREADS
//! require n % 2 == 0: pairs are scaled together
extern "C" __global__ void __launch_bounds__(32)
scale(const float* __restrict__ x, float* y, int n) {{
  int end = min(n, (int)(blockIdx.x + 1) * EACH);
  for (int i = blockIdx.x * EACH + threadIdx.x; i < end; i += THREADS) y[i] = scaled(x[i]);
}}
"""


@pytest.fixture
def path(tmp_path):
    (tmp_path / "scaled.cuh").write_text(
        "#pragma once\n__device__ float scaled(float x) { return FACTOR * x; }\n"
    )
    # A macro is expanded where it is used, so an include may stand before its default.
    text = SCALE.format(include="scaled.cuh").split("\n")
    (tmp_path / "scale.cu").write_text("\n".join([*text[1:4], text[0], *text[4:]]))
    return tmp_path / "scale.cu"


def test_a_file_says_how_it_is_launched(path):
    source = read(path)
    signature = source.kernels["scale"]
    assert [(p.type, p.pointer, p.name) for p in signature.parameters] == [
        ("float", True, "x"),
        ("float", True, "y"),
        ("int", False, "n"),
    ]
    assert source.options == {"FACTOR": "2"}
    known = source.constants({"FACTOR": 3})
    assert known == {"FACTOR": 3, "THREADS": 32, "EACH": 64}
    assert evaluate(signature.grid, {**known, "n": 65}) == (2,)


@pytest.mark.parametrize("factor", [2, 5])
@pytest.mark.parametrize("n", [2, 62, 64, 66, 200])
def test_an_option_and_a_ragged_size(path, factor, n):
    x = np.random.default_rng(n).standard_normal(n).astype(np.float32)
    y = np.full(n, np.nan, np.float32)
    load(path, check=True, FACTOR=factor).scale(x, y, n)
    assert (y == factor * x).all()


def test_an_empty_grid_is_no_launch(path):
    load(path).scale(np.empty(0, np.float32), np.empty(0, np.float32), 0)


def test_an_edited_include_is_compiled_anew(path):
    x, y = np.ones(2, np.float32), np.zeros(2, np.float32)
    load(path).scale(x, y, 2)
    include = path.with_name("scaled.cuh")
    include.write_text(include.read_text().replace("FACTOR * x", "FACTOR * x + 1"))
    load(path).scale(x, y, 2)
    assert y.tolist() == [3, 3]


WRONG = {
    "too few": (("x", "y"), TypeError, r"scale\(x, y, n\) was given 2 arguments"),
    "float64": (("x64", "y", 4), TypeError, r"x is float64, the kernel takes float\*"),
    "strided": (("strided", "y", 4), ValueError, "x is not C-contiguous"),
    "a list": (([1.0], "y", 4), TypeError, "x must be a numpy array, not list"),
    "a float for an int": (("x", "y", 4.0), TypeError, "n is 4.0, the kernel takes int"),
    "too large a number": (("x", "y", 2**31), ValueError, "does not fit int"),
    "a requirement": (("x", "y", 3), ValueError, "n % 2 == 0 does not hold for n=3: pairs"),
}


@pytest.mark.parametrize(("arguments", "error", "message"), WRONG.values(), ids=WRONG)
def test_wrong_arguments_are_told(path, arguments, error, message):
    arrays = {
        "x": np.ones(4, np.float32),
        "y": np.ones(4, np.float32),
        "x64": np.ones(4),
        "strided": np.ones(8, np.float32)[::2],
    }
    given = [arrays[each] if isinstance(each, str) else each for each in arguments]
    with pytest.raises(error, match=message):
        load(path).scale(*given)


def test_names_that_are_not_there_are_told(path):
    with pytest.raises(ValueError, match="no option SIZE; it has FACTOR"):
        load(path, SIZE=1)
    with pytest.raises(AttributeError, match="has no kernel shrink; it has scale"):
        load(path).shrink()
    with pytest.raises(ValueError, match="no kernel 'matmul/99_best'"):
        load("matmul/99_best")


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("int x;", "no kernel"),
        ('extern "C" __global__ void f(int n) {}', "no //! grid and //! block line"),
        ('//! grid 1\n//! tile 2\nextern "C" __global__ void f(int n) {}', "//! tile is unknown"),
        ('//! grid 1\n//! block 1\nextern "C" __global__ void f(int n[]) {}', "cannot be read"),
        ('#include "missing.cuh"\n', r"bad\.cu:1: there is no missing\.cuh"),
    ],
)
def test_a_file_that_cannot_be_read_says_why(tmp_path, text, message):
    path = tmp_path / "bad.cu"
    path.write_text(text)
    with pytest.raises(ValueError, match=message):
        read(path)


@pytest.mark.parametrize(
    ("text", "values"),
    [
        ("cdiv(n, 4), max(n, 3)", (3, 9)),
        ("n / -2", (-4,)),  # C rounds towards zero
        ("n % 4 == 1 and not n < 3", (1,)),
        ("(n << 2) - 1", (35,)),
    ],
)
def test_launch_lines_are_integer_arithmetic(text, values):
    assert evaluate(text, {"n": 9}) == values


@pytest.mark.parametrize("text", ["m", "n(", "n.real", "n ** 2", "'a'", "n / 0", "open('x')"])
def test_a_launch_line_that_is_none_is_told(text):
    with pytest.raises(ValueError, match=r"cannot be evaluated|is unknown"):
        evaluate(text, {"n": 9})


@pytest.mark.parametrize(
    ("body", "grid", "block", "message"),
    [
        ("", "1, 70000", "1", "more than a GPU takes"),
        ("", "1", "32, 64", "1 to 1024 threads"),
        ("", "1, 1, 1, 1", "1", "1 to 3 extents"),
    ],
)
def test_a_launch_no_gpu_takes_is_refused(kernel, body, grid, block, message):
    with pytest.raises(ValueError, match=message):
        kernel(body, grid=grid, block=block).planted(np.ones(1, np.float32), 1)


def test_launch_lines_are_read_once_for_the_same_sizes(path, monkeypatch):
    from minidecay.cuda import arguments

    read = []
    monkeypatch.setattr(
        arguments, "evaluate", lambda text, names: read.append(text) or evaluate(text, names)
    )
    scale = load(path)
    x, y = np.ones(66, np.float32), np.zeros(66, np.float32)
    for n in (64, 64, 66, 64):
        scale.scale(x, y, n)
    assert len(read) == 2 * len(("require", "grid", "block", "shared"))
    assert (y == 2).all()


def test_a_number_may_be_numpys_and_a_whole_one_may_be_a_float_parameter(kernel):
    x = np.zeros(1, np.float32)
    plain = kernel("x[0] = s + n;", parameters="float* x, float s, int n", block="1")
    for s, n in ((2, np.int64(3)), (np.float64(2.0), True), (np.float32(2), 3)):
        plain.planted(x, s, n)
        assert x[0] == 2 + n
    with pytest.raises(TypeError, match=r"n is np\.float32\(3\.0\), the kernel takes int"):
        plain.planted(x, 2, np.float32(3))


def test_a_parameter_of_a_type_that_no_argument_has_is_told(tmp_path):
    path = tmp_path / "odd.cu"
    path.write_text('//! grid 1\n//! block 1\nextern "C" __global__ void odd(short n) {}\n')
    with pytest.raises(ValueError, match="odd: n is short, which no argument can be; types are fl"):
        load(path).odd(1)
