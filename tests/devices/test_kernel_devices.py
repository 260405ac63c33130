"""The devices that launch our kernels, primitive by primitive, held to `cpu` in float64."""

import copy
import pickle

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

import minidecay as md
from minidecay.cuda import launches
from minidecay.devices import device as find_device

CPU = find_device("cpu")
RNG = np.random.default_rng(0)


def normal(*shape):
    return np.asarray(RNG.standard_normal(shape), np.float32)


def exact(value):
    return value.astype(np.float64) if getattr(value, "dtype", None) == np.float32 else value


def agree(device, name, *operands, rtol=1e-4, atol=1e-4, **options):
    """Call a primitive on both; shapes and values must be the same, and no operand changed."""
    there = [device.asarray(x) if isinstance(x, np.ndarray) else x for x in operands]
    options_there = {
        k: device.asarray(v) if isinstance(v, np.ndarray) else v for k, v in options.items()
    }
    ours = getattr(device, name)(*there, **options_there)
    with np.errstate(all="ignore"):
        theirs = getattr(CPU, name)(
            *map(exact, operands), **{name: exact(value) for name, value in options.items()}
        )
    for got, wanted in zip(
        *(x if isinstance(x, tuple) else (x,) for x in (ours, theirs)), strict=True
    ):
        if isinstance(got, float):
            assert got == pytest.approx(wanted, rel=1e-5)
            continue
        got = device.to_numpy(got)
        assert got.shape == wanted.shape
        np.testing.assert_allclose(got, wanted, rtol=rtol, atol=atol)
    for before, after in zip(operands, there, strict=True):
        if isinstance(before, np.ndarray):
            np.testing.assert_array_equal(before, device.to_numpy(after))


UNARY = ("neg", "exp", "sqrt", "abs", "sign", "tanh", "sigmoid", "relu", "log", "log1p", "erf")
BINARY = ("add", "sub", "mul", "div", "pow", "maximum", "minimum", "relu_grad")
COMPARISONS = ("greater", "greater_equal", "less", "less_equal", "equal", "not_equal")


@pytest.mark.parametrize("name", UNARY)
def test_a_function_of_one(launched, name):
    for shape in ((), (0,), (5,), (3, 4)):
        agree(launched, name, np.abs(normal(*shape)) + np.float32(0.1))


@pytest.mark.parametrize("name", BINARY + COMPARISONS)
def test_a_function_of_two_that_broadcast(launched, name):
    x = np.abs(np.round(normal(3, 4, 5), 1)) + np.float32(0.1)
    for y in (
        np.round(normal(4, 1), 1),
        np.round(normal(3, 1, 5), 1),
        np.round(normal(), 1),
        x.T.copy().T,
    ):
        agree(launched, name, x, np.asarray(y))
    agree(launched, name, x, 0.5)
    if name != "relu_grad":
        agree(launched, name, 2, x)


@given(st.data())
@settings(max_examples=30)
def test_broadcasting_is_numpys(data):
    device = find_device("emulated")
    shape = data.draw(st.lists(st.integers(1, 3), max_size=6))
    operands = []
    for _ in range(2):
        kept = data.draw(st.lists(st.booleans(), min_size=len(shape), max_size=len(shape)))
        whole = [n if keep else 1 for n, keep in zip(shape, kept, strict=True)]
        operands.append(normal(*whole[data.draw(st.integers(0, len(whole))) :]))
    np.testing.assert_allclose(device.add(*operands), operands[0] + operands[1])


def test_views_are_read_as_they_lie(launched):
    x = launched.asarray(normal(4, 5))
    repeated = launched.broadcast_to(launched.asarray(normal(5)), (4, 5))
    y = launched.mul(launched.transpose(x, (1, 0)), launched.transpose(repeated, (1, 0)))
    np.testing.assert_allclose(
        launched.to_numpy(y), launched.to_numpy(x).T * launched.to_numpy(repeated).T, rtol=1e-6
    )


def shifted(*shape):
    """Normal numbers that begin four bytes beyond an address a float4 could be read from."""
    whole = np.zeros(int(np.prod(shape)) + 8, np.float32)
    start = next(i for i in range(1, 5) if whole[i:].ctypes.data % 16 == 4)
    array = whole[start : start + int(np.prod(shape))].reshape(shape)
    array[...] = normal(*shape)
    return array


