"""The fast ways to a convolution on `cpu` agree with the definition, whatever the sizes."""

from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from minidecay.devices.cpu import (
    conv_by_columns,
    conv_by_places,
    conv_by_planes,
    conv_by_winograd,
    convolution,
    cutting,
)

PLANES, WINOGRAD = conv_by_planes, conv_by_winograd
# Of the largest value. Winograd's factors cost float32 a digit.
TOLERANCE = {
    (PLANES, "f8"): 1e-13,
    (WINOGRAD, "f8"): 1e-12,
    (PLANES, "f4"): 4e-6,
    (WINOGRAD, "f4"): 4e-5,
}


@st.composite
def convolutions(draw, way):
    """Images, weights, the gradient of the outputs and the options of a convolution it serves."""
    size = draw(st.tuples(st.integers(1, 4), st.integers(1, 4))) if way is not WINOGRAD else (3, 3)
    padding = tuple(draw(st.integers(0, k - 1)) for k in size)
    n, channels, filters = draw(st.tuples(st.integers(0, 5), st.integers(1, 5), st.integers(1, 5)))
    height, width = (
        draw(st.integers(max(1, k - 2 * p), k + 9)) for k, p in zip(size, padding, strict=True)
    )
    dtype = draw(st.sampled_from(["f4", "f8"]))
    rng = np.random.default_rng(draw(st.integers(0, 99)))
    x = rng.standard_normal((n, height, width, channels)).astype(dtype)
    w = rng.standard_normal((*size, channels, filters)).astype(dtype)
    pixels = (side + 2 * p - k + 1 for side, p, k in zip(x.shape[1:3], padding, size, strict=True))
    gy = rng.standard_normal((n, *pixels, filters)).astype(dtype)
    return x, w, gy, {"stride": (1, 1), "padding": padding}


def agree(way, got, exact):
    """Is it the float64 result, in the dtype and to the tolerance of the way?"""
    scale = np.abs(exact).max(initial=1)
    tolerance = TOLERANCE[way, got.dtype.str[1:]]
    np.testing.assert_allclose(got, exact, rtol=0, atol=tolerance * scale)


def in_float64(*arrays):
    return [each.astype(np.float64) for each in arrays]


@pytest.fixture(params=[PLANES, WINOGRAD], ids=lambda way: way.__name__[19:])
def way(request):
    return request.param


