"""im2col and its adjoint col2im, and the geometry of a convolution, which conv2d's cases share."""

from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np

from minidecay.cuda.cases.case import Case, unwritten

__all__ = ["Geometry", "cases", "col2im", "im2col", "sums"]


@dataclass(frozen=True)
class Geometry:
    """The sizes of a convolution; pairs are (height, width)."""

    image: tuple[int, int, int, int]  # N, H, W, C
    size: tuple[int, int] = (3, 3)
    stride: tuple[int, int] = (1, 1)
    padding: tuple[int, int] = (1, 1)

    @property
    def out(self) -> tuple[int, int]:
        height, width = (
            (self.image[1 + i] + 2 * self.padding[i] - self.size[i]) // self.stride[i] + 1
            for i in range(2)
        )
        return height, width

    @property
    def pixels(self) -> int:
        """How many pixels the output has in all."""
        return self.image[0] * self.out[0] * self.out[1]

    @property
    def defines(self) -> dict[str, int | str]:
        """The options that differ from a kernel's defaults."""
        values = dict(zip(("KH", "KW", "SH", "SW"), (*self.size, *self.stride), strict=True))
        defaults = {"KH": 3, "KW": 3, "SH": 1, "SW": 1}
        return {name: value for name, value in values.items() if value != defaults[name]}

    def __str__(self) -> str:
        size, stride = ("x".join(map(str, pair)) for pair in (self.size, self.stride))
        return f"{'x'.join(map(str, self.image))} by {size}, stride {stride}, pad {self.padding}"


def im2col(x: np.ndarray, geometry: Geometry) -> np.ndarray:
    """The window of every output pixel, (N OH OW, KH KW C), in float64."""
    (n, h, w, c), (ph, pw) = geometry.image, geometry.padding
    padded = np.zeros((n, h + 2 * ph, w + 2 * pw, c))
    padded[:, ph : ph + h, pw : pw + w] = x
    columns = np.zeros((n, *geometry.out, *geometry.size, c))
    for i, j, a, b in np.ndindex(*geometry.out, *geometry.size):
        row, column = i * geometry.stride[0] + a, j * geometry.stride[1] + b
        columns[:, i, j, a, b] = padded[:, row, column]
    return columns.reshape(geometry.pixels, geometry.size[0] * geometry.size[1] * c)


def col2im(columns: np.ndarray, geometry: Geometry) -> np.ndarray:
    """Each element of the image: the sum, in float64, of the columns that im2col copies it to."""
    (n, h, w, c), (ph, pw) = geometry.image, geometry.padding
    columns = columns.reshape(n, *geometry.out, *geometry.size, c)
    padded = np.zeros((n, h + 2 * ph, w + 2 * pw, c))
    for i, j, a, b in np.ndindex(*geometry.out, *geometry.size):
        row, column = i * geometry.stride[0] + a, j * geometry.stride[1] + b
        padded[:, row, column] += columns[:, i, j, a, b]
    return padded[:, ph : ph + h, pw : pw + w]


def sums(rng: np.random.Generator) -> Iterator[Case]:
    """sum_splits, around the size of a block."""
    for size, splits in ((1, 1), (255, 2), (257, 3), (3, 0)):
        partial = rng.standard_normal((splits, size), dtype=np.float32)
        expected = partial.sum(0, dtype=np.float64)
        arguments = (partial, unwritten(size), size, splits)
        yield Case("sum_splits", f"{size} in {splits} splits", arguments, {"gw": expected})


# A pixel and a channel; whole blocks and one element more; then other sizes and strides, windows
# that leave pixels between them, a kernel wider than the image, and nothing at all.
_GEOMETRIES = [
    Geometry((1, 1, 1, 1)),
    Geometry((2, 5, 6, 3)),
    Geometry((2, 5, 6, 8)),
    Geometry((1, 3, 4, 5)),
    Geometry((1, 3, 4, 6)),
    Geometry((1, 8, 8, 16), size=(1, 1), padding=(0, 0)),
    Geometry((1, 1, 257, 1), padding=(2, 0)),
    Geometry((1, 16, 16, 1), padding=(0, 2)),
    Geometry((0, 4, 4, 2)),
    Geometry((2, 7, 4, 2), stride=(2, 2)),
    Geometry((1, 1, 2, 3), stride=(2, 2)),
    Geometry((3, 4, 5, 3), size=(1, 1), stride=(2, 2), padding=(0, 0)),
    Geometry((2, 6, 11, 3), size=(5, 2), stride=(1, 3), padding=(2, 0)),
    Geometry((1, 2, 3, 2), size=(5, 2), stride=(1, 3), padding=(2, 1)),
]


def cases(rng: np.random.Generator) -> Iterator[Case]:
    """Both ways for each geometry, and sum_splits."""
    for geometry in _GEOMETRIES:
        x = rng.standard_normal(geometry.image, dtype=np.float32)
        wanted = im2col(x, geometry)
        columns = rng.standard_normal(wanted.shape, dtype=np.float32)
        sizes = (*geometry.image, *geometry.out, *geometry.padding)
        for kernel, source, result, expected in (
            ("im2col", x, "columns", wanted),
            ("col2im", columns, "gx", col2im(columns, geometry)),
        ):
            arguments = (source, unwritten(*expected.shape), *sizes)
            yield Case(kernel, str(geometry), arguments, {result: expected}, geometry.defines)
    yield from sums(rng)