def test_arrays_may_begin_anywhere(launched):
    x, w, row = shifted(8, 8), shifted(8, 8), shifted(8)
    agree(launched, "neg", x)
    agree(launched, "sub", x, row)
    agree(launched, "greater", x, w)
    for rung in ("05_register_2d", "06_vectorized", "08_double_buffer"):
        with md.use_kernels(matmul=rung):
            tail = {"bias": row, "residual": shifted(8, 8), "activation": "relu"}
            agree(launched, "matmul", x, w, **tail)
            agree(launched, "matmul", x, w, transpose_a=True, transpose_b=True)
    image, kernel, gy = shifted(1, 4, 4, 8), shifted(3, 3, 8, 4), shifted(1, 4, 4, 4)
    window = {"stride": (1, 1), "padding": (1, 1)}
    for rung in ("02_im2col", "03_implicit_gemm"):
        with md.use_kernels(conv2d=rung):
            agree(launched, "conv2d", image, kernel, **window, bias=shifted(4))
            agree(launched, "conv2d_input_grad", gy, kernel, image.shape, **window)
            agree(launched, "conv2d_weight_grad", gy, image, kernel.shape, **window)
    agree(launched, "avg_pool2d", image, (2, 2), stride=(2, 2), padding=(0, 0))
    agree(launched, "max_pool2d", image, (2, 2), stride=(2, 2), padding=(0, 0))
    gamma, beta, mean, var = shifted(8), shifted(8), shifted(8), np.square(shifted(8))
    agree(launched, "batch_norm_inference", x, gamma, beta, mean, var, 0.1)
    agree(launched, "batch_norm_grad", w, x, gamma, mean, var, 0.1)
    agree(launched, "dropout", x, 0.3, (1, 2), 3)


def test_where_takes_arrays_and_numbers(launched):
    x, y = normal(3, 4), normal(4)
    condition = launched.asarray(x > 0)
    for a, b in ((x, y), (x, 0.5), (0.5, y)):
        there = [launched.asarray(v) if isinstance(v, np.ndarray) else v for v in (a, b)]
        got = launched.to_numpy(launched.where(condition, *there))
        np.testing.assert_array_equal(got, np.where(x > 0, a, b).astype(np.float32))


def test_integers_and_masks_are_kept_as_they_are(launched):
    x = launched.asarray(np.arange(6).reshape(2, 3))
    assert launched.to_numpy(launched.add(x, 1)).dtype == np.int64
    assert launched.to_numpy(launched.sum(launched.greater(x, 2))).item() == 3
    assert launched.to_numpy(launched.mul(launched.asarray(normal(3)), x)).dtype == np.float32


@pytest.mark.parametrize("name", ["sum", "max"])
def test_reductions_over_any_axes(launched, name):
    x = normal(3, 4, 5)
    for axis in (None, 0, 1, -1, (0, 1), (1, 2), (0, 2), ()):
        for keepdims in (False, True):
            agree(launched, name, x, axis=axis, keepdims=keepdims)


def test_long_reductions_are_cut_into_parts(launched):
    agree(launched, "sum", normal(70_000), atol=1e-2)
    agree(launched, "sum", normal(3000, 3), axis=0, atol=1e-2)
    agree(launched, "max", normal(20_000, 33), axis=0)
    agree(launched, "max", normal(3, 5000), axis=1)
    agree(launched, "max", normal(600, 1500), axis=1)
    agree(launched, "norm", normal(70_000))


def test_matmul_in_all_its_forms(launched):
    a, b = normal(3, 4, 5), normal(5, 6)
    agree(launched, "matmul", a, b)
    agree(launched, "matmul", a, normal(3, 5, 2), bias=normal(2), residual=normal(3, 4, 2))
    agree(launched, "matmul", a, normal(4, 7), transpose_a=True, activation="relu")
    agree(launched, "matmul", a, normal(2, 1, 6, 5), transpose_b=True)
    agree(launched, "matmul", b.T, b.T.copy().T, transpose_a=False)
    agree(launched, "matmul", normal(10, 3, 4), normal(10, 4, 2))  # many small ones
    agree(launched, "matmul", normal(2, 0), normal(0, 3))
    out = launched.zeros((3, 3), np.float32)
    x = launched.asarray(normal(3, 3))
    assert launched.matmul(x, x, out=out) is out
    view = launched.transpose(launched.zeros((3, 3), np.float32), (1, 0))
    assert launched.matmul(x, x, out=view) is view
    np.testing.assert_allclose(launched.to_numpy(view), launched.to_numpy(out))


