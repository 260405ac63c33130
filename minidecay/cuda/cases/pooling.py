"""Pooling of images (N, H, W, C), window by window, and its gradients, in float64."""

from collections.abc import Iterator
from typing import Any

import numpy as np

from minidecay.cuda.cases.case import Case, unwritten

__all__ = ["cases"]

# (x's shape, window, stride, padding): disjoint, overlapping, padded, with gaps, of one place.
_SIZES = [
    ((1, 1, 1, 1), (1, 1), (1, 1), (0, 0)),
    ((2, 4, 6, 3), (2, 2), (2, 2), (0, 0)),
    ((2, 4, 6, 8), (2, 2), (2, 2), (0, 0)),
    ((1, 5, 6, 2), (3, 3), (2, 1), (1, 1)),
    ((2, 6, 5, 1), (2, 3), (1, 2), (1, 0)),
    ((1, 7, 7, 9), (1, 2), (3, 3), (0, 1)),
    ((1, 3, 4, 10), (2, 2), (1, 1), (0, 0)),
    ((1, 8, 8, 16), (1, 1), (1, 1), (0, 0)),  # a whole block, with no thread to spare
]


def cases(rng: np.random.Generator) -> Iterator[Case]:
    """The four kernels on each size; small whole numbers, so that maxima are often shared."""
    yield _special()
    for shape, size, stride, padding in _SIZES:
        x = rng.integers(-3, 4, shape).astype(np.float32)
        (n, height, width, channels), (kh, kw), (sh, sw), (ph, pw) = shape, size, stride, padding
        oh, ow = (height + 2 * ph - kh) // sh + 1, (width + 2 * pw - kw) // sw + 1
        out = (n, oh, ow, channels)
        gy = rng.standard_normal(out, dtype=np.float32)
        around = ((0, 0), (ph, ph), (pw, pw), (0, 0))
        for_max = np.pad(x, around, constant_values=-np.inf)
        for_mean = np.pad(x.astype(np.float64), around)
        largest, mean, place = np.zeros(out), np.zeros(out), np.zeros(out, np.int32)
        g_max, g_mean = np.zeros(for_mean.shape), np.zeros(for_mean.shape)
        images, planes = np.ogrid[:n, :channels]
        for i, j in np.ndindex(oh, ow):
            window = np.s_[:, i * sh : i * sh + kh, j * sw : j * sw + kw]
            values = for_max[window].reshape(n, kh * kw, channels)
            place[:, i, j] = first = values.argmax(axis=1)
            largest[:, i, j] = values.max(axis=1)
            mean[:, i, j] = for_mean[window].mean(axis=(1, 2))
            g_max[images, i * sh + first // kw, j * sw + first % kw, planes] += gy[:, i, j]
            g_mean[window] += gy[:, i : i + 1, j : j + 1] / (kh * kw)
        inside = np.s_[:, ph : ph + height, pw : pw + width]
        sizes = (*shape, oh, ow, *size, *stride, *padding)
        label = f"{shape}, window {size}, stride {stride}, padding {padding}"

        arguments: tuple[Any, ...] = (x, unwritten(*out), np.full(out, -7, np.int32), *sizes)
        yield Case("max_pool2d", label, arguments, {"y": largest, "place": place})
        arguments = (gy, place, unwritten(*shape), *sizes)
        yield Case("max_pool2d_grad", label, arguments, {"gx": g_max[inside]})
        yield Case("avg_pool2d", label, (x, unwritten(*out), *sizes), {"y": mean})
        arguments = (gy, unwritten(*shape), *sizes)
        yield Case("avg_pool2d_grad", label, arguments, {"gx": g_mean[inside]})


def _special() -> Case:
    """NaN passes, and the place stays at the last maximum before it; padding is -infinity."""
    nan, inf = np.nan, np.inf
    rows = [[1, nan, 2], [nan, 1, 2], [1, 2, nan], [2, 1, 2], [-inf, -inf, -inf]]
    x = np.array(rows, np.float32).reshape(1, 5, 3, 1)
    y = np.array([nan, nan, nan, 2, -inf]).reshape(1, 5, 1, 1)
    place = np.array([1, 0, 2, 1, 0], np.int32).reshape(y.shape)
    outputs = np.full(y.shape, 7, np.float32), np.full(y.shape, -7, np.int32)
    sizes = (*x.shape, 5, 1, 1, 5, 1, 5, 0, 1)
    return Case("max_pool2d", "special values", (x, *outputs, *sizes), {"y": y, "place": place})
