"""Pooling on `cpu` against windows looked at one by one."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from minidecay.devices.cpu import pooling
from minidecay.devices.cpu.windows import output_size

pairs = st.tuples(st.integers(1, 3), st.integers(1, 3))


@st.composite
def pools(draw):
    """Images with many ties, a window size, a stride, a padding."""
    size = draw(pairs)
    stride = draw(st.just(size) | pairs)
    padding = tuple(draw(st.integers(0, k // 2)) for k in size)
    height, width = (draw(st.integers(k, k + 7)) for k in size)
    shape = draw(st.integers(0, 4)), height, width, draw(st.integers(1, 3))
    rng = np.random.default_rng(draw(st.integers(0, 99)))
    return (
        rng.integers(-2, 3, shape).astype(draw(st.sampled_from(["f4", "f8"]))),
        size,
        {
            "stride": stride,
            "padding": padding,
        },
    )


def windows(x, size, stride, padding):
    """For each output (i, j): the rows and columns of the padded image in its window."""
    for i, j in np.ndindex(*output_size(x.shape, size, stride, padding)):
        top, left = i * stride[0], j * stride[1]
        yield (i, j), (slice(top, top + size[0]), slice(left, left + size[1]))


def padded(x, padding, value):
    (ph, pw) = padding
    return np.pad(x, ((0, 0), (ph, ph), (pw, pw), (0, 0)), constant_values=value)


@given(pools(), st.integers(1, 200))
def test_the_largest_its_first_place_and_its_gradient_whatever_is_worked_on_at_a_time(case, values):
    x, size, options = case
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(pooling, "VALUES", values)
        y, place = pooling.max_pool2d(x, size, **options)
        gy = np.random.default_rng(0).standard_normal(y.shape).astype(x.dtype)
        gx = pooling.max_pool2d_grad(gy, place, x.shape, size, **options)
        given_out = np.full_like(y, np.nan), np.full_like(place, 99), np.full_like(x, np.nan)
        pooling.max_pool2d(x, size, out=given_out[:2], **options)
        pooling.max_pool2d_grad(gy, place, x.shape, size, out=given_out[2], **options)
    assert y.dtype == gx.dtype == x.dtype and place.dtype == np.uint8
    images = padded(x, options["padding"], -np.inf)
    gradients = np.zeros_like(images)
    for (i, j), where in windows(x, size, **options):
        window = images[:, *where].reshape(len(x), size[0] * size[1], x.shape[3])
        np.testing.assert_array_equal(y[:, i, j], window.max(axis=1))
        np.testing.assert_array_equal(place[:, i, j], window.argmax(axis=1))
        hit = np.arange(window.shape[1])[:, None] == place[:, i, j, None]
        gradients[:, *where] += (hit * gy[:, i, j, None]).reshape(gradients[:, *where].shape)
    (ph, pw), (_, height, width, _) = options["padding"], x.shape
    np.testing.assert_allclose(gx, gradients[:, ph : ph + height, pw : pw + width], atol=1e-6)
    for got, wanted in zip(given_out, (y, place, gx), strict=True):
        np.testing.assert_array_equal(got, wanted)