def test_a_long_sum_with_few_results_is_split(launched):
    tail = {"bias": normal(5), "residual": normal(3, 5), "activation": "relu"}
    turned = {"transpose_a": True, "transpose_b": True}
    with launches() as log:
        agree(launched, "matmul", normal(3, 700), normal(700, 5), **tail, atol=1e-3)
        agree(launched, "matmul", normal(700, 3), normal(5, 700), **turned, atol=1e-3)
        agree(launched, "matmul", normal(511, 3), normal(511, 5), transpose_a=True, atol=1e-3)
    assert [f"{each.file}: {each.kernel}" for each in log] == [
        *("fused/split_matmul: matmul_splits", "fused/split_matmul: finish_splits") * 2,
        "matmul/05_register_2d: matmul",
    ]


@pytest.mark.parametrize("rung", ["01_direct", "02_im2col", "03_implicit_gemm"])
@pytest.mark.parametrize(("stride", "padding"), [((1, 1), (1, 1)), ((2, 1), (0, 1))])
def test_conv2d_and_its_gradients_by_every_rung(launched, rung, stride, padding):
    x, w = normal(2, 7, 6, 3), normal(3, 2, 3, 5)
    window = {"stride": stride, "padding": padding}
    y = CPU.conv2d(x, w, **window)
    with md.use_kernels(conv2d=rung):
        agree(launched, "conv2d", x, w, **window)
        tail = {"bias": normal(5), "residual": normal(*y.shape), "activation": "relu"}
        agree(launched, "conv2d", x, w, **window, **tail)
        gy = normal(*y.shape)
        agree(launched, "conv2d_input_grad", gy, w, x.shape, **window)
        agree(launched, "conv2d_weight_grad", gy, x, w.shape, **window)


def test_a_weight_gradient_over_many_pixels_is_split(launched):
    x, gy = normal(4, 12, 12, 2), normal(4, 12, 12, 3)
    for rung in ("01_direct", "02_im2col", "03_implicit_gemm"):
        with md.use_kernels(conv2d=rung), launches() as log:
            agree(
                *(launched, "conv2d_weight_grad", gy, x, (3, 3, 2, 3)),
                stride=(1, 1),
                padding=(1, 1),
                rtol=1e-3,
                atol=1e-3,
            )
        assert f"conv2d/{rung}: sum_splits" in "\n".join(map(str, log))


def test_pooling(launched):
    x = normal(2, 6, 6, 3)
    window = {"stride": (2, 2), "padding": (1, 0)}
    agree(launched, "max_pool2d", x, (2, 2), **window)
    agree(launched, "avg_pool2d", x, (2, 2), **window)
    y, place = CPU.max_pool2d(x, (2, 2), **window)
    gy = normal(*y.shape)
    agree(launched, "max_pool2d_grad", gy, place.astype(np.int32), x.shape, (2, 2), **window)
    agree(launched, "avg_pool2d_grad", gy, x.shape, (2, 2), **window)


@pytest.mark.parametrize("shape", [(6, 3), (2, 3, 4, 3), (300, 2)])
def test_batch_norm(launched, shape):
    x, gamma, beta = normal(*shape), normal(shape[-1]), normal(shape[-1])
    agree(launched, "batch_norm", x, gamma, beta, 1e-3)
    tail = {"residual": normal(*shape), "activation": "relu"}
    agree(launched, "batch_norm", x, gamma, beta, 1e-3, **tail)
    mean, var = normal(shape[-1]), np.square(normal(shape[-1])) + np.float32(0.1)
    agree(launched, "batch_norm_inference", x, gamma, beta, mean, var, 1e-3, **tail)
    gy = normal(*shape)
    agree(launched, "batch_norm_grad", gy, x, gamma, mean, var, 1e-3, rtol=1e-3, atol=1e-3)


def test_losses(launched):
    z, labels = normal(9, 5), RNG.integers(0, 5, 9)
    agree(launched, "log_softmax", normal(2, 3, 4))
    agree(launched, "log_softmax_grad", normal(9, 5), z)
    agree(launched, "softmax_cross_entropy", z, labels)
    for gy in (normal(9), np.asarray(normal()), 0.5):
        agree(launched, "softmax_cross_entropy_grad", gy, z, labels)


