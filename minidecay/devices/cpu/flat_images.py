"""A batch of images as one long row of pixels, in which all windows look alike.

Zeros stand above each image and left of each of its rows. Those that a window wants below or at the
right are there as well: they are the next image's, the next row's. With a padding of 1:

    . . . .
    . 1 2 3       in the row:  . . . . . 1 2 3 . 4 5 6 . . . . . 7 8 ...
    . 4 5 6
    . . . .       The pitch, from a pixel to the one below it, is 4 here; an image takes 12 pixels.
    . 7 8 ...

The window whose first pixel is q has at its place (a, b) pixel q + a pitch + b, whatever q is. So
convolution at stride 1 is the same sum at every q of the row. At the q whose window reaches over
the end of a row or an image (here the last column of each, and the last row) the sum is of no
output, and nobody reads it.

An image has room for its outputs where each side's padding is below the kernel's size.
"""

from dataclasses import dataclass

import numpy as np

from minidecay.devices.protocol import Pair, Shape


@dataclass(frozen=True)
class FlatImages:
    """How images (N, H, W, C) lie in rows of pixels (pixels, C) with a padding."""

    shape: Shape
    padding: Pair

    @property
    def pitch(self) -> int:
        return self.shape[2] + self.padding[1]

    @property
    def image(self) -> int:
        return (self.shape[1] + self.padding[0]) * self.pitch

    def beyond(self, size: Pair) -> int:
        """How many pixels past its first a window of that size reaches."""
        return (size[0] - 1) * self.pitch + size[1] - 1

    def inputs(self, row: np.ndarray, count: int) -> np.ndarray:
        """The first `count` images in a row, without their zeros."""
        return self._grid(row, count)[:, self.padding[0] :, self.padding[1] :]

    def outputs(self, row: np.ndarray, count: int, pixels: Pair) -> np.ndarray:
        """The outputs (OH, OW) of the first `count` images in a row of sums."""
        return self._grid(row, count)[:, : pixels[0], : pixels[1]]

    def _grid(self, row: np.ndarray, count: int) -> np.ndarray:
        height = self.shape[1] + self.padding[0]
        return row[: count * self.image].reshape(count, height, self.pitch, row.shape[1])
