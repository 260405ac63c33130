"""Tensors print as torch's do, to four digits, with what is not as usual."""

import numpy as np
import pytest

import minidecay as md


@pytest.mark.parametrize("values", [[1.0, 2.5], [[1.0, -2.0], [3.0, 4.0]], 0.5, [True, False]])
def test_plain_numbers_print_as_torchs(values):
    torch = pytest.importorskip("torch")
    array = np.array(values)
    array = array if array.dtype == bool else array.astype(np.float32)
    mine, theirs = repr(md.tensor(array)), repr(torch.tensor(array))
    # torch fills up with zeros, NumPy with blanks.
    assert [float(x) for x in numbers(mine)] == [float(x) for x in numbers(theirs)]
    assert mine.count("[") == theirs.count("[") and mine[:7] == theirs[:7] == "tensor("


def numbers(text):
    words = text.removeprefix("tensor(").replace("True", "1").replace("False", "0")
    return words.translate(str.maketrans("[](),\n", "      ")).split()


def test_long_fractions_are_cut_to_four_digits():
    assert repr(md.tensor([1 / 3, 2 / 3])) == "tensor([0.3333, 0.6667])"
    assert repr(md.tensor(1 / 3)) == "tensor(0.3333)"


def test_large_tensors_are_shortened():
    text = repr(md.tensor(np.zeros((100, 100), np.float32)))
    assert "..." in text and len(text) < 1000


def test_what_is_not_as_usual_is_told(device):
    x = md.tensor(np.float32([1.0]), requires_grad=True, device=device)
    where = "" if device == "cpu" else f", device={device!r}"
    assert repr(x) == f"tensor([1.]{where}, requires_grad=True)"
    assert repr(md.gelu(x)).endswith(f"{where}, op=gelu)")
    assert repr(md.tensor(np.float64([1.0]))) == "tensor([1.], dtype=float64)"
    assert repr(md.tensor(np.int32([1]))) == "tensor([1], dtype=int32)"
    assert repr(md.tensor(np.int64([1]))) == "tensor([1])"
    assert repr(md.nn.Parameter([1.0])) == "Parameter containing:\ntensor([1.], requires_grad=True)"