def test_dropout_drops_the_same_elements(launched):
    agree(launched, "dropout", normal(1003), 0.3, (5, 2**63), 7, rtol=1e-6)


@pytest.mark.parametrize("nesterov", [False, True])
def test_sgd_step_writes_in_place(launched, nesterov):
    arrays = [normal(1001) for _ in range(3)]
    there, here = [launched.from_numpy(x) for x in arrays], [exact(x) for x in arrays]
    for device, (w, g, v) in ((launched, there), (CPU, here)):
        settings = {"lr": 0.1, "momentum": 0.9, "weight_decay": 0.01, "nesterov": nesterov}
        device.sgd_step(w, g, v, **settings)
    for ours, theirs in zip(there, here, strict=True):
        np.testing.assert_allclose(launched.to_numpy(ours), theirs, atol=1e-5)


def test_arrays_go_in_and_out(launched):
    x = normal(3, 4)
    there = launched.from_numpy(x)
    copy = launched.copy(there)
    launched.setitem(there, (slice(None), 0), 1.0)
    launched.copy_into(launched.getitem(copy, 0), launched.ones((4,), np.float32))
    assert (launched.to_numpy(there)[:, 0] == 1).all()
    assert (launched.to_numpy(copy)[0] == 1).all() and (launched.to_numpy(copy)[1:] == x[1:]).all()
    launched.add_at(there, ([0, 0, 2], [1, 1, 3]), launched.ones((3,), np.float32))
    np.testing.assert_allclose(launched.to_numpy(there)[0, 1], x[0, 1] + 2, rtol=1e-6)
    both = launched.concatenate([there, copy], 1)
    assert both.shape == (3, 8) and launched.reshape(both, (4, 6)).shape == (4, 6)
    assert launched.astype(there, np.int64).dtype == np.int64


def test_float64_is_refused_by_name(launched):
    wide = np.zeros(3)
    told = rf"{launched.name}: float64 values, but the kernels compute in float32; use astype"
    for refused in (
        lambda: launched.from_numpy(wide),
        lambda: launched.asarray(wide),
        lambda: launched.zeros((3,), np.float64),
        lambda: launched.ones((3,), np.float64),
        lambda: launched.astype(launched.zeros((3,), np.float32), np.float64),
    ):
        with pytest.raises(TypeError, match=told):
            refused()


def step(device, **options):
    """The loss of two steps of a small network with a convolution, batch norm and dropout."""
    rng = np.random.default_rng(3)
    model = md.models.small_cnn(size=8, widths=(4, 8), hidden=8, rng=np.random.default_rng(0))
    model.to(device)
    optimizer = md.optim.SGD(model.parameters(), lr=0.1, momentum=0.9, nesterov=True)
    losses = []
    for _ in range(2):
        x = md.tensor(rng.standard_normal((6, 8, 8, 3)).astype(np.float32), device=device)
        optimizer.zero_grad()
        loss = md.cross_entropy(model(x), rng.integers(0, 10, 6))
        loss.backward()
        optimizer.step()
        losses.append(loss.item())
    return losses


def test_training_agrees_with_the_cpu(launched):
    np.testing.assert_allclose(step(launched), step("cpu"), rtol=1e-4)


def test_arrays_of_the_host_stand_beside_a_tensor(launched):
    x, y = normal(3, 4), normal(3, 4)
    tensor = md.tensor(x, device=launched)
    np.testing.assert_array_equal((tensor > y).numpy(), x > y)
    np.testing.assert_array_equal((tensor > md.tensor(y, device=launched)).numpy(), x > y)
    np.testing.assert_array_equal((tensor == 0.5).numpy(), x == 0.5)
    np.testing.assert_allclose((tensor + y).numpy(), x + y, rtol=1e-6)
    np.testing.assert_allclose(md.where(x > 0, tensor, 2.0).numpy(), np.where(x > 0, x, 2))
    integers = md.tensor(np.arange(3), device=launched)
    np.testing.assert_array_equal(md.where(x[:, 0] > 0, integers, 0).numpy().shape, (3,))
    tensor[1] = y[1]
    tensor[[0, 2], 1] = np.float32(7)
    tensor[md.tensor(np.array([2]), device=launched)] = y[:1]
    x[1], x[[0, 2], 1], x[2] = y[1], 7, y[0]
    np.testing.assert_array_equal(tensor.numpy(), x)
    np.testing.assert_array_equal(tensor[[2, 0], :2].numpy(), x[[2, 0], :2])
    np.testing.assert_array_equal(tensor[tensor > 0].numpy(), x[x > 0])


