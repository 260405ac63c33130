"""What operations give at their corners: zeros, infinities, ties, numbers too large to square."""

import inspect
import math

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp

import minidecay as md
from minidecay.cuda import launches
from minidecay.methods import Methods


def leaf(values, dtype=np.float64, device="cpu"):
    return md.tensor(np.asarray(values, dtype), requires_grad=True, device=device)


def slope(function, values, dtype=np.float64):
    x = leaf(values, dtype)
    function(x).sum().backward()
    return x.grad.numpy().tolist()


@pytest.mark.parametrize("dtype", [np.float32, np.float64])
def test_softplus_is_right_for_numbers_of_any_size(dtype):
    x = [-80.0, -1e-8, 0.0, 1e-8, 80.0, 1e30]
    y = md.softplus(leaf(x, dtype))
    exact = [math.log1p(math.exp(v)) if v < 100 else v for v in x]
    np.testing.assert_allclose(y, exact, rtol=1e-6 if dtype == np.float32 else 1e-15)


def test_a_logit_that_is_sure_and_right_still_has_a_loss():
    x, sure = leaf([20.0, -20.0], np.float32), math.log1p(math.exp(-20))
    losses = md.binary_cross_entropy_with_logits(x, md.tensor([1.0, 0.0]), "none")
    np.testing.assert_allclose(losses, [sure, sure], rtol=1e-6)
    wrong = md.binary_cross_entropy_with_logits(leaf([1e4]), md.tensor(np.zeros(1)))
    assert wrong.item() == 1e4


def test_logsumexp_of_infinities_is_infinite_and_its_gradient_is_not():
    inf = np.inf
    x = leaf([[-inf, -inf], [-inf, 0], [inf, 3], [1e4, 1e4]])
    y = md.logsumexp(x, axis=1)
    np.testing.assert_allclose(y, [-inf, 0, inf, 1e4 + np.log(2)])
    y.backward(np.ones(4))
    assert x.grad.numpy().tolist() == [[0.5, 0.5], [0, 1], [1, 0], [0.5, 0.5]]


def test_softmax_of_a_masked_logit_is_nothing(device):
    y = md.softmax(leaf([[0, 0, -np.inf], [1e4, -1e4, 0]], np.float32, device))
    assert y.numpy().tolist() == [[0.5, 0.5, 0], [1, 0, 0]]


def test_at_corners_the_gradients_of_activations_are_torchs():
    assert slope(md.leaky_relu, [-2.0, 0.0, 2.0]) == [0.01, 0.01, 1.0]
    assert slope(lambda x: md.clip(x, -1, 1), [-2.0, -1.0, 0.0, 1.0, 2.0]) == [0, 1, 1, 1, 0]
    assert slope(lambda x: md.minimum(x, 1.0), [0.0, 1.0, 2.0]) == [1.0, 0.5, 0.0]
    assert slope(md.min, [3.0, 1.0, 1.0]) == [0.0, 0.5, 0.5]
    assert slope(md.std, [2.0, 2.0]) == [0.0, 0.0]


def test_the_gradient_of_a_product_is_right_where_factors_are_zero():
    assert slope(md.prod, [2.0, 0.0, 3.0]) == [0.0, 6.0, 0.0]
    assert slope(md.prod, [0.0, 0.0, 3.0]) == [0.0, 0.0, 0.0]


def test_a_product_of_nothing_is_one_and_integers_do_not_overflow_early():
    x = leaf(np.zeros((0, 2)))
    y = md.prod(x, 0)
    assert y.numpy().tolist() == [1.0, 1.0]
    y.sum().backward()
    assert x.grad.shape == (0, 2)
    assert md.prod(md.tensor(np.full(20, 3, np.int8))).item() == 3**20
    assert md.prod(md.tensor(np.array([True, True]))).item() == 1


def test_a_factor_that_was_overwritten_is_told():
    x = leaf([1.0, 2.0, 3.0])
    y = x.prod()
    with md.no_grad():
        x[0] = 5.0
    with pytest.raises(RuntimeError, match="prod would read a value that was overwritten"):
        y.backward()


@given(
    hnp.arrays(np.float32, hnp.array_shapes(max_dims=3, max_side=4), elements=st.sampled_from(
        [0.0, 1.0, -1.0, np.inf, -np.inf, np.nan]
    )),
    st.sampled_from([None, 0, -1]),
    st.booleans(),
)  # fmt: skip
def test_argmax_and_argmin_are_numpys(x, axis, keepdims):
    for name in ("argmax", "argmin"):
        y = getattr(md, name)(md.tensor(x), axis, keepdims)
        expected = getattr(np, name)(x, axis=axis, keepdims=keepdims)
        assert y.dtype == np.int64 and y.shape == expected.shape
        np.testing.assert_array_equal(y, expected)


def test_argmax_on_every_device_and_of_integers(device):
    x = md.tensor(np.array([[1, 5, 5], [7, 0, 7]], np.float32), device=device)
    assert x.argmax(1).numpy().tolist() == [1, 0]
    assert x.argmin(0, keepdims=True).numpy().tolist() == [[0, 1, 0]]
    assert md.tensor(np.array([3, -9, 3])).argmin().item() == 1
    assert not leaf([1.0, 2.0]).argmax().requires_grad


