"""On a GPU: every kernel file on all of its cases, and every primitive on random and large sizes.

`python -m benchmarks.gpu` runs these first. One test is one file or one primitive, so that what
fails is told by name and hides nothing else.
"""

import numpy as np
import pytest

import minidecay as md
from minidecay.cuda import source
from minidecay.cuda.cases import cases
from minidecay.cuda.checking import every_kernel, reference_of, run
from minidecay.devices import device as find_device

pytestmark = pytest.mark.gpu

CPU = find_device("cpu")
MATMULS, CONVOLUTIONS = (
    [name.partition("/")[2] for name in source.names() if name.startswith(f"{ladder}/")]
    for ladder in ("matmul", "conv2d")
)
NEAR = 2e-5  # ‖got - wanted‖ / ‖wanted‖; what TF32 would give is some 3e-4


@pytest.mark.parametrize("name", every_kernel())
def test_a_kernel_computes_what_it_must(gpu, name):
    outcomes = [run(name, case, watched=False, device="cuda") for case in cases(reference_of(name))]
    assert [(each.case.label, each.where) for each in outcomes if not each.passed] == []


@pytest.fixture
def rng():
    return np.random.default_rng(7)


@pytest.fixture
def near(gpu, rng):
    """Call a primitive on both devices, on normal numbers where an operand is a shape."""

    def check(primitive, *operands, **options):
        def drawn(value):
            is_shape = isinstance(value, list)
            return rng.standard_normal(value, np.float32) if is_shape else value

        operands = [drawn(x) for x in operands]
        options = {name: drawn(x) for name, x in options.items()}
        ours = getattr(gpu, primitive)(
            *(on(gpu, x) for x in operands), **{k: on(gpu, x) for k, x in options.items()}
        )
        exact = getattr(CPU, primitive)(
            *(wide(x) for x in operands), **{k: wide(x) for k, x in options.items()}
        )
        several = isinstance(ours, tuple)
        for got, wanted in zip(*((x if several else (x,)) for x in (ours, exact)), strict=True):
            got = gpu.to_numpy(got)
            assert got.shape == wanted.shape
            error = np.linalg.norm(got - wanted) / max(np.linalg.norm(wanted), 1e-30)
            assert error <= NEAR, f"{primitive} is off by {error:.1e} on {got.shape}"

    return check


def on(device, value):
    return device.from_numpy(value) if isinstance(value, np.ndarray) else value


def wide(value):
    return value.astype(np.float64) if getattr(value, "dtype", None) == np.float32 else value


def sizes(rng, count, most):
    """Random sizes, small ones as likely as large ones."""
    return [int(n) for n in np.exp(rng.uniform(0, np.log(most), count))]


@pytest.mark.parametrize("rung", MATMULS)
def test_matmul_on_random_sizes(near, large, rng, rung):
    with md.use_kernels(matmul=rung):
        for i in range(12):
            m, n, k = sizes(rng, 3, large(700))
            transposed = {"transpose_a": bool(i & 1), "transpose_b": bool(i & 2)}
            a, b = [k, m] if i & 1 else [m, k], [n, k] if i & 2 else [k, n]
            tail = {"bias": [n], "residual": [m, n], "activation": "relu"} if i % 3 == 0 else {}
            near("matmul", a, b, **transposed, **tail)
        near("matmul", [9, large(130), 70], [9, 70, large(150)])
        near("matmul", [large(1111), large(1024)], [large(1024), large(2050)])


@pytest.mark.parametrize("rung", CONVOLUTIONS)
def test_convolution_on_random_sizes(near, large, rng, rung):
    with md.use_kernels(conv2d=rung):
        for _ in range(6):
            (kh, kw), (n, h, w), (c, o) = (sizes(rng, *s) for s in ((2, 5), (3, 20), (2, 40)))
            check_convolution(near, rng, (n, h + kh, w + kw, c), (kh, kw, c, o))
        check_convolution(near, rng, (large(256), 16, 15, 35), (3, 3, 35, 65))
        check_convolution(near, rng, (large(128), 33, 32, 3), (3, 3, 3, 16))