def test_a_model_moves_and_is_saved_evaluated_and_copied(launched):
    model = md.models.small_cnn(size=8, widths=(4,), hidden=None, rng=np.random.default_rng(0))
    data = md.data.PatternSet(n_train=40, n_test=20, seed=0)
    before = {name: array.copy() for name, array in model.state_dict().items()}
    here = md.training.evaluate(model, data.test, batch_size=8)
    model.to(launched)
    there = md.training.evaluate(model, data.test, batch_size=8)
    np.testing.assert_allclose(there.losses, here.losses, rtol=1e-4)
    copied = copy.deepcopy(model)
    optimizer = md.optim.SGD(model.parameters(), 0.1, 0.9)
    x = md.from_numpy(data.train.images[:8], launched)
    loss = md.cross_entropy(model(x), data.train.labels[:8])
    loss.backward()
    optimizer.step()
    assert optimizer.grad_norm() > 0
    optimizer.load_state_dict(optimizer.state_dict())
    assert (model.state_dict()["0.weight"] != before["0.weight"]).any()
    model.load_state_dict(before)
    for name, array in {**model.state_dict(), **copied.state_dict()}.items():
        np.testing.assert_array_equal(array, before[name])
    assert model.to("cpu").device.name == "cpu"


def test_any_rung_can_train(compiled):
    usual = step("emulated")
    for matmul, conv2d in (("01_naive", "01_direct"), ("03_smem_tile", "02_im2col")):
        with md.use_kernels(matmul=matmul, conv2d=conv2d), launches() as log:
            np.testing.assert_allclose(step("emulated"), usual, rtol=1e-4)
        files = {launch.file for launch in log}
        assert {f"matmul/{matmul}", f"conv2d/{conv2d}"} <= files
        assert "matmul/05_register_2d" not in files


def test_a_step_on_emulated_calls_none_of_numpys_products(compiled, monkeypatch):
    def forbidden(*_, **__):
        raise AssertionError("NumPy's product was called")

    for name in ("matmul", "dot", "einsum", "tensordot", "vdot", "inner"):
        monkeypatch.setattr(np, name, forbidden)
    with launches() as log:
        step("emulated")
    names = {str(launch).partition(" ")[0] for launch in log}
    assert {"conv2d/03_implicit_gemm:", "matmul/05_register_2d:", "fused/sgd:"} <= names
    assert "conv2d/03_implicit_gemm: conv2d" in {str(launch)[:31] for launch in log}


def test_the_vendors_product_can_stand_in(launched):
    with md.use_kernels(matmul="vendor"), launches() as log:
        a, b = normal(3, 4), normal(2, 4)
        agree(launched, "matmul", a, b, transpose_b=True, bias=normal(2), activation="relu")
        agree(launched, "matmul", a, b.T.copy(), residual=normal(3, 2))
    assert log == []


def test_a_rung_that_is_not_there_is_told():
    with pytest.raises(ValueError, match=r"matmul has no rung '99'; it has 01_naive.*vendor"):
        md.use_kernels(matmul="99")
    with pytest.raises(ValueError, match="no ladder 'sort'; there are matmul, conv2d"):
        md.use_kernels(sort="quick")


def test_a_device_comes_back_from_another_process_as_itself(launched):
    assert repr(launched) == launched.name
    if launched.name == "emulated":
        assert pickle.loads(pickle.dumps(launched)) is launched


def test_cuda_without_cupy_or_a_gpu_says_what_to_do(monkeypatch):
    import sys

    from minidecay import devices

    monkeypatch.setattr(devices, "_loaded", {})
    monkeypatch.delitem(sys.modules, "minidecay.devices.cuda", raising=False)
    monkeypatch.setitem(sys.modules, "cupy", None)
    with pytest.raises(
        RuntimeError, match=r"CuPy is not installed: pip install 'minidecay\[cuda12\]'"
    ):
        find_device("cuda")
    import stand_in

    monkeypatch.setitem(sys.modules, "cupy", stand_in.Module(no_gpu=True))
    with pytest.raises(RuntimeError, match="finds no GPU or no driver here"):
        find_device("cuda")
