"""Split: images, their labels, and named subsets of them."""

from collections.abc import Mapping
from dataclasses import dataclass, field, fields, replace
from typing import Any, Self

import numpy as np
from numpy.typing import ArrayLike, NDArray

FloatArray = NDArray[np.floating[Any]]

CHECKED_AT_ONCE = 256  # examples: a check makes no full-size temporary


@dataclass(frozen=True, eq=False, repr=False)
class Split:
    """One half of a data set, checked once, here, so that no later step has to.

    images: floats (N, ...), all finite; pictures are NHWC, `(N, height, width, channels)`.
    labels: integers (N,) from 0, kept as int64.
    subsets: name -> bool mask (N,), the parts that accuracy is told apart by. They may overlap and
        need not cover everything.

    Raises TypeError for a wrong dtype or masked values, ValueError for wrong shapes or values.

    >>> labels = np.array([0, 1, 1])
    >>> Split(np.zeros((3, 2, 2, 1)), labels, {"ones": labels == 1})
    Split(3 examples of (2, 2, 1) float64, ones 2)
    """

    images: FloatArray
    labels: NDArray[np.int64]
    subsets: Mapping[str, NDArray[np.bool_]] = field(default_factory=dict)

    def __post_init__(self) -> None:
        where = type(self).__name__
        object.__setattr__(self, "images", check_images(where, self.images))
        labels = _check_labels(where, self.labels, len(self.images))
        object.__setattr__(self, "labels", labels)
        if not isinstance(self.subsets, Mapping):
            raise TypeError(
                f"{where}: subsets must be a dict, got {type(self.subsets).__name__}; "
                "pass name -> bool mask"
            )
        for name, mask in self.subsets.items():
            _check_mask(f"{where}: subset {name!r}", mask, len(self.images))

    def __len__(self) -> int:
        return len(self.images)

    def __repr__(self) -> str:
        parts = [f"{len(self)} examples of {self.images.shape[1:]} {self.images.dtype}"]
        parts += [f"{name} {mask.sum()}" for name, mask in self.subsets.items()]
        return f"{type(self).__name__}({', '.join(parts)})"

    @property
    def classes(self) -> int:
        """How many classes the labels speak of: the largest label + 1."""
        return int(self.labels.max()) + 1

    def take(self, index: NDArray[np.integer[Any]] | NDArray[np.bool_] | slice) -> Self:
        """The examples that `index` picks, with all that belongs to them.

        index: a bool mask (N,), integers, or a slice. Subsets without an example there are left
            out. Raises IndexError for places that do not exist, ValueError where none is picked.

        >>> Split(np.zeros((3, 2)), np.array([0, 1, 1])).take(slice(2))
        Split(2 examples of (2,) float64)
        """
        subsets = {name: mask[index] for name, mask in self.subsets.items()}
        arrays = {f.name: getattr(self, f.name)[index] for f in fields(self) if f.name != "subsets"}
        kept = {name: mask for name, mask in subsets.items() if mask.any()}
        return replace(self, subsets=kept, **arrays)


def from_arrays(
    images: ArrayLike, labels: ArrayLike, subsets: Mapping[str, NDArray[np.bool_]] | None = None
) -> Split:
    """A data set from two arrays: images become float32, labels int64.

    images: numbers (N, ...), pictures as NHWC. Values stay as they are: bytes of pixels are not
        scaled, so divide them by 255 first. Torch's NCHW pictures: `images.transpose(0, 2, 3, 1)`.
    labels: integers (N,) from 0.
    subsets: name -> bool mask (N,), as for `Split`.

    Raises TypeError for values that are no numbers or masked and labels that are no integers,
    ValueError for wrong or ragged shapes, negative labels, NaN and infinity.

    >>> from_arrays([[0, 255], [3, 7], [1, 2]], [0, 1, 1])
    Split(3 examples of (2,) float32)
    """
    values, classes = _array("images", images), _array("labels", labels)
    if values.dtype.kind not in "iuf":
        raise TypeError(f"from_arrays: images of {values.dtype} are no numbers; convert them first")
    with np.errstate(over="ignore"):  # what is too large for float32 is told as infinite
        values = values.astype(np.float32, copy=False)
    return Split(values, classes, subsets or {})


