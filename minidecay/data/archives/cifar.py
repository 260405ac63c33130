"""CIFAR-10: the "python" archive of its authors, read without unpickling or unpacking anything."""

import io
import os
import tarfile
import zlib
from collections.abc import Iterator
from pathlib import PurePosixPath

import numpy as np
from numpy.typing import NDArray

from minidecay.data.archives.pickles import Array, read_pickle
from minidecay.data.archives.published import Archive
from minidecay.data.split import Split
from minidecay.data.splitting import TrainTest
from minidecay.files import reading

ARCHIVE = Archive(
    name="cifar-10-python.tar.gz",
    url="https://www.cs.toronto.edu/~kriz/cifar-10-python.tar.gz",
    sha256="6d958be074577803d12ecdefd02955f39262c83c16fe9348329d7fe0b5c001ce",
    limit=200 << 20,
)
UNPACKED_LIMIT = 256 << 20  # bytes; six batches take 186 MB
MOST_MEMBERS = 64

FOLDER = "cifar-10-batches-py"
TRAIN = tuple(f"{FOLDER}/data_batch_{i}" for i in range(1, 6))
TEST = (f"{FOLDER}/test_batch",)
SHAPE = (3, 32, 32)  # channels come first in the archive

CIFAR10_CLASSES = (
    *("airplane", "automobile", "bird", "cat", "deer"),
    *("dog", "frog", "horse", "ship", "truck"),
)


def cifar10(root: str | os.PathLike[str] | None = None, download: bool = False) -> TrainTest:
    """CIFAR-10: 50,000 and 10,000 colour photographs of 10 kinds, float32 (N, 32, 32, 3) in [0, 1].

    Labels are int64, places in `CIFAR10_CLASSES`. The images take 737 MB, and reading them 1.2 GB.
    Krizhevsky 2009, Learning Multiple Layers of Features from Tiny Images.

    root: the folder of `cifar-10-python.tar.gz`, as torchvision has it; by default `data` in the
        cache folder, which is $MINIDECAY_CACHE or that of the user.
    download: fetch it (170 MB) from its authors where it is missing.

    The archive is held to its SHA-256 before it is opened; no code in it can run, and nothing is
    written but the archive itself. Raises FileNotFoundError where it is missing, OSError where it
    cannot be fetched, and `minidecay.files.BrokenFileError`, a ValueError, for any other content.

    >>> cifar10(download=True).test  # doctest: +SKIP
    Split(10000 examples of (32, 32, 3) float32)
    """
    return parse(ARCHIVE.read(root, download))


def parse(content: bytes) -> TrainTest:
    """The two sets of an archive's content. Raises BrokenFileError for what is no such archive."""
    with reading(ARCHIVE.name, "CIFAR-10"):
        batches = {name: _read_batch(batch) for name, batch in _members(content)}
        missing = [name for name in (*TRAIN, *TEST) if name not in batches]
        if missing:
            raise ValueError(f"{', '.join(missing)} is missing")
        return TrainTest(*(_join([batches[name] for name in names]) for names in (TRAIN, TEST)))


def _members(content: bytes) -> Iterator[tuple[str, bytes]]:
    """Name and content of each batch in the archive, whose members are all looked at."""
    gunzip = zlib.decompressobj(wbits=31)
    unpacked = gunzip.decompress(content, UNPACKED_LIMIT + 1)
    if len(unpacked) > UNPACKED_LIMIT:
        raise ValueError(f"unpacked it is larger than {UNPACKED_LIMIT} bytes")
    if not gunzip.eof:
        raise ValueError("it is cut short")
    seen = set()
    with tarfile.open(fileobj=io.BytesIO(unpacked), mode="r:") as archive:
        for count, member in enumerate(archive):
            if count == MOST_MEMBERS:
                raise ValueError(f"it has more than {MOST_MEMBERS} members")
            path = PurePosixPath(member.name)
            if path.is_absolute() or ".." in path.parts:
                raise ValueError(f"its member {member.name!r} leads out of its folder")
            is_file = member.type in (tarfile.REGTYPE, tarfile.AREGTYPE) and not member.issparse()
            if not is_file and not member.isdir():
                raise ValueError(f"its member {member.name!r} is neither a file nor a folder")
            if member.name in seen:
                raise ValueError(f"its member {member.name!r} is there twice")
            seen.add(member.name)
            if is_file and member.name in (*TRAIN, *TEST):
                file = archive.extractfile(member)
                assert file is not None  # it is a file
                yield member.name, file.read()


def _read_batch(content: bytes) -> tuple[NDArray[np.uint8], NDArray[np.int64]]:
    """The pixels (n, 3072) and the labels (n,) of a batch."""
    batch = read_pickle(content)
    if type(batch) is not dict:
        raise ValueError("a batch is no dict")
    data, labels = batch.get("data"), batch.get("labels")
    pixels = data.values if type(data) is Array else None
    if pixels is None or pixels.ndim != 2 or pixels.shape[1] != np.prod(SHAPE) or not len(pixels):
        raise ValueError("a batch holds no images of 3x32x32")
    if type(labels) is not list or len(labels) != len(pixels):
        raise ValueError("a batch does not hold a label for each image")
    if any(type(label) is not int or not 0 <= label < len(CIFAR10_CLASSES) for label in labels):
        raise ValueError("a batch holds a label that is no class from 0 to 9")
    return pixels, np.array(labels, np.int64)


def _join(batches: list[tuple[NDArray[np.uint8], NDArray[np.int64]]]) -> Split:
    pixels = np.concatenate([pixels for pixels, _ in batches]).reshape(-1, *SHAPE)
    images = np.empty((len(pixels), *SHAPE[1:], SHAPE[0]), np.float32)
    np.divide(pixels.transpose(0, 2, 3, 1), np.float32(255), out=images)
    return Split(images, np.concatenate([labels for _, labels in batches]))