@contextmanager
def cut_small(way, values, small):
    """Few images at a time, and short products."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(way, "VALUES", values)
        patch.setattr(cutting, "SMALL", small)
        yield


cuts = st.tuples(st.integers(1, 3000), st.sampled_from([1, 500, 1_000_000]))


@pytest.mark.parametrize("way", [PLANES, WINOGRAD])
@given(st.data(), cuts)
def test_outputs_and_weight_gradients_are_those_by_places(way, data, cut):
    x, w, gy, options = data.draw(convolutions(way))
    x64, w64, gy64 = in_float64(x, w, gy)
    bias, out = w[0, 0, 0], np.full_like(gy, np.nan)
    with cut_small(way, *cut):
        y = way.conv2d(x, w, **options)
        tail = {"bias": bias, "residual": gy, "activation": "relu"}
        assert way.conv2d(x, w, **tail, out=out, **options) is out
        gw = way.conv2d_weight_grad(gy, x, w.shape, **options)
    assert y.dtype == gw.dtype == x.dtype
    exact = conv_by_places.conv2d(x64, w64, **options)
    agree(way, y, exact)
    agree(way, out, np.maximum(exact + bias + gy64, 0))
    agree(way, gw, conv_by_places.conv2d_weight_grad(gy64, x64, w.shape, **options))


@given(convolutions(WINOGRAD), cuts)
def test_input_gradients_by_winograd_are_those_by_places(case, cut):
    (x, w, gy, options), way = case, WINOGRAD
    out = np.full_like(x, np.nan)
    with cut_small(way, *cut):
        gx = way.conv2d_input_grad(gy, w, x.shape, **options)
        assert way.conv2d_input_grad(gy, w, x.shape, out=out, **options) is out
    assert gx.dtype == x.dtype
    gy64, w64 = in_float64(gy, w)
    agree(way, gx, conv_by_places.conv2d_input_grad(gy64, w64, x.shape, **options))
    np.testing.assert_array_equal(out, gx)


@pytest.mark.parametrize(
    ("way", "channels", "filters"),
    [(PLANES, 3, 16), (PLANES, 7, 16), (WINOGRAD, 32, 64), (WINOGRAD, 64, 64)],
)
def test_they_agree_at_the_sizes_they_are_for(way, channels, filters):
    rng = np.random.default_rng(1)
    x = rng.standard_normal((7, 15, 17, channels), np.float32)
    w = rng.standard_normal((3, 3, channels, filters), np.float32)
    gy = rng.standard_normal((7, 15, 17, filters), np.float32)
    options = {"stride": (1, 1), "padding": (1, 1)}
    for name, arguments in {
        "conv2d": (x, w),
        "conv2d_input_grad": (gy, w, x.shape),
        "conv2d_weight_grad": (gy, x, w.shape),
    }.items():
        if hasattr(way, name):
            exact = in_float64(*arguments[:2])
            wanted = getattr(conv_by_places, name)(*exact, *arguments[2:], **options)
            agree(way, getattr(way, name)(*arguments, **options), wanted)


def test_several_threads_at_once_get_what_one_gets(way):
    rng = np.random.default_rng(2)
    xs = rng.standard_normal((8, 9, 12, 12, 4), np.float32)
    w = rng.standard_normal((3, 3, 4, 4), np.float32)
    options = {"stride": (1, 1), "padding": (1, 1)}
    alone = [way.conv2d(x, w, **options) for x in xs]
    with ThreadPoolExecutor(4) as pool:
        together = list(pool.map(lambda x: way.conv2d(x, w, **options), xs))
    np.testing.assert_array_equal(together, alone)


@pytest.mark.parametrize(
    ("shape", "stride", "padding", "ways"),
    [
        ((1, 1, 3, 16), (1, 1), (0, 0), [conv_by_places] * 3),
        ((3, 3, 3, 16), (1, 1), (1, 1), [PLANES, conv_by_columns, PLANES]),
        ((3, 3, 3, 64), (1, 1), (1, 1), [conv_by_columns] * 3),
        ((5, 5, 3, 16), (1, 1), (2, 2), [conv_by_columns] * 3),
        ((3, 3, 16, 32), (1, 1), (1, 1), [conv_by_columns] * 3),
        ((3, 3, 32, 64), (1, 1), (1, 1), [WINOGRAD] * 3),
        ((5, 5, 32, 64), (1, 1), (2, 2), [conv_by_columns] * 3),
        ((3, 3, 32, 64), (2, 2), (1, 1), [conv_by_columns] * 3),
        ((3, 3, 32, 64), (1, 1), (1, 3), [conv_by_columns] * 3),
    ],
)
def test_the_shape_decides_which_way(shape, stride, padding, ways):
    primitives = ("conv2d", "conv2d_input_grad", "conv2d_weight_grad")
    assert [convolution.way(name, shape, stride, padding) for name in primitives] == ways


def test_windows_over_a_row_of_pixels_are_those_of_the_images():
    images = np.arange(1, 13).reshape(2, 3, 2, 1)
    rows = conv_by_planes.Rows(3, 2, (1, 1))
    row = np.zeros((2 * rows.image + 8, 1), int)
    rows.inputs(row, 2)[...] = images
    assert (rows.pitch, rows.image) == (3, 12)
    corner = [rows.image + a * rows.pitch + b for a in range(3) for b in range(3)]
    assert row[corner, 0].tolist() == [0, 0, 0, 0, 7, 8, 0, 9, 10]  # of the second image


@given(st.integers(1, 10_000), st.integers(1, 100_000), st.sampled_from([16, 96]))
def test_a_product_cut_up_holds_all_rows_and_hardly_more(rows, size, least):
    count, tile = cutting.cut(rows, size, least)
    assert rows <= count * tile < rows + count
    assert count == 1 or tile * size <= cutting.SMALL
    assert rows % cutting.divisor(rows, size, least) == 0


@given(st.integers(0, 99), st.integers(1, 50), st.integers(1, 400))
def test_parts_are_of_about_one_length_and_leave_no_image_out(count, values, most):
    some, each = cutting.parts(count, values, most)
    each = list(each)
    assert [i for part in each for i in range(count)[part]] == list(range(count))
    lengths = {part.stop - part.start for part in each[:-1]}
    assert lengths <= {some} and (some == 1 or some * values <= most)