def check_split(where: str, value: object) -> None:
    """Raise TypeError for anything but a Split; `where` opens the error."""
    if not isinstance(value, Split):
        kind = type(value).__name__
        raise TypeError(f"{where} is of type {kind}; make it data.Split(images, labels)")


def check_images(where: str, images: object) -> FloatArray:
    """`images` as a plain array, where it is a non-empty, finite float array (N, ...).

    `where` opens the error.
    """
    if not isinstance(images, np.ndarray) or not np.issubdtype(images.dtype, np.floating):
        kind = getattr(images, "dtype", type(images).__name__)
        raise TypeError(
            f"{where}: images must be a NumPy float array, got {kind}; "
            "convert with np.asarray(images, np.float32)"
        )
    images = _unmasked(f"{where}: images", images)
    if images.ndim < 2 or images.size == 0:
        raise ValueError(
            f"{where}: images {images.shape} need shape (N, ...) and one example or more; "
            "pass e.g. (N, height, width, channels)"
        )
    for start in range(0, len(images), CHECKED_AT_ONCE):
        finite = np.isfinite(images[start : start + CHECKED_AT_ONCE])
        if not finite.all():
            bad = start + int(np.argwhere(~finite)[0][0])
            raise ValueError(f"{where}: image {bad} holds NaN or infinity; repair or remove it")
    return images


def check_integer(where: str, value: object, minimum: int) -> int:
    """`value` as an int, where it is one of at least `minimum`; `where` opens the error."""
    if isinstance(value, bool) or not isinstance(value, (int, np.integer)):
        raise TypeError(f"{where} must be an integer, got {value!r}; pass {minimum} or more")
    if value < minimum:
        raise ValueError(f"{where} must be at least {minimum}, got {value}; raise it")
    return int(value)


def check_number(where: str, value: object) -> float:
    """`value` as a float, where it is a finite number; `where` opens the error."""
    if isinstance(value, bool) or not isinstance(value, (int, float, np.integer, np.floating)):
        raise TypeError(f"{where} must be a number, got {value!r}; pass e.g. 0.1")
    if not np.isfinite(value):
        raise ValueError(f"{where} must be finite, got {value}; pass e.g. 0.1")
    return float(value)


def _check_labels(where: str, labels: object, examples: int) -> NDArray[np.int64]:
    if not isinstance(labels, np.ndarray) or not np.issubdtype(labels.dtype, np.integer):
        kind = getattr(labels, "dtype", type(labels).__name__)
        raise TypeError(
            f"{where}: labels must be a NumPy integer array, got {kind}; "
            "convert with np.asarray(labels, np.int64)"
        )
    labels = _unmasked(f"{where}: labels", labels)
    if labels.shape != (examples,):
        raise ValueError(
            f"{where}: labels {labels.shape} do not match {examples} images; "
            f"pass one class index an image, shape ({examples},)"
        )
    if labels.min() < 0:
        raise ValueError(f"{where}: label {labels.min()} is negative; number the classes from 0")
    if labels.max() > np.iinfo(np.int64).max:  # it would wrap to a negative one
        raise ValueError(
            f"{where}: label {labels.max()} is too large for int64; number the classes from 0"
        )
    return labels.astype(np.int64, copy=False)


def _array(name: str, values: ArrayLike) -> NDArray[Any]:
    """What `from_arrays` was given, as an array; a masked one stays so, and is told later."""
    try:
        return np.asanyarray(values)
    except ValueError:
        raise ValueError(
            f"from_arrays: {name} are nested lists of different lengths; make them equal"
        ) from None


def _unmasked(where: str, array: NDArray[Any]) -> NDArray[Any]:
    """`array` as NumPy's plain kind; TypeError where values of it are masked."""
    if np.ma.is_masked(array):
        raise TypeError(f"{where} must not be masked; fill the values, as in array.filled(0)")
    return np.asarray(array)


def _check_mask(where: str, mask: object, examples: int) -> None:
    if not isinstance(mask, np.ndarray) or mask.dtype != np.bool_:
        kind = getattr(mask, "dtype", type(mask).__name__)
        raise TypeError(f"{where} must be a NumPy bool mask, got {kind}; pass e.g. labels == 3")
    _unmasked(where, mask)
    if mask.shape != (examples,):
        raise ValueError(
            f"{where} has shape {mask.shape} for {examples} images; pass a mask ({examples},)"
        )
    if not mask.any():
        raise ValueError(f"{where} holds no example; leave it out")
