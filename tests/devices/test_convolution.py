"""The two ways to a convolution on `cpu` agree; by places is the definition."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from minidecay.devices.cpu import conv_by_columns, conv_by_places, convolution

pairs = st.tuples(st.integers(1, 3), st.integers(1, 3))


@st.composite
def convolutions(draw):
    """Images and weights in float64 with the stride and padding of their convolution."""
    stride, size = draw(pairs), draw(st.tuples(st.integers(1, 5), st.integers(1, 5)))
    padding = draw(st.tuples(st.integers(0, 4), st.integers(0, 4)))
    n, channels, filters = draw(st.tuples(st.integers(0, 4), st.integers(1, 4), st.integers(1, 4)))
    height, width = (
        draw(st.integers(max(1, k - 2 * p), k + 6)) for k, p in zip(size, padding, strict=True)
    )
    rng = np.random.default_rng(draw(st.integers(0, 99)))
    x = rng.standard_normal((n, height, width, channels))
    w = rng.standard_normal((*size, channels, filters))
    return x, w, {"stride": stride, "padding": padding}


@given(convolutions(), st.integers(1, 400))
def test_by_columns_is_by_places_however_many_images_at_a_time(case, columns):
    x, w, options = case
    y = conv_by_places.conv2d(x, w, **options)
    gy = np.random.default_rng(0).standard_normal(y.shape)
    bias, tail = y[:1, 0, 0].sum(axis=0), {"residual": gy, "activation": "relu"}
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(conv_by_columns, "COLUMNS", columns)
        for way in (conv_by_columns, convolution):
            np.testing.assert_allclose(way.conv2d(x, w, **options), y, atol=1e-11)
            np.testing.assert_allclose(
                way.conv2d(x, w, bias=bias, **tail, **options),
                np.maximum(y + bias + gy, 0),
                atol=1e-11,
            )
            np.testing.assert_allclose(
                way.conv2d_input_grad(gy, w, x.shape, **options),
                conv_by_places.conv2d_input_grad(gy, w, x.shape, **options),
                atol=1e-11,
            )
            np.testing.assert_allclose(
                way.conv2d_weight_grad(gy, x, w.shape, **options),
                conv_by_places.conv2d_weight_grad(gy, x, w.shape, **options),
                atol=1e-11,
            )


@pytest.mark.parametrize("channels", [3, 16, 64])
def test_long_products_cut_into_tiles_agree_in_float32(channels):
    rng = np.random.default_rng(1)
    x = rng.standard_normal((5, 16, 16, channels), np.float32)
    w = rng.standard_normal((3, 3, channels, 32), np.float32)
    options = {"stride": (1, 1), "padding": (1, 1)}
    for name, arguments in {
        "conv2d": (x, w),
        "conv2d_input_grad": (rng.standard_normal((5, 16, 16, 32), np.float32), w, x.shape),
        "conv2d_weight_grad": (rng.standard_normal((5, 16, 16, 32), np.float32), x, w.shape),
    }.items():
        got = getattr(conv_by_columns, name)(*arguments, **options)
        wanted = getattr(conv_by_places, name)(*arguments, **options)
        assert got.dtype == np.float32
        np.testing.assert_allclose(got, wanted, rtol=1e-4, atol=1e-5 * np.abs(wanted).max())