def test_what_only_moves_takes_integers():
    x = md.tensor(np.arange(6).reshape(2, 3))
    assert x.flip(1).numpy().tolist() == [[2, 1, 0], [5, 4, 3]]
    assert md.pad(x, 1, 9).numpy()[0].tolist() == [9] * 5
    assert x.clip(1, 4).numpy().tolist() == [[1, 1, 2], [3, 4, 4]]
    assert md.minimum(x, 2).dtype == np.int64
    assert x.unsqueeze((0, -1)).shape == (1, 2, 3, 1) and x.unsqueeze(0).squeeze().shape == (2, 3)
    assert [piece.shape for piece in x.split([0, 3], 1)] == [(2, 0), (2, 3)]
    assert [piece.shape for piece in md.tensor(np.zeros((0, 2))).split(3)] == [(0, 2)]


def test_a_view_sees_what_is_written_into_its_tensor():
    x = md.tensor([[1.0, 2.0]])
    flipped, wide = x.flip(1), x.expand(2, -1)
    x[0, 0] = 9.0
    assert flipped.numpy().tolist() == [[2.0, 9.0]]
    assert wide.numpy().tolist() == [[9.0, 2.0], [9.0, 2.0]]


def test_label_smoothing_is_a_mixture_of_the_label_and_all_classes():
    x, labels = leaf([[2.0, 0.0, -1.0], [0.5, 0.5, 3.0]]), [0, 1]
    smooth = md.cross_entropy(x, labels, "none", label_smoothing=0.3)
    hard, even = md.cross_entropy(x, labels, "none"), -md.log_softmax(x).mean(1)
    np.testing.assert_allclose(smooth, 0.7 * hard + 0.3 * even, rtol=1e-12)


def test_without_label_smoothing_cross_entropy_is_one_kernel_each_way(compiled):
    logits = leaf([[2.0, 0.0], [0.5, 3.0]], np.float32, "emulated")
    with launches() as log:
        md.cross_entropy(logits, [0, 1], "none").backward(np.ones(2, np.float32))
    assert [launch.file for launch in log] == ["fused/softmax_cross_entropy"] * 2


def test_einsum_goes_by_way_of_our_own_matmul(compiled, monkeypatch):
    def forbidden(*_, **__):
        raise AssertionError("NumPy's product was called")

    for name in ("matmul", "einsum", "tensordot", "dot"):
        monkeypatch.setattr(np, name, forbidden)
    a, b = (leaf(np.ones((2, 3, 4)), np.float32, "emulated") for _ in range(2))
    with launches() as log:
        md.einsum("bij,bkj->bik", a, b).sum().backward()
    assert "matmul" in {launch.kernel for launch in log}
    assert b.grad.numpy().tolist() == np.full((2, 3, 4), 3.0).tolist()


def test_rows_looked_up_twice_get_both_gradients_bit_for_bit_alike(device):
    rng = np.random.default_rng(0)
    indices = rng.integers(0, 3, 500)
    gradient = rng.standard_normal((500, 2)).astype(np.float32)
    found = set()
    for _ in range(3):
        w = leaf(np.zeros((3, 2)), np.float32, device)
        md.embedding(md.tensor(indices, device=device), w).backward(gradient)
        found.add(w.grad.numpy().tobytes())
    assert len(found) == 1
    np.testing.assert_allclose(w.grad.numpy()[1], gradient[indices == 1].sum(0), atol=1e-4)


def test_every_method_is_the_function_of_its_name():
    methods = {name for name, _ in inspect.getmembers(Methods, inspect.isfunction)}
    named = {name for name in methods if name[0] != "_"} & set(md.__all__)
    assert len(named) > 20
    x = md.tensor(np.array([[0.5, 2.0, 1.0]]))
    arguments = {
        "clip": (0, 1), "expand": ((2, 3),), "reshape": ((3, 1),), "split": (2, 1),
        "unsqueeze": (0,), "maximum": (1.0,), "minimum": (1.0,), "transpose": ((1, 0),),
    }  # fmt: skip
    for name in named:
        given = arguments.get(name, ())
        mine, functions = getattr(x, name)(*given), getattr(md, name)(x, *given)
        pairs = zip(mine, functions, strict=True) if name == "split" else [(mine, functions)]
        for a, b in pairs:
            np.testing.assert_array_equal(a, b)


def test_arrays_are_taken_where_tensors_are():
    x = np.arange(6.0).reshape(2, 3)
    for y in (md.einsum("ij->ji", x), md.einsum("ij,jk->ik", x, x.T), *md.split(x, 1)):
        assert isinstance(y, md.Tensor)
    np.testing.assert_array_equal(md.einsum("ij,kj->ik", md.tensor(x), x), x @ x.T)
    np.testing.assert_array_equal(md.getitem(x, 1), x[1])
