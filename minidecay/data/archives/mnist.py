"""MNIST: the npz that Keras publishes, read with pickles refused."""

import io
import os
from typing import Any

import numpy as np
from numpy.typing import NDArray

from minidecay.data.archives.published import Archive
from minidecay.data.split import Split
from minidecay.data.splitting import TrainTest
from minidecay.files import parse_npz, reading

ARCHIVE = Archive(
    name="mnist.npz",
    url="https://storage.googleapis.com/tensorflow/tf-keras-datasets/mnist.npz",
    sha256="731c5ac602752760c8e48fbffcf8c3b850d9dc2a2aedcf2cc48468fc17b673d1",
    limit=16 << 20,
)
UNPACKED_LIMIT = 64 << 20  # bytes; 70,000 images take 55 MB
CLASSES, SIZE = 10, 28


def mnist(root: str | os.PathLike[str] | None = None, download: bool = False) -> TrainTest:
    """MNIST: 60,000 and 10,000 handwritten digits, float32 (N, 28, 28, 1) in [0, 1], and classes.

    LeCun, Cortes and Burges 1998, in one file as Keras publishes it.

    root: the folder of `mnist.npz` (Keras has it in ~/.keras/datasets); by default `data` in the
        cache folder, which is $MINIDECAY_CACHE or that of the user.
    download: fetch it (11 MB) where it is missing.

    The file is held to its SHA-256 before it is opened, and no pickle in it would be read. Raises
    FileNotFoundError where it is missing, OSError where it cannot be fetched, and
    `minidecay.files.BrokenFileError`, a ValueError, for any other content.

    >>> mnist(download=True).test  # doctest: +SKIP
    Split(10000 examples of (28, 28, 1) float32)
    """
    return parse(ARCHIVE.read(root, download))


def parse(content: bytes) -> TrainTest:
    """The two sets of a file's content. Raises BrokenFileError for what is no such file."""
    arrays = parse_npz(io.BytesIO(content), ARCHIVE.name, UNPACKED_LIMIT)
    with reading(ARCHIVE.name, "MNIST"):
        return TrainTest(_split(arrays, "train"), _split(arrays, "test"))


def _split(arrays: dict[str, NDArray[Any]], role: str) -> Split:
    if missing := [name for name in (f"x_{role}", f"y_{role}") if name not in arrays]:
        raise ValueError(f"{', '.join(missing)} is missing")
    pixels, labels = arrays[f"x_{role}"], arrays[f"y_{role}"]
    if pixels.dtype != np.uint8 or pixels.shape[1:] != (SIZE, SIZE):
        raise ValueError(f"x_{role} is {pixels.dtype} {pixels.shape}, not uint8 (N, 28, 28)")
    if labels.dtype.kind not in "iu" or labels.max(initial=0) >= CLASSES:
        raise ValueError(f"y_{role} holds no classes from 0 to 9")
    return Split(pixels[..., None] / np.float32(255), labels)
