"""What is done to images batch by batch: random crops, flips, normalisation.

A transform is a callable `(images, rng) -> images`, of floats NHWC. In training `rng` is where its
chance comes from; in evaluation it is None, and nothing random happens: a crop is the middle one,
nothing is flipped, while normalisation goes on as before. Any function of that kind will do.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any, Self

import numpy as np
from numpy.typing import ArrayLike, NDArray

from minidecay.data.split import (
    CHECKED_AT_ONCE,
    FloatArray,
    Split,
    check_integer,
    check_number,
    check_split,
)

Transform = Callable[[FloatArray, np.random.Generator | None], FloatArray]

PADDING_MODES = ("constant", "edge", "reflect", "symmetric")


@dataclass(frozen=True)
class Compose:
    """The transforms one after the other.

    Raises TypeError where one of them cannot be called.

    >>> augment = Compose([RandomCrop(32, padding=4), RandomHorizontalFlip()])
    >>> augment(np.zeros((2, 32, 32, 3), np.float32), np.random.default_rng(0)).shape
    (2, 32, 32, 3)
    """

    transforms: Sequence[Transform]

    def __post_init__(self) -> None:
        object.__setattr__(self, "transforms", tuple(self.transforms))
        for transform in self.transforms:
            if not callable(transform):
                raise TypeError(f"Compose: {transform!r} is no transform; pass callables")

    def __call__(self, images: FloatArray, rng: np.random.Generator | None = None) -> FloatArray:
        for transform in self.transforms:
            images = transform(images, rng)
        return images


@dataclass(frozen=True)
class RandomCrop:
    """Each image padded on all sides, and a window of it cut out at a place of its own.

    Images (N, H, W, C) become (N, height, width, C); without `rng`, the middle of each.

    size: of the window, an integer or (height, width).
    padding: pixels on each side, an integer or (vertical, horizontal).
    fill: the value of the padding, black where pixels lie in [0, 1].
    padding_mode: "constant" for `fill`; or "edge", "reflect", "symmetric", as `numpy.pad` has them.

    Raises TypeError or ValueError for settings that are none of these, and, when called, for
    images that are not NHWC or smaller than the window. Krizhevsky et al. 2012; He et al. 2015.

    >>> image = np.arange(9, dtype=np.float32).reshape(1, 3, 3, 1)
    >>> RandomCrop(3, padding=1)(image, np.random.default_rng(0))[0, :, :, 0]
    array([[3., 4., 5.],
           [6., 7., 8.],
           [0., 0., 0.]], dtype=float32)
    """

    size: int | tuple[int, int]
    padding: int | tuple[int, int] = 0
    fill: float = 0.0
    padding_mode: str = "constant"

    def __post_init__(self) -> None:
        _pair("RandomCrop: size", self.size, 1)
        _pair("RandomCrop: padding", self.padding, 0)
        check_number("RandomCrop: fill", self.fill)
        if self.padding_mode not in PADDING_MODES:
            raise ValueError(
                f"RandomCrop: unknown padding_mode {self.padding_mode!r}; "
                f"choose one of {', '.join(PADDING_MODES)}"
            )

    def __call__(self, images: FloatArray, rng: np.random.Generator | None = None) -> FloatArray:
        _check_pictures("RandomCrop", images)
        height, width = _pair("RandomCrop: size", self.size, 1)
        vertical, horizontal = _pair("RandomCrop: padding", self.padding, 0)
        sides = ((0, 0), (vertical, vertical), (horizontal, horizontal), (0, 0))
        options: dict[str, Any] = {"mode": self.padding_mode}
        if self.padding_mode == "constant":
            options["constant_values"] = self.fill
        padded = np.pad(images, sides, **options)
        room = (padded.shape[1] - height, padded.shape[2] - width)
        if min(room) < 0:
            raise ValueError(
                f"RandomCrop: images {images.shape} are too small for a window of {self.size}; "
                "lower the size or raise the padding"
            )
        count = len(images)
        if rng is None:
            places = np.broadcast_to(np.array(room) // 2, (count, 2))
        else:
            places = rng.integers(0, np.array(room) + 1, size=(count, 2))
        cut = np.empty((count, height, width, images.shape[3]), images.dtype)
        for out, image, (top, left) in zip(cut, padded, places.tolist(), strict=True):
            out[...] = image[top : top + height, left : left + width]
        return cut


@dataclass(frozen=True)
class RandomHorizontalFlip:
    """Each image (N, H, W, C) mirrored, left for right, with probability `p`; never without `rng`.

    Raises TypeError or ValueError for a `p` outside [0, 1], or images that are not NHWC.

    >>> image = np.arange(3, dtype=np.float32).reshape(1, 1, 3, 1)
    >>> RandomHorizontalFlip(p=1.0)(image, np.random.default_rng(0)).ravel()
    array([2., 1., 0.], dtype=float32)
    """

    p: float = 0.5

    def __post_init__(self) -> None:
        if not 0 <= check_number("RandomHorizontalFlip: p", self.p) <= 1:
            raise ValueError(f"RandomHorizontalFlip: p {self.p} lies outside [0, 1]; pass e.g. 0.5")

    def __call__(self, images: FloatArray, rng: np.random.Generator | None = None) -> FloatArray:
        _check_pictures("RandomHorizontalFlip", images)
        if rng is None:
            return images
        chosen = rng.random(len(images)) < self.p
        flipped = images.copy()
        flipped[chosen] = images[chosen, :, ::-1]
        return flipped


@dataclass(frozen=True)
class Normalize:
    """(x - mean) / std, one of each for every channel, which is the last axis.

    mean, std: (C,) numbers, as `channel_statistics` gives them; std above 0.

    Raises TypeError or ValueError for other numbers, and, when called, for another number of
    channels.

    >>> Normalize([1.0, 2.0], [1.0, 4.0])(np.array([[3.0, 6.0]], np.float32))
    array([[2., 1.]], dtype=float32)
    """

    mean: Sequence[float] | NDArray[np.floating[Any]]
    std: Sequence[float] | NDArray[np.floating[Any]]

    def __post_init__(self) -> None:
        mean, std = _channels("mean", self.mean), _channels("std", self.std)
        if len(mean) != len(std):
            raise ValueError(
                f"Normalize: {len(mean)} means and {len(std)} deviations; pass one each a channel"
            )
        if min(std) <= 0:
            raise ValueError(
                f"Normalize: std of channel {std.index(min(std))} is {min(std)}; it must be "
                "above 0, so leave a channel that is constant out"
            )
        object.__setattr__(self, "mean", mean)
        object.__setattr__(self, "std", std)

    @classmethod
    def from_split(cls, train: Split) -> Self:
        """With the mean and deviation that the images of `train` have; test images get the same."""
        return cls(*channel_statistics(train))

    def __call__(self, images: FloatArray, rng: np.random.Generator | None = None) -> FloatArray:
        if images.ndim < 2 or images.shape[-1] != len(self.mean):
            raise ValueError(
                f"Normalize: images {images.shape} need {len(self.mean)} channels as last axis"
            )
        normal = images - np.asarray(self.mean, images.dtype)
        normal /= np.asarray(self.std, images.dtype)
        return normal


def channel_statistics(split: Split) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """The mean and the standard deviation of each channel, (C,) float64 each, over all examples.

    The channel is the last axis: of flat features (N, F) each is one.

    >>> images = np.array([[[1.0, 5.0]], [[3.0, 5.0]]])
    >>> channel_statistics(Split(images, np.array([0, 1])))
    (array([2., 5.]), array([1., 0.]))
    """
    check_split("channel_statistics: split", split)
    axes = tuple(range(split.images.ndim - 1))
    mean = split.images.mean(axis=axes, dtype=np.float64)
    squares = np.zeros_like(mean)
    for start in range(0, len(split), CHECKED_AT_ONCE):  # no float64 copy of the whole set
        squares += ((split.images[start : start + CHECKED_AT_ONCE] - mean) ** 2).sum(axis=axes)
    return mean, np.sqrt(squares / (split.images.size // len(mean)))


def _pair(where: str, value: object, minimum: int) -> tuple[int, int]:
    if isinstance(value, tuple | list):
        if len(value) != 2:
            raise ValueError(f"{where} {value} must be an integer, or two: (height, width)")
        return check_integer(where, value[0], minimum), check_integer(where, value[1], minimum)
    number = check_integer(where, value, minimum)
    return number, number


def _channels(name: str, values: ArrayLike) -> tuple[float, ...]:
    array = np.asarray(values)
    if array.ndim != 1 or array.size == 0:
        raise ValueError(f"Normalize: {name} {array.shape} must be (C,), a number for each channel")
    return tuple(check_number(f"Normalize: {name}", value) for value in array.tolist())


def _check_pictures(where: str, images: FloatArray) -> None:
    if images.ndim != 4:
        raise ValueError(f"{where}: images {images.shape} must be (N, height, width, channels)")
