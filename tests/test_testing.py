"""gradcheck must pass what is right and catch what is wrong."""

import numpy as np
import pytest

import minidecay as md
from minidecay.autograd import apply
from minidecay.ops import Op


class Square(Op):
    """y = x^2, its gradient multiplied by `factor` at one element."""

    def __init__(self, factor=1.0):
        self.factor = factor

    def forward(self, x):
        self.save(x)
        return self.device.mul(x, x)

    def backward(self, gy):
        gx = 2 * self.saved[0] * gy
        gx.reshape(-1)[-1] *= self.factor
        return (gx,)


def x(*shape):
    rng = np.random.default_rng(3)
    return md.tensor(rng.standard_normal(shape) + 2, requires_grad=True)


def test_a_right_gradient_passes():
    assert md.gradcheck(lambda a: apply(Square(), a), x(2, 3))


@pytest.mark.parametrize("factor", [1.01, 0.0, -1.0])
def test_one_wrong_element_is_found_and_named(factor):
    with pytest.raises(AssertionError, match=r"input 0 at \(1, 2\): backward gives"):
        md.gradcheck(lambda a: apply(Square(factor), a), x(2, 3))


def test_errors_that_cancel_in_a_plain_sum_are_found():
    class Swapped(Square):
        def backward(self, gy):
            return (2 * self.saved[0] * gy[::-1],)

    with pytest.raises(AssertionError, match="differences give"):
        md.gradcheck(lambda a: apply(Swapped(), a), md.tensor(np.ones(2) * 2, requires_grad=True))


def test_a_gradient_of_the_wrong_shape_is_found():
    class Wide(Square):
        def backward(self, gy):
            return (np.ones((4, 4)),)

    with pytest.raises(AssertionError, match=r"input 0 \(2,\) has a gradient \(4, 4\)"):
        md.gradcheck(lambda a: apply(Wide(), a), x(2))


def test_a_missing_gradient_is_found():
    with pytest.raises(AssertionError, match="backward gives 0"):
        md.gradcheck(lambda a, b: a * b.detach(), x(2), x(2))


def test_it_wants_float64_and_something_to_check():
    with pytest.raises(TypeError, match="must all be float64"):
        md.gradcheck(md.exp, md.tensor([1.0], requires_grad=True))
    with pytest.raises(ValueError, match="requires_grad=True"):
        md.gradcheck(md.exp, md.tensor(np.ones(1)))


def test_inputs_come_back_as_they_were():
    a = x(3)
    before = a.numpy().copy()
    md.gradcheck(md.exp, a)
    np.testing.assert_array_equal(a, before)