def check_convolution(near, rng, x, w):
    window = {
        "stride": tuple(int(n) for n in rng.integers(1, 3, 2)),
        "padding": tuple(int(n) for n in rng.integers(0, 3, 2)),
    }
    pairs = zip(x[1:3], w[:2], window["stride"], window["padding"], strict=True)
    y = (x[0], *((n + 2 * p - k) // s + 1 for n, k, s, p in pairs), w[3])
    near("conv2d", list(x), list(w), **window)
    near("conv2d", list(x), list(w), bias=[w[3]], residual=list(y), activation="relu", **window)
    near("conv2d_input_grad", list(y), list(w), x, **window)
    near("conv2d_weight_grad", list(y), list(x), w, **window)


@pytest.mark.parametrize("op", ["sum", "max"])
def test_reductions_on_random_and_large_sizes(near, large, rng, op):
    for _ in range(12):
        shape = sizes(rng, int(rng.integers(1, 5)), 40)
        axes = rng.permutation(len(shape))[: rng.integers(1, len(shape) + 1)]
        near(op, shape, axis=tuple(int(a) for a in axes), keepdims=bool(rng.integers(2)))
    near(op, [large(3_000_001)])
    near(op, [large(40_000), 33], axis=0)
    near(op, [33, large(40_000)], axis=1)


@pytest.mark.parametrize("op", ["add", "sub", "mul", "div", "maximum", "relu_grad"])
def test_elementwise_on_random_and_large_sizes(near, large, rng, op):
    for _ in range(8):
        shape = sizes(rng, int(rng.integers(1, 6)), 12)
        other = [n if rng.integers(2) else 1 for n in shape][int(rng.integers(len(shape))) :]
        near(op, shape, other)
    near(op, [large(4_000_003)], [large(4_000_003)])
    near(op, [large(70_000), 33], [33])


@pytest.mark.parametrize("op", ["exp", "tanh", "sigmoid", "relu", "neg", "abs", "sign"])
def test_functions_on_random_and_large_sizes(near, large, rng, op):
    for n in (*sizes(rng, 8, 5000), large(4_000_003)):
        near(op, [n])


def test_batch_norm_on_random_and_large_sizes(near, large, rng):
    every = [(*sizes(rng, 3, 20), *sizes(rng, 1, 200)) for _ in range(6)]
    for n, h, w, c in (*every, (large(256), 16, 16, 64)):
        x = [n + 1, h, w, c]
        near("batch_norm", x, [c], [c], 1e-3)
        near("batch_norm", x, [c], [c], 1e-3, residual=x, activation="relu")
        var = np.float32(0.5) + rng.random(c, np.float32)
        near("batch_norm_inference", x, [c], [c], [c], var, 1e-3, activation="relu")
        mean = rng.standard_normal(c, np.float32)
        near("batch_norm_grad", x, x, [c], mean, var, 1e-3)


def test_pooling_on_random_and_large_sizes(near, large, rng):
    for n, h, w, c in (*(sizes(rng, 4, 20) for _ in range(6)), (large(256), 32, 32, 32)):
        size = tuple(int(k) for k in rng.integers(1, 4, 2))
        window = {"stride": tuple(int(s) for s in rng.integers(1, 3, 2)), "padding": (0, 0)}
        x = (n, h + size[0], w + size[1], c)
        near("max_pool2d", list(x), size, **window)
        near("avg_pool2d", list(x), size, **window)
        y, place = CPU.max_pool2d(rng.standard_normal(x), size, **window)
        near("max_pool2d_grad", list(y.shape), place.astype(np.int32), x, size, **window)
        near("avg_pool2d_grad", list(y.shape), x, size, **window)


def test_cross_entropy_on_random_and_large_sizes(near, large, rng):
    every = [sizes(rng, 2, 300) for _ in range(6)]
    for rows, classes in (*every, (large(8192), 1000)):
        labels = rng.integers(0, classes, rows)
        near("log_softmax", [rows, classes])
        near("softmax_cross_entropy", [rows, classes], labels)
        near("softmax_cross_entropy_grad", [rows], [rows, classes], labels)


def test_dropout_drops_what_numpys_words_say(gpu, large, rng):
    for n in (*sizes(rng, 5, 5000), large(2_000_003)):
        x, key = rng.standard_normal(n, np.float32), (5, 2**63 + 1)
        kept = gpu.to_numpy(gpu.dropout(gpu.from_numpy(x), 0.3, key, 9))
        np.testing.assert_array_equal(kept == 0, CPU.dropout(x, 0.3, key, 9) == 0)
        np.testing.assert_allclose(kept[kept != 0], (x / 0.7)[kept != 0], rtol=1e-6)


@pytest.mark.parametrize("nesterov", [False, True])
def test_sgd_on_random_and_large_sizes(gpu, large, rng, nesterov):
    for n in (*sizes(rng, 5, 5000), large(4_000_003)):
        arrays = [rng.standard_normal(n, np.float32) for _ in range(3)]
        there, here = [gpu.from_numpy(x) for x in arrays], [wide(x) for x in arrays]
        for device, each in ((gpu, there), (CPU, here)):
            settings = {"lr": 0.1, "momentum": 0.9, "weight_decay": 0.01, "nesterov": nesterov}
            device.sgd_step(*each, **settings)
        for ours, exact in zip(there, here, strict=True):
            np.testing.assert_allclose(gpu.to_numpy(ours), exact, rtol=1e-5, atol=1e-5)
