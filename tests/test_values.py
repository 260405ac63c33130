"""What may become a tensor, or stand beside one; the rest is refused in a line."""

import numpy as np
import pytest

import minidecay as md
from minidecay import nn


def t(*shape, dtype=np.float32):
    return md.tensor(np.ones(shape, dtype))


class Column:
    """As a column of a table: no array, but it can make itself one."""

    def __array__(self, dtype=None, copy=None):
        return np.array([1.0, 2.0], dtype=dtype)


MASKED = np.ma.array([1.0, 2.0, 3.0], mask=[False, True, False], dtype=np.float32)

REFUSED = {
    "a list": (lambda: t(3) - [1, 2, 3], "sub: operand 1 is of type list; give a tensor, an array"),
    "text": (lambda: t(3) * "a", "mul: operand 1 is of type str; give .* or a number"),
    "none": (lambda: md.maximum(t(3), None), "maximum: operand 1 is of type NoneType"),
    "complex": (lambda: 1j - t(3), "sub: operand 0 is of type complex"),
    "a column": (lambda: t(2) / Column(), r"div: operand 1 is of type test_values\.Column"),
    "a number to matmul": (
        lambda: t(2, 3) @ 2,
        "matmul: operand 1 is of type int; give a tensor or",
    ),
    "a number to stack": (lambda: md.stack([t(), 2.0]), "stack: operand 1 is of type float; give"),
    "no weight": (lambda: md.matmul(t(2, 3), None), "matmul: operand 1 is of type NoneType"),
    "a list to a model": (lambda: md.models.mlp(3, 2)([[1, 2, 3]]), "Flatten: a list is no tensor"),
    "complex arrays": (lambda: t(3) + np.ones(3, complex), "add: complex128 values are no real"),
    "arrays of text": (lambda: md.add(np.array(["a"]), np.array(["b"])), "add: <U1 values are no"),
    "masked": (lambda: md.tensor(MASKED), r"tensor: values are masked; fill them first.*filled"),
    "masked, shared": (lambda: md.from_numpy(MASKED), "from_numpy: values are masked"),
    "masked beside": (lambda: t(3) + MASKED, "add: values are masked"),
    "no array": (lambda: md.from_numpy([1.0]), r"from_numpy: list is no array.*use tensor\("),
    "dtype": (lambda: md.tensor([1.0], dtype=complex), "tensor: complex128 values are no real"),
    "astype": (lambda: t(3).astype(object), "astype: object holds no real numbers; use 'float32'"),
    "device": (lambda: md.tensor([1.0], device=None), "device None is no device; choose one of"),
    "to a dtype": (lambda: t(3).to(np.float64), "float64'> is no device; choose one of"),
    "axis": (lambda: t(2, 3).sum(axis=1.0), "sum: axis=1.0 must be an integer, or a tuple"),
    "axis name": (lambda: t(2, 3).max(axis="rows"), "max: axis='rows' must be an integer"),
    "shape": (lambda: t(2, 3).reshape(2.0, 3), r"reshape: shape \(2.0, 3\) must be an integer"),
    "key": (
        lambda: md.dropout(t(3), 0.5, key=(-1, 0)),
        r"dropout: key=\(-1, 0\) must be two integers and counter=0 one, from 0",
    ),
    "compared": (
        lambda: t(2, 3) > t(4),
        r"comparison: shapes \(2, 3\) and \(4,\) do not broadcast",
    ),
    "ordered": (lambda: t(3) > "a", "'>' not supported between instances of 'Tensor' and 'str'"),
    "written shape": (lambda: write(t(2, 3), np.ones(5)), r"in place into \(2, 3\): could not"),
    "written text": (lambda: write(t(3), "a"), "writing in place: <U1 values are no real numbers"),
    "written none": (lambda: write(t(3), None), "writing in place: object values are no real"),
}


def write(x, value):
    x[0] = value


@pytest.mark.parametrize("name", REFUSED)
def test_what_is_no_real_number_or_no_place_for_one_is_refused(name):
    attempt, message = REFUSED[name]
    with pytest.raises((ValueError, TypeError), match=message) as caught:
        attempt()
    assert "\n" not in str(caught.value)


def test_tensors_of_two_devices_meet_neither_in_a_comparison_nor_in_memory():
    here, there = t(3), t(3).to("emulated")
    with pytest.raises(ValueError, match=r"comparison: one tensor is on cpu, another on emulated"):
        here > there  # noqa: B015
    with pytest.raises(ValueError, match=r"writing in place: .* move one with \.to\(device\)"):
        here[:] = there


def test_strangers_are_unequal():
    assert (t(3) == "a", t(3) != None) == (False, True)  # noqa: E711
    assert (t(3) == [1, 1, 0]).numpy().tolist() == [True, True, False]


@pytest.mark.parametrize("make", [md.tensor, md.from_numpy])
def test_a_tensor_is_in_this_machines_byte_order_and_a_plain_array(make):
    foreign = np.arange(3, dtype=np.float32).astype(np.dtype(np.float32).newbyteorder())
    assert make(foreign).dtype.isnative
    np.testing.assert_array_equal(make(foreign) + t(3), [1, 2, 3])
    nothing_masked = np.ma.array([1.0, 2.0], mask=[False, False])
    assert type(make(nothing_masked).data) is np.ndarray


def test_what_makes_itself_an_array_keeps_its_dtype_as_an_array_does():
    assert md.tensor(Column()).dtype == np.float64
    torch = pytest.importorskip("torch")
    assert md.tensor(torch.arange(3)).dtype == np.int64


def test_a_left_out_bias_is_no_stranger():
    assert nn.Linear(3, 2, bias=False)(t(4, 3)).shape == (4, 2)


def test_numpys_integers_are_axes_and_sizes():
    x, one = t(2, 3), np.int64(1)
    assert x.sum(axis=one).shape == x.sum(axis=(one,)).shape == (2,)
    assert x.reshape(one, -1).shape == (1, 6)


def test_one_value_is_formatted_as_a_number():
    loss = md.tensor(0.12345)
    assert f"{loss:.3f} {loss}" == f"0.123 {loss!r}"
    with pytest.raises(ValueError, match="holds 2 values, not one; reduce or index it"):
        format(t(2), ".3f")
